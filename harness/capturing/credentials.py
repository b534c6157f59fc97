"""Credentials by their form: the last look at a file before it may be used, and at nothing but its own text.

The rules know what DashScope, Modal, Alibaba Cloud OSS and AWS give out, tokens of the web, and words that are too
random to be words. What is told to people is the rule and never the find.
"""

import math
import re
from collections import Counter
from collections.abc import Iterator
from typing import Final, NamedTuple

__all__ = [
    "LONG_WORD",
    "SHORTEST",
    "Credential",
    "credentials_in",
    "find_credential",
    "matches_rule",
    "may_hold_rule",
]

_RULES: Final = (
    ("a DashScope or OpenAI key", r"\bsk-(?:[A-Za-z]{2,8}-)?[A-Za-z0-9_-]{16,}"),
    ("a Modal token", r"\b(?:ak|as|wk|ws)-[A-Za-z0-9]{16,}"),
    ("a key of our own gateway", r"\bck-[A-Za-z0-9_-]{40,}"),
    ("an Alibaba Cloud access key", r"\bLTAI[A-Za-z0-9]{12,}"),
    ("a signed address", r"[?&](?:Signature|OSSAccessKeyId|X-Amz-Signature|x-oss-signature|sig)=[^\s&\"]{8,}"),
    # A digit in it tells a token from the next word of a sentence.
    ("a Bearer token", r"\b[Bb]earer\s+(?=\S*\d)[A-Za-z0-9._~+/-]{12,}|\b[Aa]uthorization\W{1,4}[Bb]earer\s+\S{8}"),
    ("a Basic authorization", r"\b[Bb]asic\s+(?=\S*\d)[A-Za-z0-9+/]{12,}|\b[Aa]uthorization\W{1,4}[Bb]asic\s+\S{8}"),
    ("an AWS access key", r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),
    ("a JSON web token", r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"),
    ("a private key", r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    ("a GitHub or Slack token", r"\b(?:gh[pousr]_[A-Za-z0-9]{20,}|xox[abprs]-[A-Za-z0-9-]{10,})"),
    ("a password in an address", r"[a-z][a-z0-9+.-]{1,20}://[^\s/:@]{1,100}:[^\s/@]{3,100}@"),
)
# Each rule's match holds one of these: where none is, no rule needs to be tried.
_MARKS: Final = (
    *(
        "sk-",
        "ak-",
        "as-",
        "wk-",
        "ws-",
        "ck-",
        "LTAI",
        "ignature=",
        "AccessKeyId=",
        "sig=",
        "earer",
        "asic",
        "AKIA",
        "ASIA",
    ),
    *("eyJ", "PRIVATE KEY-", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "xox", "://"),
)
_ANY: Final = re.compile(
    "|".join(f"(?P<rule{number}>{pattern})" for number, (_, pattern) in enumerate(_RULES)), re.ASCII
)
# What stands before the secret itself in a match, and how far a secret reaches beyond one.
_BEFORE: Final = re.compile(r"(?:[Aa]uthorization\W{1,4})?(?:[Bb]earer|[Bb]asic)\s+|[?&][A-Za-z-]+=")
_WORD: Final = re.compile(r"[^\s\"'`\\,;()<>{}&]*")
_SHORTEST_VALUE: Final = 8  # what a rule found with the marks around it may be shorter
LONG_WORD: Final = re.compile(r"[A-Za-z0-9+/_=-]{20,512}")
# Bits a character. English words glued together stay below 3.6; 20 characters drawn from 62 have 4.0 and more.
_RANDOM_BITS: Final = 3.8
SHORTEST: Final = 12  # of a text that can hold a credential
_HEX: Final = re.compile(r"[0-9a-f]{32,}|[0-9A-F]{32,}")


def find_credential(text: str) -> str | None:
    """What kind of credential a text holds, by rule first and then by randomness; None when it holds none."""
    if rule := matches_rule(text):
        return rule
    return "a word as random as a key" if any(_is_random(match[0]) for match in LONG_WORD.finditer(text)) else None


def matches_rule(text: str) -> str | None:
    """The first rule that a text breaks; None when it breaks none."""
    if not may_hold_rule(text):
        return None
    match = _ANY.search(text)
    return _RULES[int(str(match.lastgroup)[4:])][0] if match else None


class Credential(NamedTuple):
    """One find: for whoever compares it with what may be there, never to be shown."""

    rule: str
    value: str  # the secret itself, to the end of its word


def credentials_in(text: str) -> Iterator[Credential]:
    """Everything in a text that a rule takes for a credential, in order; each to the end of its word."""
    end = 0
    while may_hold_rule(text) and (match := _ANY.search(text, end)):
        before = _BEFORE.match(match[0])
        begin = match.start() + (before.end() if before else 0)
        word = _WORD.match(text, begin if before else match.end())
        end = max(match.end(), word.end() if word else 0)
        value = text[begin : word.end() if word else end]
        if len(value) >= _SHORTEST_VALUE:
            yield Credential(_RULES[int(str(match.lastgroup)[4:])][0], value)


def may_hold_rule(text: str) -> bool:
    """Whether the rules need to be tried; False is certain."""
    for mark in _MARKS:  # noqa: SIM110 - twice as fast as any(), and every field of every capture comes by here
        if mark in text:
            return True
    return False


def _is_random(word: str) -> bool:
    if _HEX.fullmatch(word):
        return len(set(word)) > 6
    kinds = (any(map(str.isdigit, word)), any(map(str.islower, word)), any(map(str.isupper, word)))
    return sum(kinds) == 3 and _bits_a_character(word) >= _RANDOM_BITS


def _bits_a_character(word: str) -> float:
    return -sum(count / len(word) * math.log2(count / len(word)) for count in Counter(word).values())

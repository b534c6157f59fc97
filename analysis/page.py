"""A verdict as one HTML file that works offline: tables, charts as inline SVG, and the worst pairs to listen to.

Nothing in it loads anything, and a policy in its head forbids it to.
"""

import base64
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from typing import Final

from analysis.forest import forest
from analysis.report import View
from analysis.units import amount, count, span
from analysis.wording import beside_words, flips, footnotes, needs, order_lines

__all__ = ["page"]

Sounds = Mapping[tuple[str, str, int, str], str]  # run, capture, repetition, lane → data URI

_STYLE: Final = """
:root { color-scheme: light dark; --line: #8884; --good: #1a7f37; --bad: #cf222e; --open: #9a6700; --void: #8250df; }
@media (prefers-color-scheme: dark) { :root { --good: #3fb950; --bad: #ff7b72; --open: #d29922; --void: #bc8cff; } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { margin-top: 2.5rem; }
.go, .pass { color: var(--good); } .no-go, .fail { color: var(--bad); }
.inconclusive { color: var(--open); } .invalid { color: var(--void); }
.word { font-weight: 700; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .6rem; border-bottom: 1px solid var(--line); text-align: right; vertical-align: top; }
th.text, td.text { text-align: left; }
td:not(.text) { white-space: nowrap; }
svg { width: 100%; height: auto; font-size: 12px; fill: currentColor; }
audio { width: 14rem; height: 2.2rem; }
@media print { body { max-width: none; margin: 0; } audio { display: none; } tr, svg { break-inside: avoid; } }
"""


def page(view: View, clips: Sounds) -> str:
    """The document.

    Args:
        view: What `view_of` made.
        clips: Audio of the worst pairs by run, capture, repetition and lane; may lack any.
    """
    digest = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'sha256-{digest}'; media-src data:; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    body = "\n".join(_body(view, clips))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(view['decision'].upper())}: may we cut over?</title>\n<style>{_STYLE}</style>\n</head>\n"
        f"<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def _body(view: View, clips: Sounds) -> Iterator[str]:
    yield f"<h1>{_word(view['decision'])} May we cut over?</h1>\n<p>{escape(view['reason'])}</p>"
    for operation in view["operations"]:
        sample = operation["sample"]
        size = f"{count(sample['pairs'], 'pair')}, {count(sample['voices'], 'voice')}, {count(sample['days'], 'day')}"
        yield f"<h2>{escape(operation['operation'])}: {_word(operation['decision'])}</h2>"
        yield f"<p>{escape(operation['reason'])}</p>\n<p>{size}</p>"
        yield forest(operation)
        yield _gates(operation)
        yield _worst(operation, clips)
    yield _list("Still needed", needs(view))
    yield _list("What would change it", flips(view))
    yield _list("Recommended order", order_lines(view))
    yield _list("What it rests on", footnotes(view))


def _word(word: str) -> str:
    return f'<span class="word {escape(word)}">{escape(word.upper())}</span>'


def _gates(operation: View) -> str:
    heads = ("gate", "outcome", "estimate", "range", "limit", "pairs", "reason")
    rows = [_gate(finding) for finding in operation["findings"]]
    return _table(heads, rows, text=(0, 1, 6))


def _gate(finding: View) -> tuple[str, ...]:
    unit, signed = finding["unit"], finding["unit"] == "pp"
    place = f" {finding['segment']}" if finding["segment"] else ""
    advisory = "" if finding["blocking"] else " (advisory)"
    said = beside_words(finding)
    return (
        escape(finding["gate"] + place),
        f'<span class="{escape(finding["outcome"])}">{escape(finding["outcome"])}</span>{advisory}',
        amount(finding["estimate"], unit, signed=signed),
        span(finding["low"], finding["high"], unit, signed=signed),
        amount(finding["limit"], unit, signed=signed),
        f"{finding['counts'].get('pairs', 0):,}",
        escape(finding["reason"]) + (f"<br><small>At one look: {escape(said)}</small>" if said else ""),
    )


def _worst(operation: View, clips: Sounds) -> str:
    if not operation["worst_pairs"]:
        return ""
    rows = []
    for pair in operation["worst_pairs"]:
        key = (pair["run_id"], pair["capture_id"], pair["repetition"])
        players = [_player(clips.get((*key, lane))) for lane in ("control", "candidate")]
        rows.append((escape(pair["capture_id"]), "<br>".join(map(escape, pair["reasons"])), *players))
    return "<h3>Worst pairs</h3>\n" + _table(("capture", "what was wrong", "control", "candidate"), rows, text=(0, 1))


def _player(uri: str | None) -> str:
    return "no audio" if uri is None else f'<audio controls preload="none" src="{escape(uri)}"></audio>'


def _table(heads: Iterable[str], rows: Iterable[tuple[str, ...]], *, text: tuple[int, ...]) -> str:
    """A table of cells that are HTML already."""

    def cells(tag: str, values: Iterable[str]) -> str:
        left = ' class="text"'
        return "".join(f"<{tag}{left if place in text else ''}>{value}</{tag}>" for place, value in enumerate(values))

    body = "\n".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    head = f"<thead><tr>{cells('th', heads)}</tr></thead>"
    return f'<div class="wide"><table>{head}\n<tbody>\n{body}\n</tbody></table></div>'


def _list(heading: str, lines: Iterable[str]) -> str:
    items = "\n".join(f"<li>{escape(line)}</li>" for line in lines)
    return f"<h2>{escape(heading)}</h2>\n<ul>\n{items}\n</ul>" if items else ""

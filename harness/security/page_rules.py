"""Rules about pages: words from outside never become HTML, Markdown, a link or a picture (S8-24).

Streamlit reads Markdown in far more places than its name says, and Markdown loads pictures from anywhere; words from
outside are shown by `st.text`, `st.code` and tables alone.
"""

import ast
from collections.abc import Iterator
from typing import Final

from harness.security.syntax import Breach, calls, imports, is_constant, keyword, last_name, written

__all__ = ["raw_markup", "words_read_as_markup"]

_RAW: Final = frozenset({"html", "iframe", "declare_component", "component"})
# Streamlit's documents say of each that its text, or its label, "can contain Markdown".
_READS_MARKDOWN: Final = frozenset(
    {
        *("markdown", "write", "write_stream", "title", "header", "subheader", "caption", "latex", "badge", "metric"),
        *("error", "warning", "info", "success", "exception", "toast", "status", "spinner", "progress", "expander"),
        *("tabs", "button", "download_button", "link_button", "page_link", "popover", "checkbox", "toggle", "radio"),
        *(
            "selectbox",
            "multiselect",
            "segmented_control",
            "pills",
            "slider",
            "text_input",
            "text_area",
            "chat_message",
        ),
    }
)
# Columns and fields whose words a caller, a provider or a stranger's link has chosen (schema.py).
_STRANGERS: Final = frozenset(
    {
        *("text", "instructions", "transcript", "description", "detail", "provider_code", "provider_request_id"),
        *("capture_id", "voice_id", "user_key", "session", "segment", "cluster", "language", "metadata", "reason"),
        "query_params",
    }
)


def raw_markup(tree: ast.Module) -> Iterator[Breach]:
    """Whatever hands HTML to the browser."""
    if not _draws(tree):
        return
    for call, name in calls(tree):
        if keyword(call, "unsafe_allow_html") is not None and not is_constant(
            keyword(call, "unsafe_allow_html"), False
        ):
            yield Breach(call.lineno, "unsafe_allow_html", f"{name}() lets HTML through; leave unsafe_allow_html out")
        if name.startswith(("st.", "streamlit.", "components.")) and last_name(name) in _RAW:
            yield Breach(call.lineno, name, f"{name}() hands HTML to the browser; show words by st.text()")


def words_read_as_markup(tree: ast.Module) -> Iterator[Breach]:
    """Words from outside where Streamlit reads Markdown."""
    if not _draws(tree):
        return
    for call, name in calls(tree):
        if last_name(name) not in _READS_MARKDOWN or "." not in name:
            continue
        for argument in [*call.args, *(each.value for each in call.keywords)]:
            for node in ast.walk(argument):
                if _strangers_word(node) is not None:
                    message = f"{name}() reads Markdown, and {written(node)} comes from outside; show it by st.text()"
                    yield Breach(call.lineno, written(node), message)


def _strangers_word(node: ast.AST) -> str | None:
    """The column or field that a node reads; None when its words are our own."""
    if isinstance(node, ast.Subscript):
        name = node.slice.value if isinstance(node.slice, ast.Constant) else None
        if isinstance(node.slice, ast.JoinedStr) and isinstance(node.slice.values[-1], ast.Constant):
            name = str(node.slice.values[-1].value).lstrip("_")
    else:
        name = node.attr if isinstance(node, ast.Attribute) else None
    return str(name) if name in _STRANGERS else None


def _draws(tree: ast.Module) -> bool:
    return any(name.partition(".")[0] == "streamlit" for _, name in imports(tree))

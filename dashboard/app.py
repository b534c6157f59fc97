"""Frame the dashboard and navigate between its views.

`cutover dashboard` starts it; by hand: `streamlit run dashboard/app.py`.
"""

from pathlib import Path
from typing import Final

# Streamlit imports these two when it first draws a table; meanwhile the charts of another session look whether they
# are there, find one half imported, and break. Imported here, they are whole before anything is drawn.
import pandas as pd  # noqa: F401 - see above
import pyarrow as pa  # noqa: F401 - see above
import streamlit as st

from dashboard import widgets
from dashboard.views import failures, latency, pairs, rollout, verdict
from harness.errors import HarnessError

__all__ = ["main"]

_HERE: Final = Path(__file__).parent
_LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")


def main() -> None:
    """Draw the page that the address names."""
    # A file of our own: for a named symbol the browser would ask a font server on the internet.
    st.set_page_config(page_title="cutover", page_icon=str(_HERE / "favicon.svg"), layout="wide")
    st.html(_HERE / "style.css")
    if st.get_option("server.address") not in _LOOPBACK:
        st.error("The dashboard shows captured text and voices, and asks nobody who they are.")
        widgets.empty("It is served on this machine alone. Start it with:", "cutover dashboard")
        return
    page = st.navigation(
        [
            st.Page(verdict.draw, title="May we cut over?", icon=":material/gavel:", url_path="verdict", default=True),
            st.Page(latency.draw, title="How fast are they?", icon=":material/speed:", url_path="latency"),
            st.Page(failures.draw, title="What failed?", icon=":material/error_outline:", url_path="failures"),
            st.Page(pairs.draw, title="What differs?", icon=":material/hearing:", url_path="pairs"),
            st.Page(rollout.draw, title="Where is the rollout?", icon=":material/rocket_launch:", url_path="rollout"),
        ],
        position="top",
    )
    try:
        page.run()
    except HarnessError as error:
        widgets.trouble(error)


if __name__ == "__main__":
    main()

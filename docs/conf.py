"""How Sphinx builds the pages (`make docs`): the source folder is the whole project, so that links are those of files.

Nothing is fetched, and nothing that is built refers to the network.
"""

import re
import sys
from pathlib import Path

from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx
from sphinx.util.logging import getLogger

PROJECT = Path(__file__).parents[1]
sys.path[:0] = [str(PROJECT), str(PROJECT / "src")]  # docs and experiments are no installed packages

from docs.partial_models import SEEN_SHARE, write_pages  # noqa: E402 - found by the line before

project, author = "micromime", "the micromime developers"
extensions = ["myst_parser"]
myst_heading_anchors = 3
suppress_warnings = ["myst.header"]  # tables of a verdict begin with small headings
root_doc = "docs/index"
PAGES = "build/partial_models"
include_patterns = [
    *("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "docs/*.md", "experiments/*/*.md", "src/micromime/README.md"),
    *("metrics/**.md", f"{PAGES}/*.md"),
]
KEPT = {"docs", "experiments", "metrics", "src", "build"}
exclude_patterns = [each.name for each in PROJECT.iterdir() if each.is_dir() and each.name not in KEPT]

html_theme = "pydata_sphinx_theme"
html_title = "micromime"
html_theme_options = {
    **{"navbar_center": [], "secondary_sidebar_items": [], "footer_start": [], "footer_end": []},
    **{"show_prev_next": False, "navigation_with_keys": False},
}
html_sidebars = {"**": ["contents.html"]}  # all pages beside each: the theme would have the header name them
html_static_path, html_css_files = ["static"], ["pages.css"]
html_show_sourcelink = False
html_show_sphinx = False
html_additional_pages = {"index": "forward.html"}  # the pages lie in docs/ as their files do
templates_path = ["templates"]


def stand_alone(_app: Sphinx, docname: str, source: list[str]) -> None:
    """Say of pages outside docs/ that they stand in no table of contents, and take links to what was not made here."""
    if docname.startswith(("docs/", PAGES)):
        return
    folder = (PROJECT / docname).parent

    def there(found: re.Match[str]) -> str:
        return found[0] if "://" in found[2] or (folder / found[2].partition("#")[0]).is_file() else found[1]

    if docname.startswith("metrics/"):
        source[0] = re.sub(r"\[([^\]]*)\]\(([^)\s]*)\)", there, source[0])
    source[0] = f"---\norphan: true\n---\n\n{source[0]}"


def draw(_app: Sphinx) -> None:
    """Write the pages of partial models; a parameter of which nothing is seen is a warning."""
    for strip in write_pages(PROJECT / PAGES):
        if strip.seen < SEEN_SHARE:
            getLogger(__name__).warning("%s.%s: its pictures do not differ", type(strip.fixed).__name__, strip.key)


def setup(app: Sphinx) -> None:
    """Let pages of partial models be made before pages are looked for."""
    app.connect("builder-inited", draw)
    app.connect("source-read", stand_alone)
    app.add_lexer("csv", TextLexer)

"""The blocks of code and the links in README.md and the pages of docs/."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from markdown_it import MarkdownIt

READ = MarkdownIt("commonmark").enable("table")


class Block(NamedTuple):
    """A block of code as it stands on a page."""

    page: str
    language: str
    text: str

    @property
    def commands(self) -> list[str]:
        """Its lines without what they say behind `#`."""
        return [line.partition("  #")[0].rstrip() for line in self.text.splitlines()]


def pages(project: Path) -> list[Path]:
    return [project / "README.md", *sorted((project / "docs").glob("*.md"))]


def blocks(project: Path, language: str, having: str = "", page: str = "") -> list[Block]:
    """Return the blocks in one language, in order: of all pages or one, and those that have a word, if one is given."""
    found = [each for each in every_block(project) if each.language == language and having in each.text]
    return [each for each in found if page in ("", each.page)]


def every_block(project: Path) -> Iterator[Block]:
    for page in pages(project):
        for token in READ.parse(page.read_text()):
            if token.type == "fence" and not token.info.startswith("{"):  # those in braces are Sphinx's
                yield Block(str(page.relative_to(project)), token.info, token.content)


PROGRAMS = ("micromime", "dvc", "git", "make", "python", "mlflow", "pip", "source", "eval")


def commands(project: Path, page: str = "") -> list[str]:
    """Return every command of all pages or one, each once: the lines of their blocks, and those between words."""
    found = [line for block in blocks(project, "sh", page=page) for line in block.commands if line]
    for each in pages(project):
        if page in ("", str(each.relative_to(project))):
            inner = [child for token in READ.parse(each.read_text()) for child in token.children or ()]
            code = [child.content for child in inner if child.type == "code_inline"]
            found += [text for text in code if " " in text and text.split()[0] in PROGRAMS]
    return list(dict.fromkeys(found))


def links(page: Path) -> list[str]:
    """Return where a page's links and pictures lead."""
    inner = [child for token in READ.parse(page.read_text()) for child in token.children or ()]
    return [str(each.attrGet("href") or each.attrGet("src")) for each in inner if each.type in ("link_open", "image")]


def anchors(page: Path) -> set[str]:
    """Return the names of a page's headings, as GitHub and MyST make them."""
    tokens = READ.parse(page.read_text())
    heads = [after.content for token, after in pairwise(tokens) if token.type == "heading_open"]
    kept = ["".join(c for c in head.lower() if c.isalnum() or c in " -_") for head in heads]
    return {head.replace(" ", "-") for head in kept}

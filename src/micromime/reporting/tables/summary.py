"""The first page of a verdict, for people."""

from micromime.judging.verdict import Verdict
from micromime.reporting.words import headline


def summary(said: Verdict) -> str:
    """Return the page in Markdown."""
    return f"**{headline(said['test_set'])}**\n"

"""The verdict on classifiers of tiles in Markdown tables: the paper's Table 1 and beyond; the words: tiles.md.j2."""

from collections.abc import Mapping
from typing import Any

from micromime.judging.tiles import METRIC
from micromime.judging.verdict import Verdict
from micromime.reporting.tables.verdict import difference_text, finding
from micromime.reporting.words import SIGNIFICANT_P, in_markdown, rendered

ON = {
    "test": "test data",
    "every": "all data (includes training tiles; for comparison with the paper only)",
}
"""What models are judged on, as the tables write it."""

MODELS = {
    "synthetic": "synthetic model",
    "real": "real model",
    "mixed": "mixed model",
    "longer": "control: real, as long as mixed",
}
"""The arms of a subset, as the tables write them."""


def tile_tables(said: Verdict) -> str:
    """Return the whole verdict: Table 1, what the tests say, the learning curve, the ablation and the textures."""
    return _rendered("tiles.md.j2", said)


def learning_table(said: Verdict) -> str:
    """Return the mean error on test data by number of real training tiles, the fewest first, and what the tests say."""
    return _rendered("learning.md.j2", said).rstrip()


def _rendered(template: str, said: Verdict) -> str:
    named = {"ON": ON, "MODELS": MODELS, "in_order": in_order, "finding": finding, "change": _change}
    named["difference"] = difference_text
    return rendered(template, said=in_markdown(said), significant_p=SIGNIFICANT_P, **named)


def in_order(arms: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arms in the order of the tables, the paper's."""
    return {name: arms[name] for name in MODELS if name in arms}


def _change(part: Verdict, other: str) -> str:
    """Return by how much the error of mixed differs from another's, nothing where that has none."""
    mixed, beside = (part["arms"][name][METRIC]["mean"] for name in ("mixed", other))
    return f"{mixed / beside - 1:+.0%}" if beside else ""

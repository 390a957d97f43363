"""The verdict on classifiers of tiles in Markdown tables: the paper's Table 1 and beyond; nothing is computed here."""

from collections.abc import Iterator, Mapping
from typing import Any

from micromime.judging.tiles import LINE_FILTER, METRIC
from micromime.judging.verdict import Verdict
from micromime.reporting.tables.verdict import finding, with_intervals
from micromime.reporting.words import SIGNIFICANT_P, cell, ends_text, headline, markdown, p_text

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

AGAINST = {"real": "real", "longer": "control"}
"""What the mixed model is tested against, as the learning curve's columns write it."""

MODELS_OF_POOLS = ("synthetic", "mixed")
"""Models that learn from synthetic tiles: the texture of a pool makes a difference to them."""

TEXTURES = (
    "Classifier two-sample test of intact tiles: a logistic regression on spectra and moments learns from the training "
    "specimens and the pool, and is asked about the test specimens and further tiles of the pool."
)


def tile_tables(said: Verdict) -> str:
    """Return the whole verdict: Table 1, what the tests say, the learning curve, the ablation and the textures."""
    blocks = [f"**{headline(said['test_set'])}**"]
    for name, part in said["subsets"].items():
        tiles = str(part["tiles"])
        blocks.append(f"### Training tiles: {tiles}" + ("" if name == tiles else f" ({name})"))
        blocks += [table_1(part), findings(part)]
    blocks += ["### Learning curve", learning_table(said)]
    if said["ablation"]:
        blocks += ["### What the texture is worth", *_ablation(said["ablation"])]
    blocks += ["### Can synthetic surfaces be told from real ones?", TEXTURES, _textures(said["textures"])]
    return "\n\n".join(blocks) + "\n"


def table_1(part: Verdict) -> str:
    """Return the error rates of one subset in the layout of the paper's Table 1, with both intervals."""
    rows: list[list[str]] = []
    for on, what in ON.items():
        arms = in_order(part[on]["arms"]).values()
        runs = next(iter(arms))["n_runs"]
        lines = with_intervals(what, runs, [arm[METRIC] for arm in arms])
        rows += ([*line, beside] for line, beside in zip(lines, (_filtered(part[on]), "", ""), strict=True))
    return markdown(["error rate", "", *_named(part["test"]["arms"]), "control: line filter"], rows)


def in_order(arms: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arms in the order of the tables, the paper's."""
    return {name: arms[name] for name in MODELS if name in arms}


def _named(arms: Mapping[str, Any]) -> list[str]:
    return [MODELS[name] for name in in_order(arms)]


def _filtered(part: Verdict) -> str:
    return f"{part['baselines'][LINE_FILTER][METRIC]:.3f}"


def findings(part: Verdict) -> str:
    """Return a sentence for each paired test of the mixed model against the real ones, with the relative reduction."""
    lines = []
    for on, what in ON.items():
        for other in AGAINST:
            if test := part[on]["paired"].get(f"mixed_vs_{other}_{METRIC}"):
                change = _change(part[on], other)
                reduced = f"Relative change of the error: {change}." if change else "There is no error to reduce."
                lines.append(f"- On {what.partition(' (')[0]}: {finding(test)} {reduced}")
    return "\n".join(lines)


def _change(part: Verdict, other: str) -> str:
    """Return by how much the error of mixed differs from another's, nothing where that has none."""
    mixed, beside = (part["arms"][name][METRIC]["mean"] for name in ("mixed", other))
    return f"{mixed / beside - 1:+.0%}" if beside else ""


def learning_table(said: Verdict) -> str:
    """Return the mean error on test data by number of real training tiles, the fewest first, and what the tests say."""
    parts = sorted(said["subsets"].values(), key=lambda part: int(part["tiles"]))
    rows = []
    for part in parts:
        errors = [cell(arm[METRIC]) for arm in in_order(part["test"]["arms"]).values()]
        tested = [_tested(part["test"], other) for other in AGAINST]
        rows.append([str(part["tiles"]), *errors, _filtered(part["test"]), *tested])
    against = [f"mixed against {name}" for name in AGAINST.values()]
    arms = parts[0]["test"]["arms"]
    table = markdown(["training tiles", *_named(arms), "line filter", *against], rows)
    return (
        f"{table}\n\nError rates on test data, mean ± sd, n = {next(iter(arms.values()))['n_runs']} runs; p of paired "
        f"two-tailed t-tests by run, significant below {SIGNIFICANT_P}."
    )


def _tested(test: Verdict, other: str) -> str:
    change = _change(test, other) or "no error to reduce"
    p = test["paired"][f"mixed_vs_{other}_{METRIC}"]["p_value"]
    if p is None:
        return f"{change}, no test"
    return f"{change}, p = {p_text(p)}{'' if p < SIGNIFICANT_P else ' (not significant)'}"


def _ablation(ablation: Mapping[str, Any]) -> Iterator[str]:
    yield (
        f"Error rates on test data with {ablation['tiles']} training tiles, by what the cracks are drawn on: filled "
        "from the dictionary as in the paper, an exemplar with random phases, white noise, or real crack-free tiles."
    )
    ways, test = ablation["ways"], ablation["test"]
    rows = [
        [way.replace("_", " "), *(cell(test["arms"][f"{model}, {way}"][METRIC]) for model in MODELS_OF_POOLS)]
        for way in ways
    ]
    yield markdown(["surface", *(MODELS[model] for model in MODELS_OF_POOLS)], rows)
    yield "\n".join(
        f"- {finding(each)}"
        for each in test["paired"].values()
        if each["a"].startswith("mixed") and each["b"] == f"mixed, {ways[0]}"
    )


def _textures(textures: Mapping[str, Any]) -> str:
    wrong = ("real_taken_for_synthetic", "synthetic_taken_for_real")
    rows = [
        [
            name,
            f"{each['accuracy']:.2f}",
            ends_text(each, ".2f"),
            f"{each['n_real']} + {each['n_synthetic']}",
            *(f"{each[kind]:.0%}" for kind in wrong),
        ]
        for name, each in textures.items()
    ]
    head = ["pool", "accuracy (0.5: alike)", "95 % Wilson", "real + synthetic", *(w.replace("_", " ") for w in wrong)]
    return markdown(head, rows)

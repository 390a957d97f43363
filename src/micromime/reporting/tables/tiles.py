"""The verdict on classifiers of tiles in Markdown tables: the paper's Table 1 and beyond; nothing is computed here."""

from collections.abc import Iterator, Mapping
from typing import Any

from micromime.judging.tiles import LINE_FILTER, METRIC
from micromime.judging.verdict import Verdict
from micromime.reporting.tables.verdict import finding, headline
from micromime.reporting.words import SIGNIFICANT_P, cell, interval_text, markdown, p_text

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


def tile_tables(said: Verdict) -> str:
    """Return the whole verdict: Table 1, what the tests say, the learning curve, the ablation and the textures."""
    blocks = [f"**{headline(said['test_set'])}**"]
    for name, part in said["subsets"].items():
        blocks += [f"### Training tiles: {part['tiles']} ({name})" if name != str(part["tiles"]) else ""]
        blocks[-1] = blocks[-1] or f"### Training tiles: {name}"
        blocks += [table_1(part), findings(part)]
    blocks += ["### Learning curve", learning_table(said)]
    if said["ablation"]:
        blocks += ["### What the texture is worth", *_ablation(said["ablation"])]
    blocks += ["### Can synthetic surfaces be told from real ones?", _textures(said["textures"])]
    return "\n\n".join(blocks) + "\n"


def table_1(part: Verdict) -> str:
    """Return the error rates of one subset in the layout of the paper's Table 1, with both intervals."""
    rows = []
    for on, title in ON.items():
        arms = in_order(part[on]["arms"])
        runs = next(iter(arms.values()))["n_runs"]
        line = part[on]["baselines"][LINE_FILTER][METRIC]
        rows.append([title, "mean ± sd", *(cell(arm[METRIC]) for arm in arms.values()), f"{line:.3f}"])
        for key, method in (
            ("ci99_student", f"99 % Student t, n = {runs} (runs)"),
            ("ci99_agresti_coull_paper", f"99 % Agresti-Coull as in the paper, n = {runs**2} (runs squared)"),
        ):
            rows.append(["", method, *(interval_text(arm[METRIC][key]) for arm in arms.values()), ""])
    names = [MODELS.get(name, name) for name in in_order(part["test"]["arms"])]
    return markdown(["error rate", "", *names, "control: line filter"], rows)


def in_order(arms: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arms in the order of the tables, the paper's."""
    return {name: arms[name] for name in MODELS if name in arms}


def findings(part: Verdict) -> str:
    """Return a sentence for each paired test of the mixed model against the real ones, with the relative reduction."""
    lines = []
    for on, title in ON.items():
        for other in AGAINST:
            if test := part[on]["paired"].get(f"mixed_vs_{other}_{METRIC}"):
                means = [part[on]["arms"][name][METRIC]["mean"] for name in ("mixed", other)]
                lines.append(f"- On {title.partition(' (')[0]}: {finding(test)} {reduction(*means)}")
    return "\n".join(lines)


def reduction(mixed: float, other: float) -> str:
    """Return by how much one error is below another, in words."""
    if other == 0:
        return "There is no error to reduce."
    return f"Relative change of the error: {mixed / other - 1:+.0%}."


def learning_table(said: Verdict) -> str:
    """Return the mean error on test data by number of real training tiles, the fewest first, and what the tests say."""
    parts = sorted(said["subsets"].values(), key=lambda part: part["tiles"])
    names = list(in_order(parts[0]["test"]["arms"]))
    rows = []
    for part in parts:
        test, tiles = part["test"], str(part["tiles"])
        errors = [cell(test["arms"][name][METRIC]) for name in names]
        line = f"{test['baselines'][LINE_FILTER][METRIC]:.3f}"
        rows.append([tiles, *errors, line, *(_change(test, other) for other in AGAINST)])
    against = [f"mixed against {title}" for title in AGAINST.values()]
    table = markdown(["training tiles", *(MODELS.get(name, name) for name in names), "line filter", *against], rows)
    runs = next(iter(parts[0]["test"]["arms"].values()))["n_runs"]
    return (
        f"{table}\n\nError rates on test data, mean ± sd, n = {runs} runs; p of paired two-tailed t-tests by run, "
        f"significant below {SIGNIFICANT_P}."
    )


def _change(test: Mapping[str, Any], other: str) -> str:
    """Return by how much the error of mixed differs from another's, and what the paired test says."""
    means = [test["arms"][name][METRIC]["mean"] for name in ("mixed", other)]
    p = test["paired"][f"mixed_vs_{other}_{METRIC}"]["p_value"]
    change = f"{means[0] / means[1] - 1:+.0%}" if means[1] else "no error to reduce"
    if p is None:
        return f"{change}, no test"
    return f"{change}, p = {p_text(p)}{'' if p < SIGNIFICANT_P else ' (not significant)'}"


def _ablation(ablation: Mapping[str, Any]) -> Iterator[str]:
    yield (
        f"Error rates on test data with {ablation['tiles']} training tiles, by what the cracks are drawn on: filled "
        "from the dictionary as in the paper, an exemplar with random phases, white noise, or real crack-free tiles."
    )
    ways = ablation["ways"]
    rows = [
        [
            way.replace("_", " "),
            *(cell(ablation["test"]["arms"][f"{model}, {way}"][METRIC]) for model in MODELS_OF_POOLS),
        ]
        for way in ways
    ]
    yield markdown(["surface", *(MODELS[model] for model in MODELS_OF_POOLS)], rows)
    tests = ablation["test"]["paired"].values()
    kept = [test for test in tests if test["a"].startswith("mixed") and test["b"] == f"mixed, {ways[0]}"]
    yield "\n".join(f"- {finding(test)}" for test in kept)


def _textures(textures: Mapping[str, Any]) -> str:
    rows = [
        [
            name,
            f"{each['accuracy']:.2f}",
            f"[{each['lo']:.2f}, {each['hi']:.2f}]",
            f"{each['n_real']} + {each['n_synthetic']}",
            f"{each['real_taken_for_synthetic']:.0%}",
            f"{each['synthetic_taken_for_real']:.0%}",
        ]
        for name, each in textures.items()
    ]
    head = [
        "pool",
        "accuracy (0.5: alike)",
        "95 % Wilson",
        "real + synthetic",
        "real taken for synthetic",
        "synthetic taken for real",
    ]
    said = (
        "Classifier two-sample test of intact tiles: a logistic regression on spectra and moments learns from the "
        "training specimens and the pool, and is asked about the test specimens and further tiles of the pool."
    )
    return f"{said}\n\n{markdown(head, rows)}"

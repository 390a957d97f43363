"""The planted gap as tables, in Markdown, and as charts, SVG; not a number is computed here."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from experiments.gains import Verdict, gain_text
from experiments.planted_gap.plan import CONTROL, ORACLE
from experiments.planted_gap.verdict import BEATS_P, BLIND, ENDPOINTS, LEARNT, PRIMARY, Statement, beats, images_text
from micromime.reporting.charts.base import BLUE, FAINT_INK, chart, svg
from micromime.reporting.words import cell, made_lines, markdown, mean_cell, p_text

HEAD = f"""\
Synthetic pictures throughout: what is shown holds for these scenarios, this network and these sizes. Each run has a
base network, which all samplers go on from with as many new images and steps each. How far the mode is learnt differs
much between runs: beside the mean mode F1 stands in how many runs it is at least {LEARNT} at last."""

DRAWN = {
    "gap": "The mode, bright boundaries in place of dark ones, is rare in what is trained on, and common in the test.",
    "no_gap": "The same mode is as common in what is trained on as it is in the test.",
    "trap": "As gap; besides, a part of what is trained on is hopeless: noise, and next to no boundary in it.",
    "hidden": "As gap, but the mode is no parameter of its own: it is a corner of several wide distributions.",
}
"""What each experiment is about; scenarios.yaml has the numbers."""

CHARTED = PRIMARY | {"rest_f1": "rest F1", "training_iou": "IoU on the\ntraining distribution"}
"""A row of panels for each."""

ROW_IN = 1.7


def planted_gap_tables(said: Verdict, found: Sequence[Statement], made: Mapping[str, str]) -> str:
    """Return the statements with what came of them, each experiment's tables, and how all of it was made."""
    rows = [[each.experiment, each.text, f"**{each.outcome}**", each.found] for each in found]
    expected = markdown(["experiment", "expected", "outcome", "found"], rows).replace("---:", "---")
    blocks = ["# A planted gap", HEAD, "## What was expected, and what came of it", expected]
    for name, part in said.items():
        blocks += [f"## {name}, runs: {part['runs']}", DRAWN[name], *_experiment(name, part)]
    return "\n\n".join([*blocks, made_lines(made)]) + "\n"


def summary_of_gaps(said: Verdict, found: Sequence[Statement]) -> str:
    """Return what samplers gain on random in each experiment, a row a sampler, and what was not as expected."""
    samplers = dict.fromkeys(each for part in said.values() for each in part["samplers"] if each != CONTROL)
    head = ["sampler", *(f"{name}, n = {part['runs']}" for name, part in said.items())]
    rows = [[each, *(_gain(name, part, each) for name, part in said.items())] for each in samplers]
    images = " or ".join(dict.fromkeys(str(part["images"]) for part in said.values()))
    measured, needed = " / ".join(PRIMARY.values()), f"new images until it reaches what random has after {images}"
    how = f"Gain on random in {measured} (bold: both gain at p < {BEATS_P}, Holm; n pairs of runs), and {needed}."
    short = [each for each in found if each.outcome != "holds"]
    held = f"Of {len(found)} statements {len(found) - len(short)} hold"
    lines = (f"- {each.experiment}: {each.text}. **{each.outcome.capitalize()}**: {each.found}." for each in short)
    expected = "\n".join([f"{held}; these do not:\n", *lines]) if short else f"{held}."
    return "\n\n".join([markdown(head, rows), how, expected])


def _gain(experiment: str, part: Verdict, sampler: str) -> str:
    """Return a sampler's gain in short, or why it has none."""
    if sampler not in part["samplers"]:  # where nothing is missing, the oracle's scenario is that of random
        return "is random" if (experiment, sampler) == ("no_gap", ORACLE) else "not tried"
    tests = [part["minus_random"][endpoint].get(sampler) for endpoint in PRIMARY]
    if None in tests:
        return "none"
    gains = " / ".join(f"{test['mean_difference']:+.3f}" for test in tests)
    needed = [part["samplers"][sampler]["images_needed"][endpoint] for endpoint in PRIMARY]
    images = " / ".join(images_text(each).partition(" ")[0] for each in needed)
    return f"{f'**{gains}**' if all(beats(tests)) else gains} ({images})"


def _experiment(name: str, part: Verdict) -> Iterator[str]:
    samplers, runs, trap = part["samplers"], part["runs"], name == "trap"
    rounds = len(samplers[CONTROL]["rounds"])
    after = f"after 0 / {' / '.join(map(str, range(1, rounds)))}"
    head = ["sampler", *("mode asked", "hopeless asked")[: 1 + trap], f"mode F1 {after}", "learnt", "rest F1"]
    head += ["IoU of all", f"IoU on the training distribution {after}"]
    yield markdown(head, [_row(sampler, each, runs, trap) for sampler, each in samplers.items()])
    yield (
        f"Means over runs (n = {runs}); shares asked of rounds 1 to {rounds - 1}; rest F1 and IoU of all after "
        "the last round, ± sd over runs."
    )
    yield (
        f"Minus {CONTROL} after the last round: mean difference, its 95 % interval (Student's t, n = {runs} "
        "runs), p of the paired two-tailed t-test over runs after Holm over the samplers, and effect size."
    )
    yield _tests(part["minus_random"])
    if any(part["minus_stratified"].values()):
        yield (
            f"Minus {BLIND}, which is blind to the scores, in the same way: whether it is the scores that pay. No "
            "statement about it was written down beforehand."
        )
        yield _tests(part["minus_stratified"])
    yield (
        f"New images until a sampler reaches what {CONTROL} has after {part['images']}, with the 95 % interval of the "
        "bootstrap over runs; none where a score is missing, or where random itself did not gain."
    )
    needed = [[each, *map(images_text, samplers[each]["images_needed"].values())] for each in samplers]
    yield markdown(["sampler", *PRIMARY.values()], [row for row in needed if row[0] != CONTROL])
    yield f"![Scores against images, each sampler beside {CONTROL}]({name}.svg)"


def _row(sampler: str, each: Verdict, runs: int, trap: bool) -> list[str]:
    last = each["rounds"][-1]
    asked = [_by_round(each, name, ".2f", 1) for name in ("asked_of_mode", "asked_hopeless")[: 1 + trap]]
    said = [f"{each['learnt']} of {runs}", cell(last["rest_f1"]), cell(last["all_iou"])]
    return [sampler, *asked, _by_round(each, "mode_f1"), *said, _by_round(each, "training_iou", ".3f")]


def _by_round(each: Verdict, name: str, form: str = ".2f", first: int = 0) -> str:
    return " / ".join(mean_cell(part[name], form) for part in each["rounds"][first:])


def _tests(tests: Mapping[str, Verdict]) -> str:
    """Return the cells of each sampler that was tested against a control."""
    tested = dict.fromkeys(sampler for by_sampler in tests.values() for sampler in by_sampler)
    rows = [[sampler, *(_test(tests[endpoint].get(sampler)) for endpoint in ENDPOINTS)] for sampler in tested]
    return markdown(["sampler", *ENDPOINTS.values()], rows)


def _test(test: Verdict | None) -> str:
    if test is None:
        return "none"
    if test["p_holm"] is None:
        return f"{test['mean_difference']:+.3f}, no test"
    return f"{gain_text(test)}, p = {p_text(test['p_holm'])}, d_z = {test['effect_size']:+.2f}"


def gap_chart(name: str, part: Verdict) -> str:
    """Return an experiment's panels: below one another the scores, beside one another the samplers.

    In each, the sampler (blue, dots) stands beside random (grey, dashed): means over the runs against the new images
    used, with 95 % bands of the means (Student's; none for one run).
    """
    others = [each for each in part["samplers"] if each != CONTROL]
    images = [each["images"] for each in part["samplers"][CONTROL]["rounds"]]
    height_in, panels = ROW_IN * len(CHARTED), len(CHARTED) * len(others)
    with chart(height_in, panels, len(others), sharex=True, sharey="row") as (figure, every):
        for row, (endpoint, label) in zip(np.reshape(every, (len(CHARTED), -1)), CHARTED.items(), strict=True):
            for axes, sampler in zip(row, others, strict=True):
                _curve(axes, part["samplers"][CONTROL], endpoint, (FAINT_INK, "--"))
                _curve(axes, part["samplers"][sampler], endpoint, (BLUE, "o-"))
                axes.set_xticks(images, [str(n) if n in (images[0], images[-1]) else "" for n in images])
            row[0].set_ylabel(label)
        for axes, sampler in zip(every, others, strict=False):
            axes.set_title(sampler.replace("_", "\n"), fontsize=8)
        figure.supxlabel(f"new images (dashed: {CONTROL}; bands: 95 %, runs: {part['runs']})", fontsize=9)
        alt = f"{', '.join(PRIMARY.values())} and more against new images, for {', '.join(others)} beside random."
        return svg(figure, f"gap-{name}", f"{name}: {alt}")


def _curve(axes: Axes, sampler: Verdict, endpoint: str, look: tuple[str, str]) -> None:
    points = [(each["images"], each[endpoint]) for each in sampler["rounds"] if each[endpoint]]
    images, scores, (colour, line) = [images for images, _ in points], [score for _, score in points], look
    axes.plot(images, [each["mean"] for each in scores], line, color=colour, linewidth=1.4, markersize=3)
    if scores and scores[0]["lo"] is not None:
        low, high = (np.array([each[key] for each in scores]) for key in ("lo", "hi"))
        axes.fill_between(images, low, high, color=colour, alpha=0.25, linewidth=0)

"""The planted gap in Markdown; not a number is computed here."""

from collections.abc import Iterator, Mapping, Sequence

from experiments.planted_gap.statements import (
    BEATS_P,
    ORACLE,
    Statement,
    ends_text,
    images_text,
    significant,
)
from experiments.planted_gap.verdict import BLIND, CONTROL, ENDPOINTS, LEARNT, PRIMARY, Verdict
from micromime.reporting.words import made_lines, markdown, p_text

NOTHING = "No runs were asked for (`planted_gap.runs` is 0): nothing is shown, and nothing is claimed."

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
"""What each experiment is about; experiments/planted_gap/scenarios.py has the numbers."""


def planted_gap_tables(said: Verdict, found: Sequence[Statement], made: Mapping[str, str] | None = None) -> str:
    """Return the statements with what came of them, each experiment's tables, and how all of it was made."""
    if not said:
        return f"# A planted gap\n\n{NOTHING}\n"
    blocks = ["# A planted gap", HEAD, "## What was expected, and what came of it", statements_table(found)]
    for name, part in said.items():
        blocks += [f"## {name}, runs: {part['runs']}", DRAWN[name], *_experiment(name, part)]
    blocks += [made_lines(made)] if made else []
    return "\n\n".join(blocks) + "\n"


def statements_table(found: Sequence[Statement]) -> str:
    """Return a line for each statement; all of it is text, and to the left."""
    head = ["experiment", "expected", "outcome", "found"]
    table = markdown(head, [[each.experiment, each.text, f"**{each.outcome}**", each.found] for each in found])
    return table.replace("---:", "---")


def summary_of_gaps(said: Verdict, found: Sequence[Statement]) -> str:
    """Return what samplers gain on random in each experiment, a row a sampler, and what was not as expected."""
    columns = {name: _gains(part) for name, part in said.items()}
    samplers = dict.fromkeys(sampler for column in columns.values() for sampler in column)
    head = ["sampler", *(f"{name}, n = {part['runs']}" for name, part in said.items())]
    rows = [[each, *(column.get(each, _absent(name, each)) for name, column in columns.items())] for each in samplers]
    images = " or ".join(dict.fromkeys(str(part["images"]) for part in said.values()))
    measured, needed = " / ".join(PRIMARY.values()), f"new images until it reaches what random has after {images}"
    how = f"Gain on random in {measured} (bold: both gain at p < {BEATS_P}, Holm; n pairs of runs), and {needed}."
    return "\n\n".join([markdown(head, rows), how, _as_expected(found)])


def _absent(experiment: str, sampler: str) -> str:
    """Return why a sampler has no gain: where nothing is missing, the oracle's scenario is that of random."""
    return "is random" if (experiment, sampler) == ("no_gap", ORACLE) else "not tried"


def _gains(part: Verdict) -> dict[str, str]:
    """Return the cell of each sampler that was compared with random in an experiment."""
    return {each: _gain(part, each) for each in part["samplers"] if each != CONTROL}


def _gain(part: Verdict, sampler: str) -> str:
    tests = [part["minus_random"][endpoint].get(sampler) for endpoint in PRIMARY]
    if None in tests:
        return "none"
    gains = " / ".join(f"{test['mean_difference']:+.3f}" for test in tests)
    sure = all(significant(test, 1, BEATS_P) for test in tests)
    needed = [part["samplers"][sampler]["images_needed"][endpoint] for endpoint in PRIMARY]
    images = " / ".join(images_text(each).partition(" ")[0] for each in needed)
    return f"{f'**{gains}**' if sure else gains} ({images})"


def _as_expected(found: Sequence[Statement]) -> str:
    """Return how many statements hold, and each of those that do not with the numbers that decided."""
    short = [each for each in found if each.outcome != "holds"]
    said = f"Of {len(found)} statements {len(found) - len(short)} hold"
    lines = (f"- {each.experiment}: {each.text}. **{each.outcome.capitalize()}**: {each.found}." for each in short)
    return "\n".join([f"{said}; these do not:\n", *lines]) if short else f"{said}."


def _experiment(name: str, part: Verdict) -> Iterator[str]:
    rounds = len(next(iter(part["samplers"].values()))["rounds"])
    head = ["sampler", *("mode asked", "hopeless asked")[: 1 + (name == "trap")]]
    head += ["mode F1 after 0 / " + " / ".join(map(str, range(1, rounds))), "learnt", "rest F1", "IoU of all"]
    head += ["IoU on the training distribution after 0 / " + " / ".join(map(str, range(1, rounds)))]
    yield markdown(
        head, [_row(sampler, each, part["runs"], name == "trap") for sampler, each in part["samplers"].items()]
    )
    yield (
        f"Means over runs (n = {part['runs']}); shares asked of rounds 1 to {rounds - 1}; rest F1 and IoU of all after "
        "the last round, ± sd over runs."
    )
    yield (
        f"Minus {CONTROL} after the last round: mean difference, its 95 % interval (Student's t, n = {part['runs']} "
        "runs), p of the paired two-tailed t-test over runs after Holm over the samplers, and effect size."
    )
    yield markdown(["sampler", *ENDPOINTS.values()], list(_tests(part, "minus_random")))
    beside_blind = list(_tests(part, "minus_stratified"))
    if beside_blind:
        yield (
            f"Minus {BLIND}, which is blind to the scores, in the same way: whether it is the scores that pay. No "
            "statement about it was written down beforehand."
        )
        yield markdown(["sampler", *ENDPOINTS.values()], beside_blind)
    yield (
        f"New images until a sampler reaches what {CONTROL} has after {part['images']}, with the 95 % interval of the "
        "bootstrap over runs; none where a score is missing, or where random itself did not gain."
    )
    yield markdown(["sampler", *PRIMARY.values()], list(_needed(part)))
    yield f"![Scores against images, each sampler beside {CONTROL}](planted_gap/{name}.svg)"


def _row(sampler: str, each: Verdict, runs: int, trap: bool) -> list[str]:
    last = each["rounds"][-1]
    asked = [_by_round(each, name, ".2f", 1) for name in ("asked_of_mode", "asked_hopeless")[: 1 + trap]]
    ends = [_with_sd(last[name]) for name in ("rest_f1", "all_iou")]
    learnt = f"{each['learnt']} of {runs}"
    return [sampler, *asked, _by_round(each, "mode_f1"), learnt, *ends, _by_round(each, "training_iou", ".3f")]


def _by_round(each: Verdict, name: str, form: str = ".2f", first: int = 0) -> str:
    cells = [part[name] for part in each["rounds"][first:]]
    return " / ".join("none" if cell is None else f"{cell['mean']:{form}}" for cell in cells)


def _with_sd(cell: Verdict | None) -> str:
    if cell is None:
        return "none"
    return f"{cell['mean']:.3f}" + ("" if cell["sd"] is None else f" ± {cell['sd']:.3f}")


def _tests(part: Verdict, against: str) -> Iterator[list[str]]:
    """Yield the cells of each sampler that was tested against a control."""
    tested = {sampler for tests in part[against].values() for sampler in tests}
    for sampler in part["samplers"]:
        if sampler in tested:
            tests = [part[against][endpoint].get(sampler) for endpoint in ENDPOINTS]
            yield [sampler, *("none" if test is None else _test(test) for test in tests)]


def _test(test: Verdict) -> str:
    if test["p_holm"] is None:
        return f"{test['mean_difference']:+.3f}, no test"
    ends, p = ends_text(test, 3), p_text(test["p_holm"])
    return f"{test['mean_difference']:+.3f} {ends}, p = {p}, d_z = {test['effect_size']:+.2f}"


def _needed(part: Verdict) -> Iterator[list[str]]:
    for sampler, each in part["samplers"].items():
        if sampler != CONTROL:
            yield [sampler, *(images_text(each["images_needed"][endpoint]) for endpoint in PRIMARY)]

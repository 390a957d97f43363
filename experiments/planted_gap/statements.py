"""The statements that were written down before the runs of the planted gap, each with what came of it: computed."""

from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple

from experiments.planted_gap.verdict import CONTROL, PRIMARY, Verdict
from micromime.reporting.words import p_text

Outcome = Literal["holds", "not shown", "contradicted"]

CLAIMED = ("progress", "residual")
"""Samplers that are expected to find a gap."""

ORACLE = "oracle"

BEATS_P, GAINS_P = 0.001, 0.05
"""Below these p values, after Holm, a sampler beats random where it should, and gains where it should not."""

LARGEST_HARM = 0.005
"""IoU that a sampler with a stop rule may lose where there is no gap."""

LARGEST_SHARE = 0.5
"""Of random's images, within which a sampler is expected to reach what random has at last."""


class Statement(NamedTuple):
    """One expectation and what the runs say of it."""

    experiment: str
    text: str
    outcome: Outcome
    found: str
    """The numbers that decided."""


def statements(said: Verdict, stopping: Sequence[str]) -> list[Statement]:
    """Return every statement about experiments and samplers that were run; `stopping` names those with a stop rule."""
    found: list[Statement] = []
    for name, part in said.items():
        tried = [each for each in (ORACLE, *CLAIMED, *stopping) if each in part["samplers"]]
        if name == "no_gap":
            found += [_none_gains(part), *(_harm(part, each) for each in tried if each in stopping)]
        else:
            for sampler in tried:
                found += [_beats(name, part, sampler), _needs_half(name, part, sampler)]
    return found


def _beats(experiment: str, part: Verdict, sampler: str) -> Statement:
    tests = [part["minus_random"][endpoint].get(sampler) for endpoint in PRIMARY]
    text = f"{sampler} beats random in {' and '.join(PRIMARY.values())} (p < {BEATS_P} after Holm)"
    better, worse = ([significant(test, sign, BEATS_P) for test in tests] for sign in (1, -1))
    outcome: Outcome = "holds" if all(better) else "contradicted" if any(worse) else "not shown"
    return Statement(experiment, text, outcome, _numbers(tests))


def _needs_half(experiment: str, part: Verdict, sampler: str) -> Statement:
    """Whether it is reached within half of the images, and so in at least 97.5 % of the bootstrap's samples.

    Where random gained nothing there is nothing to reach: neither shown nor contradicted.
    """
    most = LARGEST_SHARE * part["images"]
    needed = [part["samplers"][sampler]["images_needed"][endpoint] for endpoint in PRIMARY]
    text = f"{sampler} needs at most half of random's {part['images']} images in {' and '.join(PRIMARY.values())}"
    asked = [each for each in needed if each]
    if len(asked) == len(needed) and all(each["hi"] is not None and each["hi"] <= most for each in asked):
        outcome: Outcome = "holds"
    else:
        outcome = "contradicted" if any(each["lo"] is None or each["lo"] > most for each in asked) else "not shown"
    words = (f"{label} {images_text(each)}" for label, each in zip(PRIMARY.values(), needed, strict=True))
    return Statement(experiment, text, outcome, ", ".join(words))


def _none_gains(part: Verdict) -> Statement:
    gains, tested = list(_gains(part)), list(_tested(part))
    outcome: Outcome = "contradicted" if gains else "holds" if tested and all(tested) else "not shown"
    text = f"no sampler gains on random in {' or '.join(PRIMARY.values())} (p < {GAINS_P} after Holm)"
    return Statement("no_gap", text, outcome, "; ".join(gains) or ("none does" if outcome == "holds" else "no test"))


def _tested(part: Verdict) -> Iterator[bool]:
    """Yield for each sampler and primary endpoint whether there was a test."""
    for sampler in part["samplers"]:
        for endpoint in PRIMARY if sampler != CONTROL else ():
            test = part["minus_random"][endpoint].get(sampler)
            yield test is not None and test["p_holm"] is not None


def _gains(part: Verdict) -> Iterator[str]:
    for endpoint, label in PRIMARY.items():
        for sampler, test in part["minus_random"][endpoint].items():
            if significant(test, 1, GAINS_P):
                yield f"{sampler} in {label}: {test['mean_difference']:+.4f}, {p_of(test)}"


def _harm(part: Verdict, sampler: str) -> Statement:
    """Whether the whole 95 % interval of what is lost lies below the bound: a test of non-inferiority."""
    test = part["minus_random"]["all_iou"][sampler]
    text = f"{sampler}, which has a stop rule, loses less than {LARGEST_HARM} in {PRIMARY['all_iou']} (95 % interval)"
    if test["lo"] is not None and test["lo"] > -LARGEST_HARM:
        outcome: Outcome = "holds"
    else:
        outcome = "contradicted" if test["hi"] is not None and test["hi"] < -LARGEST_HARM else "not shown"
    return Statement("no_gap", text, outcome, f"{test['mean_difference']:+.4f} {ends_text(test)}")


def significant(test: Verdict | None, sign: int, p: float) -> bool:
    """Whether a paired difference has this sign (1 or -1) at less than p, after correction."""
    return bool(test) and test["p_holm"] is not None and test["p_holm"] < p and sign * test["mean_difference"] > 0  # type: ignore[index]


def _numbers(tests: Sequence[Verdict | None]) -> str:
    words = zip(PRIMARY.values(), tests, strict=True)
    return ", ".join(f"{label} {test['mean_difference']:+.3f}, {p_of(test)}" for label, test in words if test)


def p_of(test: Verdict) -> str:
    """Return the corrected p value as a sentence has it."""
    return "no test" if test["p_holm"] is None else f"p = {p_text(test['p_holm'])}"


def ends_text(test: Any, digits: int = 4) -> str:
    """Return both ends of an interval, or that there is none."""
    return "(1 run)" if test["lo"] is None else f"[{test['lo']:+.{digits}f}, {test['hi']:+.{digits}f}]"


def images_text(needed: Verdict) -> str:
    """Return how many images, and the interval; `never` where no round has reached it, `none` if nothing was asked."""
    if not needed:
        return "none"
    ends = ["never" if needed[key] is None else f"{needed[key]:.0f}" for key in ("needed", "lo", "hi")]
    return f"{ends[0]} [{ends[1]}, {ends[2]}]"

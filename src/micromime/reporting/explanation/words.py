"""What an explanation says in sentences, each no more than its numbers do; the command and the page share them."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from micromime.judging.statistics import Interval
from micromime.reporting.explanation.rounds import LIKE, REST, VARIED, Asked, Change, Outcome
from micromime.reporting.explanation.scores import STYLE, Explanation
from micromime.reporting.failures import SCORE, worst
from micromime.reporting.words import SIGNIFICANT_P, capital, p_text

NAMED = 3
"""Parameters that a sentence names at most."""


def about_scores(scoring: pd.DataFrame, score: str, whose: str) -> str:
    """Return what the scores are (`score`: `mean IoU`, say), whose, of how many samples, and how they spread."""
    scores = scoring[SCORE]
    spread = f" ± {scores.std():.3f} (sd between samples)" if len(scores) > 1 else ""
    reach = f", from {scores.min():.3f} to {scores.max():.3f}"
    n = len(scores)
    return f"{capital(score)}, {whose}, of the n = {n} samples of the scoring set: {scores.mean():.3f}{spread}{reach}."


def about_parameters(told: Explanation, scoring: pd.DataFrame) -> Iterator[str]:
    """Yield what the parameters say about the scores."""
    if told.table.empty:
        yield "No parameter varies between the samples: there is nothing to explain their scores by."
        return
    if scoring[SCORE].nunique() < 2:
        yield f"All {len(scoring)} scores are the same: there is nothing to explain."
        return
    if told.styled:
        yield _about_styles(told.table, scoring)
    yield from _about_forest(told)
    yield _about_ranks(told.table, len(scoring))
    numbers = told.table[told.table["worst_percentile"].notna()]
    if len(numbers):
        far = numbers.iloc[int((numbers["worst_percentile"] - 50).abs().to_numpy().argmax())]
        yield (
            f"The worst tenth (n = {int(worst(scoring).sum())}) are farthest from the middle in {far['parameter']}: "
            f"their mean percentile among all samples is {far['worst_percentile']:.0f}, where 50 is no difference; the "
            f"largest of {len(numbers)} such differences, not tested."
        )


def _about_styles(table: pd.DataFrame, scoring: pd.DataFrame) -> str:
    row = table[table["parameter"] == STYLE].iloc[0]
    return (
        f"{100 * row['rank_correlation'] ** 2:.0f} % of the variance of the scores' ranks lies between the "
        f"{scoring[STYLE].nunique()} styles ({p_words(row['p_holm'])} after Holm's correction, n = {len(scoring)}). "
        "What is said of parameters is among samples of the same style."
    )


def about_together(told: Explanation, most: int = NAMED) -> str:
    """Return which parameters vary together, the strongest pairs first and no more than `most`."""
    pairs, left = [f"{a} with {b} ({r:+.2f})" for a, b, r in told.together[:most]], len(told.together) - most
    more = f" and {left} more pairs" if left > 0 else ""
    return (
        f"These parameters vary together (rank correlation of 0.7 or more either way): {', '.join(pairs)}{more}. "
        "What is said of one may be due to the other, and they share their importance."
    )


def _about_forest(told: Explanation) -> Iterator[str]:
    forest = told.forest
    if forest is None:
        yield "Fewer than 20 samples are too few for a forest: no importance is to be read."
        return
    how = f"R² = {forest.r2:.2f}, n = {forest.n}, five-fold"
    if not told.explains:
        yield (
            "A random forest that is given the parameters does no better than the mean on samples that it has not seen "
            f"({how}): it explains nothing, and no importance is to be read."
        )
        return
    yield (
        f"A random forest that is given the parameters explains {100 * forest.r2:.0f} % of the variance of the scores "
        f"of samples that it has not seen ({how})."
    )
    ordered = [(name, forest.importance[name]) for name in told.table["parameter"] if forest.always_counts(name)]
    if not ordered:
        yield "No parameter is important in every fifth of the samples."
        return
    named = [(name, cost) for name, cost in ordered[:NAMED] if cost >= ordered[0][1] / 4]
    costs, others = [f"{cost:.2f} for {name}" for name, cost in named], [cost for _, cost in ordered[len(named) :]]
    more = f", and by no more than {max(others):.2f} for {len(others)} more" if others else ""
    rest = len(forest.importance) - len(ordered)
    other = "one other" if rest == 1 else f"{rest} others"
    unsure = f"; for {other} it does not fall in every fifth of the samples" if rest else ""
    among = "samples of the same style (the style itself: among all)" if told.styled else "these samples"
    yield f"When one parameter is shuffled among {among}, that R² falls by {', '.join(costs)}{more}{unsure}."


def _about_ranks(table: pd.DataFrame, n: int) -> str:
    strong = table[table["p_holm"] < SIGNIFICANT_P]
    tested = f"p < {SIGNIFICANT_P} after Holm's correction for {len(table)} parameters, n = {n}"
    if strong.empty:
        return f"No parameter's rank correlation with the score is significant ({tested})."
    named = [f"{row['parameter']} {correlation(row)}" for row in strong.to_dict("records")]
    return f"Rank correlations with the score that are significant ({tested}): {', '.join(named)}."


def about_round(asked: Asked, score: str) -> Iterator[str]:
    """Yield what a sampler asked for, and how the scores changed on samples like those."""
    varied, fresh, count = asked.varied, asked.n_fresh, len(asked.round_.samples)
    parts = [f"{count - fresh} variations of {len(varied)} scored samples ({_times(varied)})"] if len(varied) else []
    parts += [f"{fresh} that {'vary' if fresh > 1 else 'varies'} no scored sample"] if fresh else []
    yield f"Round {asked.round_.name} asked for {count} samples: {' and '.join(parts)}."
    table = asked.shifts
    if len(table):
        yield _about_shifts(asked)
    if asked.outcome:
        yield about_change(asked.outcome, score)


def _about_shifts(asked: Asked) -> str:
    first, table = asked.shifts.iloc[0], asked.shifts
    asked_for, scored = (f"{first[name]:.3g}" for name in ("asked_median", "median"))
    median = "" if asked_for == scored else f": median {asked_for} instead of {scored}"
    strong = int((table["p_holm"] < SIGNIFICANT_P).sum())
    return (
        f"They differ most from the scoring set in {first['parameter']}{median} (largest difference of shares "
        f"{first['distance']:.2f}, {p_words(first['p_holm'])} after Holm's correction for {len(table)} parameters);"
        f" the difference is significant (p < {SIGNIFICANT_P}) in {strong} of {len(table)}."
    )


def about_change(found: Outcome, score: str) -> str:
    """Return how the scores changed on samples like those asked for, and on the rest."""
    if LIKE not in found.groups or REST not in found.groups:
        return "The scoring set has too few samples to tell those like the asked ones from the rest."
    titles = {LIKE: "samples like those asked for", REST: "the rest", VARIED: "those varied"}
    said = [_changed(found.groups[kind], title) for kind, title in titles.items() if kind in found.groups]
    how = f"Welch's two-tailed t-test, {p_words(found.p)}" if found.p == found.p else "no test"
    unsure = "not significant, " if found.p >= SIGNIFICANT_P else ""
    return (
        f"{capital(score)} changed by {', '.join(said)}; between the first two the difference is "
        f"{found.difference:+.3f} ({unsure}{how})."
    )


def _changed(group: Change, title: str) -> str:
    return f"{group.after - group.before:+.3f} on {title} (n = {group.n})"


def p_value(p: float) -> str:
    """Return a p value as a table has it."""
    return "none" if math.isnan(p) else "< 0.0001" if p < 1e-4 else p_text(p)


def p_words(p: float) -> str:
    """Return a p value as a sentence has it: `p = 0.012`, `p < 0.0001`."""
    written = p_value(p)
    return f"p {written}" if written.startswith("<") else f"p = {written}"


def correlation(row: Mapping[Any, Any]) -> str:
    """Return the rank correlation in a row of an explanation's table, that of numbers with its sign."""
    r, words = float(row["rank_correlation"]), math.isnan(row["worst_percentile"])
    return "none" if math.isnan(r) else f"{r:.2f}" if words else f"{r:+.2f}"


def interval(given: Interval | None) -> str:
    """Return both ends of an interval of a change."""
    return "none" if given is None else f"[{given['lo']:+.3f}, {given['hi']:+.3f}]"


def written(settings: Any) -> str:
    """Return settings as params.yaml could have them in one line."""
    if isinstance(settings, dict):
        return "{" + ", ".join(f"{key}: {written(value)}" for key, value in settings.items()) + "}"
    if isinstance(settings, Sequence) and not isinstance(settings, str):
        return "[" + ", ".join(map(written, settings)) + "]"
    return str(settings).lower() if isinstance(settings, bool) else str(settings)


def _times(varied: pd.DataFrame) -> str:
    least, most = int(varied["times"].min()), int(varied["times"].max())
    return f"{least} of each" if least == most else f"{least} to {most} of each"

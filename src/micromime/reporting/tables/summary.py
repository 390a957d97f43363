"""The first page of a verdict, for people: three sentences, one table, links. The words: {summary,opening}.md.j2."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from micromime.judging.main_scores import OF_CLASSES, Main, main_of
from micromime.judging.metrics import LOWER_IS_BETTER
from micromime.judging.statistics import Interval, difference_interval
from micromime.judging.verdict import Verdict
from micromime.reporting.tables.tiles import MODELS
from micromime.reporting.tables.verdict import scores_of
from micromime.reporting.words import SIGNIFICANT_P, in_markdown, markdown, p_text, rendered, title

MOST_ROWS = 10
"""Of the table."""

FEW_RUNS = 5
"""Fewer runs than this show that the cycle works, not which model is better."""

LONGER = "real model trained as long as mixed (control)"
"""As this page writes it."""


class Column(NamedTuple):
    """One score in the table."""

    head: str
    part: Verdict
    metric: str


def summary(said: Verdict) -> str:
    """Return the page in Markdown, at most 60 lines: a title, `opening`, and links to all else."""
    return rendered("summary.md.j2", said=said, tested_on=_tested_on(said), opening=opening(said).strip())


def opening(said: Verdict) -> str:
    """Return three sentences (which model is best, what beats what, on how much evidence), and the table."""
    main = main_of(said)
    arms, shown = main.part["arms"], _shown(main)
    best = _best({arm: scores[main.scores[0]]["mean"] for arm, scores in arms.items()}, main.scores[0])
    runs = sorted(scores["n_runs"] for scores in arms.values())
    return rendered(
        "opening.md.j2",
        said=said,
        of_tiles="subsets" in said,
        tested_on=_tested_on(said),
        main=main,
        best=best,
        **_beside_rule(main, best),
        against_control=main.part["paired"].get(f"mixed_vs_longer_{main.scores[0]}"),
        with_most=_with_most_tiles(said, main),
        runs=f"{' to '.join(dict.fromkeys(map(str, (runs[0], runs[-1]))))} run{'s' if runs[-1] > 1 else ''}",
        few=runs[0] < FEW_RUNS,
        hidden=len(arms) - len(shown),
        table=_table(said, main, shown),
        named=lambda arm: _named(said, arm),
        number=number,
        finding=finding,
        significant_p=SIGNIFICANT_P,
    )


def number(value: float, metric: str, sign: str = "") -> str:
    """Return a score or a difference as the page has it: of an error rate, how many of 100."""
    return f"{100 * value:{sign}.1f}" if metric in OF_CLASSES else f"{value:{sign}.3f}"


def finding(test: Mapping[str, Any]) -> str:
    """Return what a paired test has found, in words, with the difference, its interval within -1 to 1, and p."""
    metric, p_value = test["metric"], test.get("p_holm") or test["p_value"]
    gain = number(test["mean_difference"], metric, "+")
    gain = f"{gain} of 100 tiles wrong" if metric in OF_CLASSES else f"{title(metric)} {gain}"
    if p_value is None:
        why = "1 pair" if test["n_pairs"] == 1 else f"all {test['n_pairs']} pairs differ by the same"
        return f"**no test is possible** ({gain}; {why})"
    gain += _ends(difference_interval(test), metric, "+")
    better = (test["mean_difference"] < 0) == (metric in LOWER_IS_BETTER)
    words = "no difference can be shown" if p_value >= SIGNIFICANT_P else "better" if better else "worse"
    return f"**{words}** ({gain}, p {'< 0.001' if p_value < 0.001 else f'= {p_text(p_value)}'})"


def _beside_rule(main: Main, arm: str) -> dict[str, Any]:
    """Return the best simple rule, its test, an arm's score by source from low to high, and how often it is ahead."""
    part, metric = main.part, main.scores[0]
    rule = _best({name: scores[metric] for name, scores in part["baselines"].items()}, metric)
    own = {name: each["arms"][arm][metric]["mean"] for name, each in part["by_source"].items()}
    gains = [own[name] - each["baselines"][rule][metric] for name, each in part["by_source"].items()]
    return {
        "rule": rule,
        "against_rule": part["paired"].get(f"{arm}_vs_{rule}_{metric}"),
        "by_source": sorted(own.items(), key=lambda each: each[1]),
        "ahead": sum(gain < 0 if metric in LOWER_IS_BETTER else gain > 0 for gain in gains),
        "behind": sum(gain > 0 if metric in LOWER_IS_BETTER else gain < 0 for gain in gains),
    }


def _with_most_tiles(said: Verdict, main: Main) -> dict[str, Any] | None:
    """Return the part of a verdict on tiles with the most training tiles, where there is more than one."""
    most: dict[str, Any] | None = max(said.get("subsets", {}).values(), key=lambda each: each["tiles"], default=None)
    return None if most is None or most["test"] is main.part else most


def _best(scores: Mapping[str, float], metric: str) -> str:
    return (min if metric in LOWER_IS_BETTER else max)(scores, key=scores.__getitem__)


def _tested_on(said: Verdict) -> str:
    test_set, things = said["test_set"], "tiles" if "subsets" in said else "pictures"
    if test_set["kind"] == "real":
        return f"{test_set['n']} real {things}"
    reason = f" ({in_markdown(test_set['reason'])})" if test_set["reason"] else ""
    return f"{test_set['n']} surrogate {things}, not real{reason}"


def _named(said: Verdict, arm: str) -> str:
    return (MODELS | {"longer": LONGER})[arm] if "subsets" in said else f"`{arm}`"


def _shown(main: Main) -> list[str]:
    """Return the arms that the table has room for, in the verdict's order; none of the main comparison is left out."""
    chosen = [*dict.fromkeys([*main.arms, *main.part["arms"]])][: MOST_ROWS - len(main.part["baselines"])]
    return [arm for arm in main.part["arms"] if arm in chosen]


def _columns(said: Verdict, main: Main) -> list[Column]:
    """Return the main scores; on tiles the error with the fewest and with the most training tiles."""
    if "subsets" not in said:
        return [Column(title(metric), main.part, metric) for metric in main.scores]
    by_tiles = sorted(said["subsets"].values(), key=lambda each: int(each["tiles"]))
    parts = {each["tiles"]: each["test"] for each in (by_tiles[0], by_tiles[-1])}
    heads = {tiles: f"wrong of 100, with {tiles} real training tiles" for tiles in parts}
    return [Column(heads[tiles], part, main.scores[0]) for tiles, part in parts.items()]


def _table(said: Verdict, main: Main, arms: Sequence[str]) -> str:
    """Return a row for each arm and baseline: the first score, its interval over sources, the other scores."""
    (first, *columns), rules = _columns(said, main), list(main.part["baselines"])
    names = [_named(said, arm) for arm in arms] + [f"simple rule: {rule.replace('_', ' ')}" for rule in rules]
    over_sources = [_ends(first.part["arms"][arm][first.metric]["ci99_sources"], first.metric).strip() for arm in arms]
    cells = [_cells(column, [*arms, *rules]) for column in (first, *columns)]
    rows = zip(names, cells[0], over_sources + [""] * len(rules), *cells[1:], strict=True)
    other = "on other specimens" if "subsets" in said else "on other sources"
    return markdown(["model", first.head, other, *(column.head for column in columns)], [*map(list, rows)])


def _cells(column: Column, names: Sequence[str]) -> list[str]:
    """Return each one's score, an arm's with its interval over runs; the best, and what prints alike, is bold."""
    every, metric = scores_of(column.part), column.metric
    arms = {name: score[metric] for name, score in column.part["arms"].items()}
    printed = {name: number(arms[name]["mean"] if name in arms else every[name][metric], metric) for name in names}
    best = float(printed[_best({name: float(text) for name, text in printed.items()}, metric)])
    bold = {name: f"**{text}**" if float(text) == best else text for name, text in printed.items()}
    return [bold[name] + (_ends(arms[name]["ci99"], metric) if name in arms else "") for name in names]


def _ends(interval: Interval | None, metric: str, sign: str = "") -> str:
    """Return both ends of an interval after a space, nothing where there is none."""
    ends = [interval["lo"], interval["hi"]] if interval else []
    return f" [{', '.join(number(end, metric, sign) for end in ends)}]" if ends else ""

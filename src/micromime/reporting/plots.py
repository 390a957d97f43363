"""The tables that `dvc plots show` draws; what of them goes on which axis stands in dvc.yaml."""

import pandas as pd

from micromime.judging.main_scores import main_of
from micromime.judging.verdict import Verdict
from micromime.reporting.failures import SCORE, in_common
from micromime.reporting.words import title

BY_SOURCE, BY_TILES, BY_PARAMETER = "by_source.csv", "by_tiles.csv", "by_parameter.csv"

JOINER = "\N{WORD JOINER}"
"""Has no width. DVC puts the tables into a script of its page as they are, which `</script` would end."""


def by_source(said: Verdict) -> pd.DataFrame:
    """Return a row for every source and each of the main arms and the baseline: source (n), arm, the first main score.

    An arm's is the mean over its runs. Columns are named as the axes are.
    """
    main = main_of(said)
    score, rows = main.scores[0], []
    for source, part in main.part["by_source"].items():
        given = {main.baseline: part["baselines"][main.baseline][score]}
        given |= {arm: part["arms"][arm][score]["mean"] for arm in main.arms}
        shown = source.replace("</", f"<{JOINER}/")
        rows += [{"source": f"{shown} ({part['n']})", "arm": arm, title(score): value} for arm, value in given.items()]
    return pd.DataFrame(rows)


def by_tiles(said: Verdict) -> pd.DataFrame:
    """Return a row for every subset of real tiles and model: its error rate on test tiles, mean over runs."""
    rows = [
        {"real training tiles": part["tiles"], "arm": arm, "error rate": scores["error_rate"]["mean"]}
        for part in said["subsets"].values()
        for arm, scores in part["test"]["arms"].items()
    ]
    return pd.DataFrame(rows).sort_values("real training tiles", kind="stable")


def by_parameter(scoring: pd.DataFrame) -> pd.DataFrame:
    """Return a row for every sample: its score, and its value of the parameter that scores go with most (Spearman).

    The column `parameter` names it, with the rank correlation and the number of samples. Empty where all samples have
    the same parameters or the same score.
    """
    found = in_common(scoring).set_index("parameter")["rank_correlation"].dropna()
    if found.empty:
        return pd.DataFrame(columns=["parameter", "value", SCORE])
    name = str(found.abs().idxmax())
    named = f"{name} (rank correlation {found[name]:+.2f}, n = {len(scoring)})"
    return pd.DataFrame({"parameter": named, "value": scoring[name], SCORE: scoring[SCORE]})

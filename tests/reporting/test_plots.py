"""The tables that `dvc plots show` draws."""

import json

import pandas as pd
import pytest

from micromime.reporting.plots import by_parameter, by_source, by_tiles


def test_scores_by_source_are_those_of_the_main_arms_and_the_baseline():
    def part(n, base, other, rule):
        arms = {name: {"mean_iou": {"mean": mean}} for name, mean in {"base": base, "x": 0.1, "last": other}.items()}
        return {"n": n, "arms": arms, "baselines": {"local_threshold": {"mean_iou": rule}}}

    sources = {"steel": part(2, 0.5, 0.6, 0.4), "iron": part(1, 0.7, 0.8, 0.9)}
    said = {"arms": {"base": {}, "x": {}, "last": {}}, "main_comparison": ["last", "base"], "paired": {}}
    table = by_source(said | {"by_source": sources})
    assert list(table.columns) == ["source", "arm", "mean IoU"]
    assert table.to_numpy().tolist() == [
        ["steel (2)", "local_threshold", 0.4],
        ["steel (2)", "base", 0.5],
        ["steel (2)", "last", 0.6],
        ["iron (1)", "local_threshold", 0.9],
        ["iron (1)", "base", 0.7],
        ["iron (1)", "last", 0.8],
    ]


def test_error_rates_stand_by_the_number_of_tiles_the_fewest_first(tile_verdict):
    table = by_tiles(tile_verdict(runs=1))
    assert list(table.columns) == ["real training tiles", "arm", "error rate"]
    errors = [["synthetic", 0.3], ["real", 0.2], ["longer", 0.2], ["mixed", 0.1]]
    assert table.to_numpy().tolist() == [[tiles, *each] for tiles in (16, 64) for each in errors]


def test_samples_stand_by_the_parameter_that_their_score_goes_with_most():
    scoring = pd.DataFrame(
        {"score": [0.9, 0.7, 0.8, 0.5], "a.width_px": [1, 3, 2, 4], "a.depth": [1.0, 2, 3, 1], "a.same": 7}
    )
    table = by_parameter(scoring)
    assert table["parameter"].unique().tolist() == ["a.width_px (rank correlation -1.00, n = 4)"]
    assert table[["value", "score"]].to_numpy().tolist() == [[1, 0.9], [3, 0.7], [2, 0.8], [4, 0.5]]


@pytest.mark.parametrize("constant", ["score", "a.width_px"])
def test_where_nothing_differs_the_table_has_its_columns_alone(constant):
    scoring = pd.DataFrame({"score": [0.9, 0.7, 0.8], "a.width_px": [1, 3, 2]}).assign(**{constant: 1})
    table = by_parameter(scoring)
    assert (list(table.columns), len(table)) == (["parameter", "value", "score"], 0)


@pytest.mark.parametrize("profile", ["demo", "evidence"])
def test_the_table_of_a_verdict_has_a_row_for_each_source_and_what_is_compared(project, profile):
    said = json.loads((project / "metrics" / profile / "grain_boundaries" / "verdict.json").read_text())
    assert len(by_source(said)) == 4 * len(said["by_source"])

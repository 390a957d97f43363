"""What is said of classifiers: errors on test specimens, and what a line filter and a two-sample test say."""

import pandas as pd
import pytest

from micromime.datasets.store import Dataset
from micromime.judging.tiles import Compared, judged, line_filter_rows, texture_test
from micromime.stages.tile import write_tiles

RIGHT = {"synthetic": 0.5, "real": 0.75, "longer": 0.75, "mixed": 1.0}
"""Share of the tiles that the made-up networks of a model get right."""

TESTED_ON = {"kind": "surrogate", "name": "chip_cracks", "reason": "why"}


@pytest.fixture(scope="module")
def tiles(tmp_path_factory, gravel_tiles):
    folder = tmp_path_factory.mktemp("tiles")
    every = gravel_tiles(16)
    for name, part in (("test", every[:4]), ("every", every), ("all", every[4:]), ("8", every[8:])):
        write_tiles(part, folder / name, {"use_case": "chip_cracks", "classes": ["intact", "crack"]})
    return folder


@pytest.fixture(scope="module")
def answers(gravel_tiles):
    """Made-up answers of two runs for every model and subset; wrong tiles come first."""
    rows = [
        {"arm": f"{model}_{pool}", "run": run, "picture": t.name, "source": t.specimen}
        | {"error_rate": float(n % 4 < round((1 - right) * 4))}
        for model, right in RIGHT.items()
        for pool in ("all", "8", "8_cut")
        for run in (1, 2)
        for n, t in enumerate(gravel_tiles(16))
    ]
    return pd.DataFrame(rows)


MODELS = [Compared(subset, {f"{model}_{subset}": model for model in RIGHT}) for subset in ("all", "8")]


def test_models_are_compared_on_test_tiles_and_on_all(tiles, answers):
    said = judged(TESTED_ON, answers, tiles, MODELS, None)
    assert said["test_set"] == TESTED_ON | {"n": 4}
    assert said["ablation"] is None
    part = said["subsets"]["8"]
    assert (part["tiles"], part["test"]["test_set"]["n"], part["every"]["test_set"]["n"]) == (8, 4, 16)
    errors = {name: arm["error_rate"]["mean"] for name, arm in part["test"]["arms"].items()}
    assert errors == {"synthetic": 0.5, "real": 0.25, "longer": 0.25, "mixed": 0.0}
    assert part["test"]["paired"]["mixed_vs_real_error_rate"]["mean_difference"] == -0.25
    assert part["test"]["paired"]["mixed_vs_longer_error_rate"]["n_pairs"] == 2
    assert part["test"]["paired"]["mixed_vs_line_filter_error_rate"]["paired_by"] == "picture"


def test_the_ablation_has_every_texture_of_its_subset(tiles, answers):
    names = {"mixed_8": "mixed, filled", "mixed_8_cut": "mixed, cut"}
    said = judged(TESTED_ON, answers, tiles, MODELS, (Compared("8", names), ["filled", "cut"]))["ablation"]
    assert (said["tiles"], said["ways"]) == (8, ["filled", "cut"])
    assert list(said["test"]["arms"]) == ["mixed, filled", "mixed, cut"]


def test_a_line_filter_knows_made_up_lines_from_gravel(tiles):
    rows = line_filter_rows(tiles, "8")
    assert (len(rows), rows["error_rate"].mean(), set(rows["baseline"])) == (16, 0, {"line_filter"})


def test_a_pool_is_told_by_its_intact_tiles_half_of_them_to_learn_from(tiles):
    found = texture_test(*(Dataset(tiles / name) for name in ("every", "8", "test")))
    assert (found["n_real"], found["n_synthetic"]) == (2, 4)
    assert 0 <= found["lo"] <= found["accuracy"] <= found["hi"] <= 1

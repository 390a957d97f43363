"""What is said of classifiers: errors on test specimens, and what a line filter and a two-sample test say."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from micromime.arms.comparisons import pools
from micromime.judging.tiles import line_filter_rows, texture_test
from micromime.pictures.test_set import NO_REAL_SET, SOURCE_NAME, Source
from micromime.scenario.parameters import read_tree
from micromime.stages.judge_tiles import judged
from micromime.stages.tile import write_tiles

RIGHT = {"synthetic": 0.5, "real": 0.75, "longer": 0.75, "mixed": 1.0}
"""Share of the tiles that the made-up networks of a model get right."""


@pytest.fixture
def project(tmp_path, monkeypatch, gravel_tiles):
    monkeypatch.chdir(tmp_path)
    described = {"use_case": "chip_cracks", "classes": ["intact", "crack"]}
    every = gravel_tiles(16)
    for name, tiles in (("test", every[:4]), ("every", every), ("all", every[4:]), ("8", every[8:])):
        write_tiles(tiles, Path("data/tiles", name), described)
    for pool in ("all", "8", "8_cut"):
        write_tiles(gravel_tiles(24), Path("data/synthetic", pool), described)
    Source(kind="surrogate", reason=NO_REAL_SET, files={}).write(Path("data/tiles", SOURCE_NAME))
    asked = {"tiles": {"test_tiles": 4, "seed": 0, "subsets": ["all", 8]}, "ablation": {"subset": 8, "ways": ["cut"]}}
    Path("params.yaml").write_text(json.dumps({"chip_cracks": asked}))
    return read_tree(Path("params.yaml"))


def given(every):
    """Made-up answers of two runs for every arm; wrong tiles come first."""
    rows = []
    for model, right in RIGHT.items():
        for pool in ("all", "8") + (("8_cut",) if model in ("synthetic", "mixed") else ()):
            wrong = round((1 - right) * 4)
            for run in (1, 2):
                rows += [
                    {
                        "arm": f"{model}_{pool}",
                        "run": run,
                        "picture": t.name,
                        "source": t.specimen,
                        "error_rate": float(n % 4 < wrong),
                        "probability": 0.5,
                    }
                    for n, t in enumerate(every)
                ]
    return pd.DataFrame(rows)


def test_models_are_compared_on_test_tiles_and_on_all(project, gravel_tiles):
    said = judged(project, "chip_cracks", given(gravel_tiles(16)), Path("data/tiles"))
    assert (said["test_set"]["kind"], said["test_set"]["n"]) == ("surrogate", 4)
    part = said["subsets"]["8"]
    assert part["tiles"] == 8
    assert part["test"]["test_set"]["n"] == 4
    assert part["every"]["test_set"]["n"] == 16
    errors = {name: arm["error_rate"]["mean"] for name, arm in part["test"]["arms"].items()}
    assert errors == {"synthetic": 0.5, "real": 0.25, "longer": 0.25, "mixed": 0.0}
    assert part["test"]["paired"]["mixed_vs_real_error_rate"]["mean_difference"] == -0.25
    assert part["test"]["paired"]["mixed_vs_longer_error_rate"]["n_pairs"] == 2


def test_the_ablation_has_every_texture_of_its_subset(project, gravel_tiles):
    said = judged(project, "chip_cracks", given(gravel_tiles(16)), Path("data/tiles"))["ablation"]
    assert (said["tiles"], said["ways"]) == (8, ["filled", "cut"])
    assert list(said["test"]["arms"]) == ["synthetic, filled", "synthetic, cut", "mixed, filled", "mixed, cut"]


def test_without_other_textures_there_is_no_ablation(project, gravel_tiles):
    project["chip_cracks"]["ablation"]["ways"] = []
    assert judged(project, "chip_cracks", given(gravel_tiles(16)), Path("data/tiles"))["ablation"] is None


@pytest.mark.usefixtures("project")
def test_a_line_filter_knows_made_up_lines_from_gravel():
    rows = line_filter_rows(Path("data/tiles"), "8")
    assert len(rows) == 16
    assert rows["error_rate"].mean() == 0
    assert set(rows["baseline"]) == {"line_filter"}


def test_a_pool_of_real_looking_tiles_is_not_told_from_real_ones(project):
    found = texture_test(pools(project, "chip_cracks")[0], Path("data/tiles"), Path("data/synthetic"))
    assert (found["n_real"], found["n_synthetic"]) == (2, 6)
    assert 0 <= found["accuracy"] <= 1
    assert np.isfinite(found["lo"])

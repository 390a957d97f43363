"""Judging tiles: which arms params.yaml asks for, and how the verdict names them."""

import json
from pathlib import Path

import pandas as pd
import pytest

from micromime.arms.comparisons import arms_of_models
from micromime.pictures.test_set import NO_REAL_SET, ORIGIN_FILE, Origin
from micromime.project import places
from micromime.scenario.parameters import read_tree
from micromime.stages.judge import judged
from micromime.stages.tile import write_tiles

TILES = places.tiles("chip_cracks")
MODELS = ["synthetic", "real", "longer", "mixed"]


@pytest.fixture
def tree(tmp_path, monkeypatch, gravel_tiles):
    monkeypatch.chdir(tmp_path)
    every = gravel_tiles(16)
    about = {"use_case": "chip_cracks", "classes": ["intact", "crack"], "changes": {"p": ["it was turned"]}}
    for name, tiles in (("test", every[:4]), ("every", every), ("all", every[4:]), ("8", every[8:])):
        write_tiles(tiles, TILES / name, about)
    Origin(kind="surrogate", reason=NO_REAL_SET, files={}).write(TILES / ORIGIN_FILE)
    asked = {"tiles": {"test_tiles": 4, "seed": 0, "subsets": ["all", 8]}, "ablation": {"subset": 8, "ways": ["cut"]}}
    Path("params.yaml").write_text(json.dumps({"chip_cracks": asked}))
    return read_tree(Path("params.yaml"))


def test_every_model_has_an_arm_a_subset_and_those_that_see_synthetic_tiles_one_a_texture(tree, gravel_tiles):
    arms = [arm.name for arm in arms_of_models(Path("models"), tree, "chip_cracks")]
    textured = ("synthetic", "mixed")
    expected = {f"{model}_{pool}" for model in MODELS for pool in ("all", "8")} | {f"{m}_8_cut" for m in textured}
    assert len(arms) == len(expected) == len({*arms} & expected)
    answers = [
        {"arm": arm, "run": run, "picture": tile.name, "source": tile.specimen, "error_rate": 0.0}
        for arm in arms
        for run in (1, 2)
        for tile in gravel_tiles(16)
    ]
    said = judged(tree, "chip_cracks", pd.DataFrame(answers))
    assert (said["test_set"]["kind"], said["test_set"]["reason"]) == ("surrogate", NO_REAL_SET)
    assert said["test_set"]["changes"] == {"p": ["it was turned"]}
    assert [list(part["test"]["arms"]) for part in said["subsets"].values()] == [MODELS] * 2
    assert said["ablation"]["ways"] == ["filled", "cut"]
    named = [f"{model}, {way}" for model in textured for way in ("filled", "cut")]
    assert list(said["ablation"]["test"]["arms"]) == named


def test_without_other_textures_there_is_no_ablation(tree, gravel_tiles):
    tree["chip_cracks"]["ablation"]["ways"] = []
    tiles = [{"picture": tile.name, "source": tile.specimen, "error_rate": 0.0} for tile in gravel_tiles(16)]
    answers = pd.concat([pd.DataFrame(tiles).assign(arm=f"{m}_{s}", run=1) for m in MODELS for s in ("all", "8")])
    assert judged(tree, "chip_cracks", answers)["ablation"] is None

"""Which arms a model has, what each goes on from, and how long the control trains."""

import json
from pathlib import Path

import pytest
from workshop import ALL, SETTINGS

from micromime.arms.arm import Arm, said_of
from micromime.arms.comparisons import arms_of_model, arms_of_models, images_seen, pools, times_longer
from micromime.mistakes import Mistake
from micromime.project import places
from micromime.scenario.parameters import read_tree
from micromime.stages.tile import write_tiles
from micromime.stages.train import train
from micromime.training.settings import TrainParameters

CHIPS = "chip_cracks"
MODELS = places.models(CHIPS)
TRAIN = SETTINGS | {"architecture": "efficientnet_lite0", "runs": 2, "validation_share": 0.25, "phases": [ALL]}
POOLS = {"synthetic": ("all", "8", "8_cut"), "real": ("all", "8"), "longer": ("all", "8")}
POOLS["mixed"] = POOLS["synthetic"]
"""By model, those that it has an arm for."""


def tree_of(subsets, ways, subset=8):
    tiles = {"test_tiles": 4, "seed": 0, "subsets": subsets}
    return {CHIPS: {"tiles": tiles, "ablation": {"subset": subset, "ways": ways}}}


@pytest.fixture
def tree(workshop, gravel_tiles):  # noqa: ARG001 - the working directory
    """Two subsets and a pool for each, and one more for the smaller; runs are made up."""
    sections = {"train": TRAIN, "finetune": {"runs": 2, "phases": [ALL | {"epochs": 2, "least_images": 12}]}}
    content = {"profile": "tiny", CHIPS: sections | tree_of(["all", 8], ["cut"])[CHIPS]}
    Path("params.yaml").write_text(json.dumps(content))
    sizes = {places.synthetic(CHIPS, name): n for name, n in (("all", 32), ("8", 31), ("8_cut", 30))}
    sizes |= {places.tiles(CHIPS) / name: n for name, n in (("all", 20), ("8", 8))}
    tiles = gravel_tiles(32)
    for folder, count in sizes.items():
        write_tiles(tiles[:count], folder, {"use_case": CHIPS, "classes": ["intact", "crack"]})
    train(CHIPS, ["synthetic"])
    train(CHIPS, ["real", "mixed", "longer"])
    return read_tree(Path("params.yaml"))


def test_every_subset_has_a_pool_and_one_subset_those_with_other_textures():
    textures = [("8_cut", "8", "cut"), ("8_white_noise", "8", "white_noise")]
    plain = [("all", "all", "filled"), ("8", "8", "filled")]
    assert pools(tree_of(["all", 8], ["cut", "white_noise"]), CHIPS) == plain + textures
    assert pools(tree_of(["all"], []), CHIPS) == plain[:1]  # where there are none, any subset may be named


@pytest.mark.parametrize(
    ("subsets", "ways", "said"),
    [
        (["all", "all"], [], "names a subset twice"),
        ([16], ["cut"], "8 is no subset; use one of: 16"),
        ([3], [], "3 is not allowed"),
        (["most"], [], "'most' is not allowed"),
        ([], [], r"chip_cracks\.tiles\.subsets"),
        ([8], ["painted"], "'painted' is not allowed"),
    ],
)
def test_what_is_wrong_with_subsets_is_said(subsets, ways, said):
    with pytest.raises(Mistake, match=said):
        pools(tree_of(subsets, ways), CHIPS)


def test_models_have_arms_and_mixed_goes_on_from_synthetic_on_the_tiles_that_the_others_begin_with(tree, workshop):
    folders = [MODELS / model / f"{model}_{pool}" for model, of in POOLS.items() for pool in of]
    assert list(arms_of_models(MODELS, tree, CHIPS)) == folders
    assert sorted(file.parent for file in MODELS.rglob("arm.json")) == sorted(folders)
    assert workshop.trained == [  # the runs of all models of a command in one queue
        [(f"{m}_{pool}", run) for m in models for pool in POOLS[m] for run in (1, 2)]
        for models in (["synthetic"], ["real", "mixed", "longer"])
    ]
    for folder, (model, pool) in arms_of_models(MODELS, tree, CHIPS).items():
        arm, begun = Arm.read(folder), (folder / "run-002" / "weights.safetensors").read_text()
        synthetic = MODELS / "synthetic" / f"synthetic_{pool.name}"
        first = f"synthetic_{pool.name}" if model == "mixed" else arm.name
        assert begun.startswith(f"ImageNet > {first} 2 at")
        if model == "synthetic":
            assert (arm.data, arm.start, arm.beside) == (places.synthetic(CHIPS, pool.name), None, None)
            continue
        assert arm.data == places.tiles(CHIPS) / pool.subset
        assert (arm.start, arm.beside) == ((synthetic, None) if model == "mixed" else (None, synthetic))
        assert said_of(folder)["base"] == Arm.read(synthetic).fingerprint


def test_the_control_sees_at_least_the_images_that_mixed_has_seen(tree):
    every = [arms_of_model(tree, CHIPS, model) for model in ("synthetic", "real", "mixed", "longer")]
    for arms in zip(*(of[:2] for of in every), strict=True):
        before, real, mixed, longer = (images_seen(arm.settings, arm.data) for arm in arms)
        assert real == mixed
        assert before + mixed <= longer < before + 2 * mixed
    settings, tiles = TrainParameters.model_validate(TRAIN).longer(2), places.tiles(CHIPS) / "all"
    least = settings.model_copy(update={"phases": (settings.phases[0].model_copy(update={"least_images": 40}),)})
    assert (images_seen(settings, tiles), images_seen(least, tiles)) == (2 * 15, 2 * 40)
    assert times_longer(settings, settings, (places.synthetic(CHIPS, "all"), tiles)) == 1 + 2  # 48 / 30


def test_a_model_that_there_is_not_and_one_without_its_base_are_said(tree):
    with pytest.raises(Mistake, match="model: 'mixt' is not known; use one of: longer, mixed, real, synthetic"):
        arms_of_model(tree, CHIPS, "mixt")
    (MODELS / "synthetic" / "synthetic_all" / "arm.json").unlink()
    with pytest.raises(Mistake, match=r"synthetic/synthetic_all holds no arm\.json; name the folder of an arm"):
        arms_of_model(tree, CHIPS, "longer")

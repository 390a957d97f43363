"""Which arms a model has, what each goes on from, and how long the control trains."""

import json
from pathlib import Path

import pytest

from micromime.arms.arm import Arm, said_of
from micromime.arms.comparisons import arms_of_model, arms_of_models, images_seen, measured, pools, times_longer
from micromime.mistakes import Mistake
from micromime.project import places
from micromime.scenario.parameters import read_tree
from micromime.stages.tile import write_tiles
from micromime.stages.train import train
from micromime.training.settings import TrainParameters

CHIPS = "chip_cracks"
MODELS = places.models(CHIPS)
PHASE = {"size_px": 32, "trainable": "all", "epochs": 2, "peak_rate": 0.001, "batch_size": 4}
TRAIN = {
    "architecture": "efficientnet_lite0",
    "runs": 2,
    "validation_share": 0.25,
    "precision": "float32",
    "channels_last": False,
    "threads": 1,
    "finder_steps": 20,
    "augmentation": {"rotation_deg": 5, "zoom": 1.1, "lighting": 0.1, "stretch": 1, "jitter_px": 0},
    "phases": [PHASE],
}


def tree_of(subsets, ways, subset=8):
    tiles = {"test_tiles": 4, "seed": 0, "subsets": subsets}
    return {CHIPS: {"tiles": tiles, "ablation": {"subset": subset, "ways": ways}}}


@pytest.fixture
def tree(workshop, gravel_tiles):
    """Two subsets and a pool for each, and one more for the smaller; runs are made up."""
    sections = {"train": TRAIN, "finetune": {"runs": 2, "phases": [PHASE | {"least_images": 12}]}}
    sections |= tree_of(["all", 8], ["cut"])[CHIPS]
    Path("params.yaml").write_text(json.dumps({"profile": "tiny", CHIPS: sections}))
    sizes = {places.synthetic(CHIPS, name): n for name, n in (("all", 32), ("8", 31), ("8_cut", 30))}
    sizes |= {places.tiles(CHIPS) / name: n for name, n in (("all", 20), ("8", 8))}
    for folder, count in sizes.items():
        write_tiles(gravel_tiles(count), folder, {"use_case": CHIPS, "classes": ["intact", "crack"]})
    train(CHIPS, ["synthetic"])
    train(CHIPS, ["real", "mixed", "longer"])
    return read_tree(Path("params.yaml"))


def test_every_subset_has_a_pool_and_one_subset_those_with_other_textures():
    assert pools(tree_of(["all", 8], ["cut", "white_noise"]), CHIPS) == [
        ("all", "all", "filled"),
        ("8", "8", "filled"),
        ("8_cut", "8", "cut"),
        ("8_white_noise", "8", "white_noise"),
    ]
    assert [pool.name for pool in pools(tree_of(["all"], []), CHIPS)] == ["all"]  # which may name any subset


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


def test_what_was_measured_is_read(tmp_path):
    (tmp_path / "measured.yaml").write_text("depth: {uniform: [0.1, 0.2]}\ndictionary: somewhere.npz\n")
    assert measured(tmp_path) == {"depth": {"uniform": [0.1, 0.2]}, "dictionary": "somewhere.npz"}


def test_every_model_has_an_arm_for_each_subset_and_those_that_see_them_for_each_texture(tree, workshop):
    named = {"synthetic": ("all", "8", "8_cut"), "real": ("all", "8"), "longer": ("all", "8")}
    named["mixed"] = named["synthetic"]
    folders = [MODELS / model / f"{model}_{pool}" for model, of in named.items() for pool in of]
    assert list(arms_of_models(MODELS, tree, CHIPS)) == folders
    assert sorted(file.parent for file in MODELS.rglob("arm.json")) == sorted(folders)
    queues = [["synthetic"], ["real", "mixed", "longer"]]  # the runs of all models of a command in one
    assert workshop.trained == [
        [(f"{m}_{pool}", run) for m in models for pool in named[m] for run in (1, 2)] for models in queues
    ]


def test_mixed_goes_on_from_synthetic_on_the_tiles_that_real_and_longer_begin_with(tree):
    starts = {}
    for folder, (model, pool) in arms_of_models(MODELS, tree, CHIPS).items():
        arm = Arm.read(folder)
        synthetic = MODELS / "synthetic" / f"synthetic_{pool.name}"
        starts[model] = (folder / "run-002" / "weights.safetensors").read_text().split(" at ")[0]
        if model == "synthetic":
            assert (arm.data, arm.start, arm.beside) == (places.synthetic(CHIPS, pool.name), None, None)
            continue
        assert arm.data == places.tiles(CHIPS) / pool.subset
        assert (arm.start, arm.beside) == ((synthetic, None) if model == "mixed" else (None, synthetic))
        assert said_of(folder)["base"] == Arm.read(synthetic).fingerprint
    names = {"synthetic": "synthetic_8_cut 2", "real": "real_8 2", "longer": "longer_8 2", "mixed": "synthetic_8_cut 2"}
    assert starts == {model: f"ImageNet > {name}" for model, name in names.items()}


def test_the_control_sees_at_least_the_images_that_mixed_has_seen(tree):
    models = {model: arms_of_model(tree, CHIPS, model) for model in ("synthetic", "real", "mixed", "longer")}
    for n in range(2):
        before, real, mixed, longer = (images_seen(of[n].settings, of[n].data) for of in models.values())
        assert real == mixed
        assert before + mixed <= longer < before + 2 * mixed


def test_images_seen_are_those_to_train_on_as_often_as_epochs_go_through_them(tree):
    settings, (synthetic, tiles) = TrainParameters.model_validate(TRAIN), tree_folders()
    assert images_seen(settings, tiles) == 2 * 15
    least = settings.model_copy(update={"phases": (settings.phases[0].model_copy(update={"least_images": 40}),)})
    assert images_seen(least, tiles) == 2 * 40
    assert times_longer(settings, settings, (synthetic, tiles)) == 1 + 2  # 48 / 30
    assert tree


def tree_folders():
    return places.synthetic(CHIPS, "all"), places.tiles(CHIPS) / "all"


def test_a_model_that_there_is_not_and_one_without_its_base_are_said(tree):
    with pytest.raises(Mistake, match="model: 'mixt' is not known; use one of: longer, mixed, real, synthetic"):
        arms_of_model(tree, CHIPS, "mixt")
    (MODELS / "synthetic" / "synthetic_all" / "arm.json").unlink()
    with pytest.raises(Mistake, match=r"synthetic/synthetic_all holds no arm\.json; train an arm to it first"):
        arms_of_model(tree, CHIPS, "longer")

"""Which arms a model has, what each goes on from, and how long the control trains."""

import json
from pathlib import Path

import pytest

from micromime.arms.arm import Arm
from micromime.arms.comparisons import images_seen, main, planned, pools_of, times_longer
from micromime.mistakes import Mistake
from micromime.scenario.parameters import read_tree
from micromime.stages.tile import write_tiles
from micromime.training.settings import TrainParameters

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
RECORDS = Path("records")

pytestmark = pytest.mark.usefixtures("project")


@pytest.fixture
def project(workshop, gravel_tiles):
    """Two subsets and a pool for each, and one more for the smaller; runs are made up."""
    sections = {
        "tiles": {"test_tiles": 4, "seed": 0, "subsets": ["all", 8]},
        "ablation": {"subset": 8, "ways": ["cut"]},
        "train": TRAIN,
        "finetune": {"runs": 2, "phases": [PHASE | {"least_images": 12}]},
    }
    Path("params.yaml").write_text(json.dumps({"profile": "tiny", "chip_cracks": sections}))
    for name, count in (
        ("synthetic/all", 32),
        ("synthetic/8", 32),
        ("synthetic/8_cut", 32),
        ("tiles/all", 20),
        ("tiles/8", 8),
    ):
        write_tiles(
            gravel_tiles(count),
            Path("data", name),
            {"use_case": "chip_cracks", "classes": ["intact", "crack"], "part": name},
        )
    return workshop


def train(*models):
    data = Path("data", "synthetic" if models == ("synthetic",) else "tiles")
    main("chip_cracks", models, data, Path("models"), RECORDS)


def names(folder):
    return sorted(each.name for each in Path(folder).iterdir())


def test_every_model_has_an_arm_for_each_subset_and_those_that_see_them_for_each_texture():
    train("synthetic")
    train("real", "mixed", "longer")
    assert names("models/synthetic") == ["synthetic_8", "synthetic_8_cut", "synthetic_all"]
    assert names("models/real") == ["real_8", "real_all"]
    assert names("models/mixed") == ["mixed_8", "mixed_8_cut", "mixed_all"]
    assert names("models/longer") == ["longer_8", "longer_all"]
    weights = Path("models/mixed/mixed_8_cut/run-002/weights.safetensors").read_text()
    assert weights.startswith("ImageNet > synthetic_8_cut 2 at")
    assert Path("models/real/real_8/run-001/weights.safetensors").read_text().startswith("ImageNet > real_8 1 at")
    assert Arm.read(Path("models/mixed/mixed_8_cut")).data == Path("data/tiles/8")


def test_all_models_of_a_subset_stand_side_by_side_in_mlflow(project):
    train("synthetic")
    train("real", "mixed", "longer")
    said = {each.arm: each.tags()["micromime.comparison"] for each in project.begun}
    assert len({said[f"{model}_all"] for model in ("synthetic", "real", "mixed", "longer")}) == 1
    assert said["real_8"] == said["mixed_8"] != said["real_all"]


def test_a_second_time_every_run_is_taken_from_its_record(project):
    train("synthetic")
    before = len(project.trained)
    Path("models/synthetic").rename("models/once")
    train("synthetic")
    assert len(project.trained) == before


def test_the_runs_of_all_arms_and_models_stand_in_one_queue(project, capsys):
    train("synthetic")
    train("real", "longer")
    queues = [["synthetic_all", "synthetic_8", "synthetic_8_cut"], ["real_all", "real_8", "longer_all", "longer_8"]]
    assert project.trained == [[(arm, run) for arm in arms for run in (1, 2)] for arms in queues]
    said = [f"{arm}: 2 of 2 runs to train" for arm in queues[0]]
    assert capsys.readouterr().out.splitlines()[:3] == said


def test_first_the_first_runs_of_all_arms_find_the_rates(project):
    tree = json.loads(Path("params.yaml").read_text())
    tree["chip_cracks"]["train"]["phases"] = [PHASE | {"peak_rate": "find"}]
    Path("params.yaml").write_text(json.dumps(tree))
    train("synthetic")
    arms = ["synthetic_all", "synthetic_8", "synthetic_8_cut"]
    assert project.trained == [[(arm, 1) for arm in arms], [(arm, 2) for arm in arms]]
    assert Arm.read(Path("models/synthetic/synthetic_8")).rates == (0.25,)


def test_what_was_written_before_a_process_was_killed_is_moved_on_and_not_trained_again(project):
    train("synthetic")
    Path("models/synthetic").rename("models/.synthetic-arms")
    weights = Path("models/.synthetic-arms/synthetic_8/run-002/weights.safetensors").read_text()
    Path("models/.synthetic-arms/synthetic_all").rename("models/.synthetic-arms/.synthetic_all")  # in the middle of it
    train("synthetic")
    assert len(project.trained) == 1
    assert names("models/synthetic") == ["synthetic_8", "synthetic_8_cut", "synthetic_all"]
    for arm in names("models/synthetic"):
        assert all((Path("models/synthetic") / arm / f"run-00{run}/weights.safetensors").exists() for run in (1, 2))
    assert Path("models/synthetic/synthetic_8/run-002/weights.safetensors").read_text() == weights


def test_over_arms_that_are_there_the_same_are_made_with_their_networks(project):
    train("synthetic")
    weights = Path("models/synthetic/synthetic_8/run-002/weights.safetensors").read_text()
    train("synthetic")
    assert len(project.trained) == 1
    assert names("models/synthetic") == ["synthetic_8", "synthetic_8_cut", "synthetic_all"]
    assert Path("models/synthetic/synthetic_8/run-002/weights.safetensors").read_text() == weights


def test_the_control_sees_at_least_the_images_that_mixed_has_seen():
    train("synthetic")
    tree = read_tree(Path("params.yaml"))
    for pool in pools_of("longer", tree, "chip_cracks"):
        arms = {
            model: planned(tree, "chip_cracks", (model, pool), Path("data/tiles"), Path("models/synthetic"))
            for model in ("real", "mixed", "longer")
        }
        before = images_seen(
            Arm.read(Path("models/synthetic", f"synthetic_{pool.name}")).settings, Path("data/synthetic", pool.name)
        )
        seen = {model: images_seen(arm.settings, arm.data) for model, arm in arms.items()}
        assert seen["real"] == seen["mixed"]
        assert before + seen["mixed"] <= seen["longer"] < before + 2 * seen["mixed"]


def test_images_seen_are_those_to_train_on_as_often_as_epochs_go_through_them():
    settings = TrainParameters.model_validate(TRAIN)
    assert images_seen(settings, Path("data/tiles/all")) == 2 * 15
    least = settings.model_copy(update={"phases": (settings.phases[0].model_copy(update={"least_images": 40}),)})
    assert images_seen(least, Path("data/tiles/all")) == 2 * 40
    assert times_longer(settings, settings, (Path("data/synthetic/all"), Path("data/tiles/all"))) == 1 + 2  # 48 / 30


def test_a_model_that_there_is_not_is_said():
    with pytest.raises(Mistake, match="models: 'mixt' is not known; use one of: longer, mixed, real, synthetic"):
        train("real", "mixt")


def test_without_the_synthetic_arms_the_others_cannot_begin():
    with pytest.raises(Mistake, match=r"models/synthetic/synthetic_all holds no arm\.json; train an arm to it first"):
        train("mixed")
    assert not Path("models/mixed").exists()

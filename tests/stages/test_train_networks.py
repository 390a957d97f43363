"""Arms that are trained in earnest: stopped and gone on with, side by side, from other arms' networks, in MLflow."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from micromime.arms import arm as stage
from micromime.arms import fit
from micromime.datasets.render import render_dataset
from micromime.stages import train

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("one_thread"),
    # fastai 2.8 loads what its finder has saved with a name that numpy 2 wants to drop.
    pytest.mark.filterwarnings(r"ignore:numpy\.core is deprecated:DeprecationWarning"),
]

SETTINGS = {
    "architecture": "unet_efficientnet_lite0",
    "runs": 2,
    "validation_share": 0.2,
    "precision": "float32",
    "channels_last": False,
    "threads": 1,
    "finder_steps": 30,
    "augmentation": {"rotation_deg": 45, "zoom": 1.3, "lighting": 0.3, "stretch": 1.2, "jitter_px": 0.5},
}
FIND = {"size_px": 32, "trainable": "all", "epochs": 2, "peak_rate": "find", "batch_size": 4}
HARDLY = {"size_px": 32, "trainable": "all", "epochs": 1, "peak_rate": 1e-12, "batch_size": 4}
"""A rate at which no weight moves."""

FILES = ["epochs.jsonl", "model.json", "run.json", "weights.safetensors"]


def write_params(peak_rate):
    sections = {
        "train": SETTINGS | {"phases": [FIND | {"peak_rate": peak_rate}]},
        "finetune": {"runs": 2, "phases": [HARDLY]},
    }
    Path("params.yaml").write_text(json.dumps({"profile": "tiny", "grain_boundaries": sections}))


def trained(arm, start=None):
    data = Path("data", "more" if start else "base")
    train.main("grain_boundaries", data, Path("models", arm), Path("records"), start and Path("models", start))


@pytest.fixture(scope="module")
def begun():
    """Runs that were begun together, a list each time."""
    return []


@pytest.fixture(scope="module")
def arms(grains, tmp_path_factory, begun):
    """Folder of three arms: one stopped after its first run, one with the rates that it found, one that goes on.

    Only those of the second are trained in processes of their own: each takes seconds to start.
    """
    folder, in_processes = tmp_path_factory.mktemp("arms"), fit.run_tasks

    def here(work, tasks, *_):
        begun.append([task.run for task in tasks])
        for task in tasks:
            work(task)

    def while_code_is_edited(work, tasks, *_):
        with pytest.MonkeyPatch.context() as edit:
            edit.setattr(stage, "code_of", lambda *_: ["other code"])
            here(work, tasks)

    def stop_after_one(work, tasks, *_):
        here(work, tasks[:1])
        raise KeyboardInterrupt

    def side_by_side(work, tasks, workers, shown):
        begun.append(([task.run for task in tasks], workers))
        in_processes(work, tasks, workers, shown)

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.setenv("MICROMIME_WORKERS", "2")
        for name, seed in (("base", 0), ("more", 1)):
            instances = [grains.draw_one(seed, index) for index in range(10)]
            description = {"scenario": {}, "count": 10, "seed": seed, "parent": None}
            render_dataset(instances, description, Path("data", name), Path("unfinished"))
        write_params("find")
        patch.setattr(fit, "run_tasks", stop_after_one)
        with pytest.raises(KeyboardInterrupt):
            trained("base")
        assert not Path("models").exists()
        shutil.copytree(".micromime/networks", "stopped")
        patch.setattr(fit, "run_tasks", here)
        trained("base")
        patch.setattr(fit, "run_tasks", while_code_is_edited)
        trained("tuned", "base")
        write_params(run_of(folder / "models" / "base", 1)["rates"][0])
        patch.setattr(fit, "run_tasks", side_by_side)
        trained("given")
    return folder / "models"


def run_of(arm, run):
    return json.loads((arm / f"run-00{run}" / "run.json").read_text())


def weights(arm, run):
    from safetensors.numpy import load_file

    learnt = load_file(arm / f"run-00{run}" / "weights.safetensors").items()
    return {name: value for name, value in learnt if value.dtype == np.float32 and "running" not in name}


def test_an_arm_that_was_stopped_goes_on_with_its_finished_run(arms, begun):
    assert begun[:2] == [[1], [2]]
    (first,) = (arms.parent / "stopped").glob("*/weights.safetensors")
    base = arms / "base"
    assert (base / "run-001" / "weights.safetensors").read_bytes() == first.read_bytes()
    assert (base / "run-002" / "weights.safetensors").read_bytes() != first.read_bytes()
    assert [sorted(each.name for each in (base / f"run-00{run}").iterdir()) for run in (1, 2)] == [FILES] * 2
    assert [run_of(base, run)["run"] for run in (1, 2)] == [1, 2]


def test_rates_that_the_first_run_has_found_are_those_of_all(arms):
    (rate,) = run_of(arms / "base", 1)["rates"]
    assert 1e-6 <= rate <= 1
    assert run_of(arms / "base", 2)["rates"] == [rate]
    assert json.loads((arms / "base" / "arm.json").read_text())["rates"] == [rate]


def test_side_by_side_or_alone_with_rates_found_or_given_the_weights_are_the_same(arms, begun):
    assert begun[-1] == ([1, 2], 2)
    for run in ("run-001", "run-002"):
        found, given = (arms / arm / run / "weights.safetensors" for arm in ("base", "given"))
        assert found.read_bytes() == given.read_bytes()


def test_an_arm_that_goes_on_begins_with_its_parents_networks_run_by_run(arms):
    assert json.loads((arms / "tuned" / "arm.json").read_text())["start"] == "models/base"
    for run, other in ((1, 2), (2, 1)):
        tuned, parent, wrong = weights(arms / "tuned", run), weights(arms / "base", run), weights(arms / "base", other)
        assert max(np.abs(tuned[name] - parent[name]).max() for name in parent) < 1e-6
        assert max(np.abs(tuned[name] - wrong[name]).max() for name in wrong) > 1e-3


def test_code_that_is_edited_while_it_trains_does_not_pass_for_the_code_that_trained(arms, monkeypatch):
    monkeypatch.chdir(arms.parent)
    planned = stage.Arm.read(arms / "tuned")
    assert [run_of(arms / "tuned", run)["inputs"] for run in (1, 2)] == [planned.inputs(run) for run in (1, 2)]


def test_nothing_unfinished_is_left(arms):
    assert [each.name for each in (arms.parent / ".micromime" / "networks").iterdir()] == ["lock"]
    assert sorted(each.name for each in arms.iterdir()) == ["base", "given", "tuned"]


@pytest.fixture
def stored(arms):
    """Every run in MLflow by its name."""
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{arms.parent / 'mlflow.db'}")
    found = client.search_runs([client.get_experiment_by_name("grain_boundaries").experiment_id])
    return client, {run.info.run_name: run for run in found}


def test_mlflow_has_a_parent_for_each_arm_and_a_child_for_each_run(arms, stored):
    client, runs = stored
    names = ("base", "given", "tuned")
    assert sorted(runs) == sorted([*names, *(f"{name} {run}" for name in names for run in (1, 2))])
    assert {run.info.status for run in runs.values()} == {"FINISHED"}
    for name, run in runs.items():
        if " " in name:
            arm, number = name.split()
            assert run.data.tags["mlflow.parentRunId"] == runs[arm].info.run_id
            assert run.data.tags["micromime.seed"] == number
            assert run.data.metrics["peak_rate.phase_1"] == run_of(arms / arm, number)["rates"][0]
    losses = client.get_metric_history(runs["base 2"].info.run_id, "train_loss")
    epochs = run_of(arms / "base", 2)["epochs"]
    assert [(point.step, point.value) for point in losses] == [(n, epochs[n - 1]["train_loss"]) for n in (1, 2)]


def test_one_tag_shows_an_arm_beside_those_that_go_on_with_it(stored):
    tags = {name: run.data.tags for name, run in stored[1].items()}
    base = tags["base"]["micromime.fingerprint"]
    assert {tags[name]["micromime.comparison"] for name in ("base", "base 1", "tuned", "tuned 2")} == {base}
    assert tags["tuned"]["micromime.fingerprint"] != base
    assert tags["given"]["micromime.comparison"] not in (base, "")


def test_runs_that_are_taken_from_records_have_their_curves_in_a_new_store(arms, tmp_path, monkeypatch):
    from mlflow import MlflowClient

    shutil.copytree(arms.parent / "records", tmp_path / "records")
    shutil.copytree(arms.parent / "data", tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    write_params("find")
    trained("base")
    assert not list(Path("models").glob("*/*/weights.safetensors"))
    client = MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    found = client.search_runs([client.get_experiment_by_name("grain_boundaries").experiment_id])
    runs = {run.info.run_name: run for run in found}
    assert sorted(runs) == ["base", "base 1", "base 2"]
    points = client.get_metric_history(runs["base 2"].info.run_id, "mean_iou")
    assert [point.value for point in points] == [epoch["mean_iou"] for epoch in run_of(arms / "base", 2)["epochs"]]
    assert "taken from the run's record" in runs["base 1"].data.tags["mlflow.note.content"]

"""An arm: all of its runs, those that are done kept, and what MLflow is told of them."""

import json
from contextlib import contextmanager

import pytest
from ruamel.yaml import YAML

from micromime.datasets.render import render_dataset
from micromime.mistakes import Mistake
from micromime.parameters import read_tree
from micromime.stages import train

PHASES = [
    {"size_px": 32, "trainable": "head", "epochs": 2, "peak_rate": 0.003, "batch_size": 4},
    {"size_px": 64, "trainable": "all", "epochs": 1, "peak_rate": 0.001, "batch_size": 4},
]
EPOCHS = 3
FILES = ["epochs.jsonl", "model.json", "run.json", "weights.safetensors"]


def make_project(folder, project, grains):
    """A folder with params.yaml for two short runs, and the data set they train on."""
    train_settings = read_tree(project / "params.yaml")["grain_boundaries"]["train"] | {"runs": 2, "phases": PHASES}
    write_params(folder, train_settings)
    description = {"use_case": "grain_boundaries", "scenario": {"rows": 72, "cols": 96}, "count": 10, "seed": 0}
    instances = [grains.draw_one(0, index) for index in range(10)]
    render_dataset(instances, description, folder / "data" / "base", folder / "unfinished")
    return folder


def write_params(folder, settings, profile="tiny"):
    with (folder / "params.yaml").open("w") as file:
        YAML().dump({"profile": profile, "grain_boundaries": {"train": settings}}, file)


@pytest.fixture
def project_folder(project, grains, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return make_project(tmp_path, project, grains)


@pytest.fixture
def made_up(monkeypatch):
    """Runs that are made in no time, and no store: gives the arms that were begun and the runs that were trained."""
    arms, runs = [], []

    @contextmanager
    def tracked_arm(described):
        arms.append(described)
        yield "an arm"

    def run_tasks(_work, tasks, _workers, _shown):
        runs.extend(task.run for task in tasks)
        for task in tasks:
            task.folder.mkdir()
            (task.folder / "weights.safetensors").write_bytes(bytes([task.run]))

    monkeypatch.setattr(train, "prepare_store", lambda _: None)
    monkeypatch.setattr(train, "tracked_arm", tracked_arm)
    monkeypatch.setattr(train, "run_tasks", run_tasks)
    return arms, runs


def trained(folder, out="base"):
    train.main("grain_boundaries", folder / "data" / "base", folder / "models" / out, folder / "params.yaml")
    return folder / "models" / out


def task(folder, run, settings):
    described = train.describe("grain_boundaries", "base", "tiny", "f1", settings, folder / "data" / "base")
    return train.Task(run, settings, folder / "data" / "base", folder / "work" / f"run-{run:03d}", "an arm", described)


def settings_of(folder):
    return train.typed(train.TrainParameters, read_tree(folder / "params.yaml")["grain_boundaries"]["train"], "train")


def test_an_arm_is_its_runs_and_what_they_were_made_of(project_folder, made_up):
    out = trained(project_folder)
    assert sorted(each.name for each in out.iterdir()) == ["arm.json", "run-001", "run-002"]
    assert [(out / f"run-00{run}" / "weights.safetensors").read_bytes() for run in (1, 2)] == [b"\1", b"\2"]
    arm = json.loads((out / "arm.json").read_text())
    assert (arm["arm"], arm["profile"], arm["fingerprint"]) == ("base", "tiny", made_up[0][0].fingerprint)
    assert arm["params"]["data"] == {"scenario": {"rows": 72, "cols": 96}, "count": 10, "seed": 0}
    assert arm["params"]["train"]["phases"] == PHASES
    ((name, path, digest, context),) = [each.values() for each in arm["data"]]
    assert (name, path, digest[:12], context) == ("base", "data/base", "unversioned-", "training")
    assert not list((project_folder / ".micromime" / "work" / "train").iterdir())


def test_only_what_decides_the_networks_begins_an_arm_anew(project_folder, made_up):
    settings = read_tree(project_folder / "params.yaml")["grain_boundaries"]["train"]
    trained(project_folder, "first")
    write_params(project_folder, settings, profile="other")
    trained(project_folder, "again")
    write_params(project_folder, settings | {"phases": [PHASES[0] | {"peak_rate": 0.002}]})
    trained(project_folder, "rate")
    description = project_folder / "data" / "base" / "dataset.json"
    description.write_text(description.read_text().replace('"seed": 0', '"seed": 1'))
    trained(project_folder, "data")
    first, again, rate, data = (arm.fingerprint for arm in made_up[0])
    assert first == again
    assert len({first, rate, data}) == 3


def test_finished_runs_are_kept_and_the_others_are_trained(project_folder, made_up):
    settings = settings_of(project_folder)
    tasks = [task(project_folder, run, settings) for run in (1, 2, 3)]
    tasks[1].folder.mkdir(parents=True)
    (tasks[1].folder / "weights.safetensors").write_bytes(b"kept")
    train.fit_missing(tasks)
    assert made_up[1] == [1, 3]
    assert (tasks[1].folder / "weights.safetensors").read_bytes() == b"kept"


def test_progress_counts_the_epochs_of_finished_and_unfinished_runs(project_folder, monkeypatch):
    seen = []
    monkeypatch.setattr(train, "run_tasks", lambda _work, _tasks, _workers, shown: seen.append(shown))
    settings = settings_of(project_folder)
    tasks = [task(project_folder, run, settings) for run in (1, 2, 3)]
    tasks[0].folder.mkdir(parents=True)
    unfinished = project_folder / "work" / "unfinished-run-002"
    unfinished.mkdir()
    (unfinished / "epochs.jsonl").write_text("{}\n{}\n")
    train.fit_missing(tasks)
    assert (seen[0].total, seen[0].done()) == (3 * EPOCHS, EPOCHS + 2 + 0)


def test_an_arm_that_is_there_is_not_trained_over(project_folder, made_up):
    (project_folder / "models" / "base").mkdir(parents=True)
    with pytest.raises(Mistake, match="base is there already; remove it or give another folder"):
        trained(project_folder)
    assert made_up == ([], [])


@pytest.mark.parametrize(
    ("use_case", "data", "said"),
    [
        ("chips", "data/base", r"chips is missing from params\.yaml"),
        ("grain_boundaries", "no", r"no holds no dataset\.json"),
    ],
)
@pytest.mark.usefixtures("made_up")
def test_what_is_not_there_is_said_before_anything_is_trained(project_folder, use_case, data, said):
    with pytest.raises(Mistake, match=said):
        train.main(use_case, project_folder / data, project_folder / "models" / "base", project_folder / "params.yaml")


@pytest.fixture(scope="module")
def resumed(project, grains, tmp_path_factory):
    """An arm that was interrupted after its first run and called again: its folder, first weights, runs asked for."""
    folder, asked = make_project(tmp_path_factory.mktemp("arm"), project, grains), []
    whole = train.run_tasks

    def stop_after_one(work, tasks, _workers, _shown):
        work(tasks[0])
        raise KeyboardInterrupt

    def recorded(work, tasks, workers, shown):
        asked.extend(task.run for task in tasks)
        whole(work, tasks, workers, shown)

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.setattr(train, "run_tasks", stop_after_one)
        with pytest.raises(KeyboardInterrupt):
            trained(folder)
        assert not (folder / "models").exists()
        (run,) = (folder / ".micromime" / "work" / "train").glob("*/run-*")
        first = (run.name, (run / "weights.safetensors").read_bytes())
        patch.setattr(train, "run_tasks", recorded)
        trained(folder)
        trained(folder, "whole")
    return folder, first, asked


@pytest.mark.slow
def test_an_interrupted_arm_goes_on_with_its_finished_runs(resumed):
    folder, (name, weights), asked = resumed
    assert (name, asked[:1]) == ("run-001", [2])
    out = folder / "models" / "base"
    assert sorted(each.name for each in out.iterdir()) == ["arm.json", "run-001", "run-002"]
    assert [sorted(each.name for each in (out / run).iterdir()) for run in ("run-001", "run-002")] == [FILES] * 2
    assert (out / "run-001" / "weights.safetensors").read_bytes() == weights
    assert (out / "run-002" / "weights.safetensors").read_bytes() != weights
    assert [json.loads((out / f"run-00{run}" / "run.json").read_text())["run"] for run in (1, 2)] == [1, 2]
    assert not list((folder / ".micromime" / "work" / "train").iterdir())


@pytest.mark.slow
def test_trained_side_by_side_or_alone_the_weights_are_the_same(resumed):
    folder, _, asked = resumed
    assert asked == [2, 1, 2]
    for run in ("run-001", "run-002"):
        base, whole = (folder / "models" / arm / run / "weights.safetensors" for arm in ("base", "whole"))
        assert base.read_bytes() == whole.read_bytes()


@pytest.mark.slow
def test_mlflow_has_a_parent_for_each_arm_and_a_child_for_each_run(resumed):
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{resumed[0] / 'mlflow.db'}")
    stored = client.search_runs([client.get_experiment_by_name("grain_boundaries").experiment_id])
    assert {run.info.status for run in stored} == {"FINISHED"}
    arms = {run.info.run_name: run.info.run_id for run in stored if run.data.tags["micromime.level"] == "arm"}
    assert sorted(arms) == ["base", "whole"]
    children = {run.info.run_name: run for run in stored if run.data.tags["micromime.level"] == "run"}
    assert sorted(children) == ["base 1", "base 2", "whole 1", "whole 2"]
    for name, run in children.items():
        assert run.data.tags["mlflow.parentRunId"] == arms[name.split()[0]]
        assert run.data.tags["micromime.seed"] == name.split()[1]
        assert run.data.params["train.phases.1.size_px"] == "64"
        losses = client.get_metric_history(run.info.run_id, "train_loss")
        assert [point.step for point in losses] == [1, 2, 3]
        assert run.data.metrics["seconds"] > 0

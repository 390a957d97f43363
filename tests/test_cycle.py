"""All stages of the tiny profile, run once in one process: what they declare, and what comes out."""

import io
import json
import re
import shlex
import shutil
import sys
from contextlib import chdir, redirect_stdout
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
import pandas as pd
import PIL.Image
import pytest
import told
from cycle import call
from mlflow import MlflowClient
from pages import blocks

from micromime.datasets.store import Dataset, identity
from micromime.judging.metrics import TESTED
from micromime.pictures.test_set import NO_REAL_SET
from micromime.scenario.parameters import read_tree

pytestmark = pytest.mark.xdist_group("cycle")

MACHINERY = (
    *("cli.py", "mistakes.py", "engines/*", "project/*", "tracking/*", "stages/publish.py"),
    *("datasets/store.py", "scenario/parameters.py", "use_cases/__init__.py", "arms/rounds.py"),
)
"""Code that a stage need not declare: how and where things run, what MLflow is told, how settings and data sets are
read. None of it decides a number."""

VERSIONED = {
    "LEARNER": ("arms/*", "datasets/*", "judging/metrics.py", "scenario/streams.py", "stages/train.py", "training/*"),
    "ASKING": ("arms/*", "inference/*", "training/*"),
    "MEASURING": ("judging/*",),
}
"""Code that stages need not declare whose records have the version of its results: that they declare."""

ROUNDS = {"random": "base", "adaptive": "base", "random_2": "random", "adaptive_2": "adaptive"}
"""Of the tiny profile, each with the arm that it goes on from."""

ARMS = ["base", *ROUNDS]
MODELS = ["synthetic", "real", "longer", "mixed"]
INTERVALS = {"ci99_student", "ci99_agresti_coull_paper"}
IN_RANGE = {"ci99", "ci99_sources"}


def below(file: str, paths) -> bool:
    return any(Path(file).is_relative_to(path) for path in paths)


def test_every_stage_runs_on_what_it_declares(cycle):
    assert not cycle.failed, "\n".join(f"{name}: {how}" for name, how in cycle.failed.items())


def test_no_stage_leaves_what_it_does_not_declare(cycle):
    assert not {name: files for name, files in cycle.undeclared.items() if files}


def test_the_code_that_a_stage_calls_is_that_which_it_declares(cycle):
    wrong = {}
    for stage in cycle.stages:
        files = cycle.called[stage.name]
        free = [*MACHINERY, *(each for version in stage.versions for each in VERSIONED[version])]
        own = {file for file in files if not any(fnmatch(file, f"src/micromime/{each}") for each in free)}
        missing = {f"add {file}" for file in own if not below(file, stage.code)}
        idle = {f"remove {path}" for path in stage.code if not any(below(file, [path]) for file in files)}
        wrong |= {stage.name: sorted(missing | idle)} if missing or idle else {}
    assert not wrong, json.dumps(wrong, indent=1)


@pytest.fixture(scope="module")
def verdict(cycle):
    return json.loads((cycle.folder / "metrics/tiny/grain_boundaries/verdict.json").read_text())


def test_the_verdict_has_every_arm_test_and_interval(verdict):
    reason = {"kind": "surrogate", "name": "grain_boundaries", "reason": NO_REAL_SET, "n": 3}
    assert verdict["test_set"].items() >= reason.items()
    assert verdict["baselines"].keys() == {"nothing_found", "otsu", "local_threshold"}
    assert list(verdict["arms"]) == ARMS
    for arm in verdict["arms"].values():
        assert arm.pop("n_runs") == 2
        assert arm.keys() == set(TESTED)
        assert all(each.keys() == {"mean", "sd", *INTERVALS, *IN_RANGE} for each in arm.values())
        assert all(each[key].keys() >= {"lo", "hi"} for each in arm.values() for key in INTERVALS)
    tests = verdict["paired"].values()
    assert {(test["a"], test["b"]) for test in tests if test["paired_by"] == "run"} == {
        *((name, "base") for name in ROUNDS),
        ("adaptive", "random"),
        ("adaptive_2", "random_2"),
    }
    assert {test["metric"] for test in tests} == set(TESTED)
    assert all(test.keys() >= {"n_pairs", "mean_difference", "p_value", "effect_size"} for test in tests)
    assert verdict["grain_size"]["all"]["arms"].keys() == set(ARMS)
    assert verdict["at_operating_points"]["thresholds"].keys() == set(ARMS)
    assert {row["arm"] for row in verdict["astm_by_picture"]} == set(ARMS)


def test_cracks_are_judged_beside_their_controls(cycle):
    said = json.loads((cycle.folder / "metrics/tiny/chip_cracks/verdict.json").read_text())
    (part,) = said["subsets"].values()
    for on in ("test", "every"):
        assert list(part[on]["arms"]) == MODELS
        assert part[on]["baselines"].keys() == {"line_filter"}
        assert all(arm["n_runs"] == 2 for arm in part[on]["arms"].values())
        assert "mixed_vs_real_error_rate" in part[on]["paired"]
    assert part["every"]["test_set"]["n"] > part["test"]["test_set"]["n"]
    assert 0 <= said["textures"]["all"]["accuracy"] <= 1


@pytest.mark.parametrize("use_case", ["grain_boundaries", "chip_cracks"])
def test_pages_are_whole_and_say_what_was_tested_on(cycle, reader, use_case):
    folder = cycle.folder / "metrics/tiny" / use_case
    assert re.search(rf"surrogate \w+, not real \({NO_REAL_SET}\)", folder.with_suffix(".md").read_text())
    for file in folder.rglob("*.html"):
        page = reader(file.read_text())
        assert page.links_within() <= page.ids()
    report = (folder / "report.html").read_text()
    for part in ("h1", "title"):
        assert "surrogate, not real" in re.search(rf"<{part}.*?</{part}>", report, re.DOTALL)[0]
    pictures = [*(folder / "pictures").glob("*.png")]
    assert len(pictures) == 3
    for file in pictures:
        with PIL.Image.open(file) as picture:
            picture.load()
        assert min(picture.size) > 200


@pytest.mark.parametrize(("name", "parent"), ROUNDS.items())
def test_a_round_has_as_many_new_images_and_says_what_they_vary(cycle, name, parent):
    data = cycle.folder / "data/synthetic/grain_boundaries"
    said = json.loads((data / name / "dataset.json").read_text())
    assert said["count"] == 10
    assert said["parent"]["sha256"] == identity(data / parent)
    before = [] if parent == "base" else json.loads((data / parent / "dataset.json").read_text())["earlier"]
    assert said["earlier"] == [*before, parent]
    scores = pd.read_parquet(cycle.folder / f"data/scores/grain_boundaries/{parent}.parquet")
    worst = {scores.loc[scores["score.mean_iou"].idxmin(), "id"]}
    varied = {"random": {""}, "random_2": {""}, "adaptive": worst}.get(name, set(scores["id"]))
    assert set(Dataset(data / name).samples["parent"]) <= varied


@pytest.fixture(scope="module")
def logged(cycle):
    """What asks MLflow's store."""
    return MlflowClient(f"sqlite:///{cycle.folder / 'mlflow.db'}")


def runs(client, use_case, level):
    experiment = client.get_experiment_by_name(use_case)
    return client.search_runs([experiment.experiment_id], f"tags.`micromime.level` = '{level}'")


def test_mlflow_shows_arms_side_by_side_with_a_run_for_each_seed(verdict, logged):
    arms = {each.info.run_name: each for each in runs(logged, "grain_boundaries", "arm")}
    assert set(arms) == set(ARMS)
    compared = {name: each.data.tags["micromime.comparison"] for name, each in arms.items()}
    assert compared == {name: arms[ROUNDS.get(name, "base")].data.tags["micromime.fingerprint"] for name in ARMS}
    every = runs(logged, "grain_boundaries", "run")
    for name, arm in arms.items():
        of_arm = [each for each in every if each.data.tags["mlflow.parentRunId"] == arm.info.run_id]
        assert {each.data.tags["micromime.seed"] for each in of_arm} == {"1", "2"}
        assert len(arm.data.metrics) <= 12
        for score in TESTED:
            mean = verdict["arms"][name][score]["mean"]
            assert np.mean([each.data.metrics[score] for each in of_arm]) == pytest.approx(mean)
            assert arm.data.metrics[score] == mean
    assert max(len(each.data.params) for each in every) <= 40


def test_mlflow_says_of_every_run_what_it_was_made_of(logged):
    every = [each for level in ("arm", "run") for each in runs(logged, "grain_boundaries", level)]
    assert len(every) == 3 * len(ARMS)
    for each in every:
        assert each.info.status == "FINISHED"
        assert each.data.tags["micromime.test_set"] == "surrogate, not real"
        assert each.data.params["train.threads"] == "1"
        data = {given.dataset.name for given in each.inputs.dataset_inputs}
        assert data == {each.data.tags["micromime.arm"], "surrogate_test_set"}


def test_mlflow_keeps_the_table_of_scores_and_the_pictures(cycle, logged, tmp_path):
    (base,) = [each for each in runs(logged, "grain_boundaries", "arm") if each.info.run_name == "base"]
    table = Path(logged.download_artifacts(base.info.run_id, "base.parquet", str(tmp_path)))
    assert table.read_bytes() == (cycle.folder / "data/scores/grain_boundaries/base.parquet").read_bytes()
    pictures = {each.path for each in logged.list_artifacts(base.info.run_id, "pictures")}
    assert pictures == {f"pictures/{name}.png" for name in ("panel", "figure_4", "worst")}


def test_mlflow_has_the_models_of_cracks_too(cycle, logged):
    part = json.loads((cycle.folder / "metrics/tiny/chip_cracks/verdict.json").read_text())["subsets"]["all"]["test"]
    arms = {each.info.run_name.partition("_")[0]: each for each in runs(logged, "chip_cracks", "arm")}
    assert set(arms) == set(MODELS)
    for name, arm in arms.items():
        assert arm.data.metrics["error_rate"] == part["arms"][name]["error_rate"]["mean"]
        assert arm.data.metrics.keys() >= {"error_rate_all_tiles", "images_per_second", "seconds"}


def test_a_model_s_scores_and_its_run_s_are_the_same(logged):
    for use_case in ("grain_boundaries", "chip_cracks"):
        experiment = logged.get_experiment_by_name(use_case)
        models = logged.search_logged_models([experiment.experiment_id])
        sets = json.loads(experiment.tags["micromime.test_sets"])
        assert models
        for model in models:
            (run_id,) = {score.run_id for score in model.metrics}
            run = logged.get_run(run_id).data
            whole = {score.key: score.value for score in model.metrics if score.dataset_name == "surrogate_test_set"}
            assert run.metrics.items() >= whole.items()
            assert {(score.dataset_name, score.dataset_digest) for score in model.metrics} == set(sets.items())
            assert run.tags["micromime.arm"] == model.tags["micromime.arm"]
        view = json.loads(experiment.tags["mlflow.sharedViewState.arms-tiny"])
        assert "compareRunCharts" in json.loads(view["state"])


def test_the_median_run_of_every_arm_is_registered(logged):
    assert set(logged.get_registered_model("micromime-grain_boundaries-tiny").aliases) == set(ARMS)


@pytest.mark.filterwarnings("ignore")
def test_the_docs_python_loads_a_registered_network(project, cycle, monkeypatch):
    (told,) = blocks(project, "python", having="load_model")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{cycle.folder / 'mlflow.db'}")
    monkeypatch.setattr(sys, "path", [*sys.path])  # MLflow puts the model's own code in front
    with chdir(cycle.folder), redirect_stdout(io.StringIO()) as said:
        exec(told.text.replace("-demo@", "-tiny@"), {})
    assert "(1, 200, 300)" in said.getvalue()


@pytest.mark.filterwarnings("ignore")
def test_readmes_python_names_the_best_model_on_a_material(project, cycle, monkeypatch):
    (told,) = blocks(project, "python", having="search_logged_models")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{cycle.folder / 'mlflow.db'}")
    with redirect_stdout(io.StringIO()) as said:
        exec(told.text, {})
    scores = pd.read_parquet(cycle.folder / "metrics/tiny/grain_boundaries/scores.parquet")
    material = said.getvalue().removeprefix("best on ").partition(":")[0]
    means = scores[scores["source"] == material].groupby(["arm", "run"])["mean_iou"].mean()
    whole = scores.groupby(["arm", "run"])["mean_iou"].mean()
    median = {arm: runs.sort_values(kind="stable").index[(len(runs) - 1) // 2] for arm, runs in whole.groupby("arm")}
    arm, run = max(median.values(), key=means.__getitem__)
    assert f": {arm}-run-{run:03d}, models:/" in said.getvalue()


@pytest.mark.filterwarnings("ignore")
def test_commands_of_the_docs_say_what_they_promise(cycle, logged, tmp_path, monkeypatch):
    """In a copy, as they add to it. Of `pack evidence` the records here are those of the profile tiny."""
    folder = shutil.copytree(cycle.folder, tmp_path / "copy", symlinks=True)
    shutil.copytree(folder / "metrics/tiny/runs", folder / "metrics/evidence/runs")
    experiment = logged.get_experiment_by_name("grain_boundaries").experiment_id
    arm = "tags.`micromime.level` = 'arm' and tags.`micromime.arm` = 'base'"
    (scored,) = logged.search_runs([experiment], arm)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder / 'mlflow.db'}")
    for command in told.AFTER_THE_CYCLE:
        with redirect_stdout(io.StringIO()) as said:
            call(["python", "-m", *shlex.split(command.replace("RUN_ID", scored.info.run_id))], folder)
        assert not told.missing(told.AFTER_THE_CYCLE, command, said.getvalue())


def test_every_stage_of_both_use_cases_has_run(project, cycle):
    written = read_tree(project / "dvc.yaml")["stages"]
    assert {stage.name.partition("@")[0] for stage in cycle.stages} == set(written)
    assert {stage.name for stage in cycle.stages if stage.name.startswith("finetune")} == {
        f"finetune_grain_boundaries@{name}" for name in ROUNDS
    }

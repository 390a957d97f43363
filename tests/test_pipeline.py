"""The whole pipeline with the tiny profile, in a clone of the working tree: two commands, as a person gives them."""

import hashlib
import json
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import PIL.Image
import psutil
import pytest
from clones import (
    ARMS,
    CRACKS,
    VERDICT,
    Ran,
    committed,
    copied,
    environment,
    git,
    kept_in_git,
    module,
    run,
    working_tree,
)

from micromime.datasets.real import Micrograph
from micromime.datasets.sources import NO_REAL_SET
from micromime.datasets.store import Dataset
from micromime.datasets.surrogate import write_micrographs
from micromime.parameters import read_tree

pytestmark = pytest.mark.pipeline

METRICS = {"pixel_error", "mean_iou", "boundary_f1"}
INTERVALS = {"ci99_student", "ci99_agresti_coull_paper"}
COMPARISON = {"a", "b", "metric", "on", "n_pairs", "mean_difference", "p_value", "effect_size"}
PATIENCE_S = 300
NO_KEYS = {"AWS_ACCESS_KEY_ID": "nobody", "AWS_SECRET_ACCESS_KEY": "none"}
MODELS = ["synthetic", "real", "longer", "mixed"]


def run_killed(clone: Path, when: str, spared: str = "", **settings: object) -> list[psutil.Process]:
    """Start `micromime run`, and kill it and all that it has started as soon as a path appears.

    Spared are processes with a word in their command, and their children: those that still run are returned.
    """
    command = [sys.executable, "-m", "micromime", "run"]
    env = environment(clone, **settings)
    with (clone / ".micromime" / "killed.txt").open("w") as said:
        running = psutil.Popen(command, cwd=clone, env=env, stdout=said, stderr=said, start_new_session=True)
        deadline = time.monotonic() + PATIENCE_S
        while not any(clone.glob(when)) and running.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        started = running.children(recursive=True)
        roots = [each for each in started if spared and spared in each.cmdline()]
        kept = {*roots, *(child for each in roots for child in each.children(recursive=True))}
        killed = [each for each in [running, *started] if each not in kept]
        for each in killed:
            each.kill()
        running.wait()
        psutil.wait_procs(killed, timeout=PATIENCE_S)  # DVC takes those not reaped yet for running
    return [each for each in kept if each.is_running()]


@pytest.fixture(scope="module")
def first(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """A clone of the working tree in which the pipeline has run: no real pictures given."""
    clone = tmp_path_factory.mktemp("first") / "clone"
    working_tree(project, clone)
    return run(clone)


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two pictures, not square, that stand in for real ones: dark lines on noise."""
    folder = tmp_path_factory.mktemp("given")
    (folder / "grain_boundaries").mkdir()
    rng = np.random.default_rng(0)
    mask = np.zeros((70, 90), bool)
    mask[30:33], mask[:, 40:43] = True, True
    images = {name: np.where(mask, 60, rng.integers(120, 180, mask.shape)).astype(np.uint8) for name in ("a", "b")}
    pictures = [Micrograph(name, "fake", image, mask) for name, image in images.items()]
    write_micrographs(pictures, folder / "grain_boundaries")
    return folder


@pytest.fixture(scope="module")
def real(first: Ran, given: Path, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """The same after real pictures were given."""
    clone = copied(first, tmp_path_factory.mktemp("real"))
    return run(clone, MICROMIME_REAL=given)


@pytest.fixture(scope="module")
def bereft(real: Ran, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """The same after all that DVC keeps, the test set, networks and records were lost, and a new run was killed.

    One worker, so that one training surely has ended and the other has not.
    """
    clone = copied(real, tmp_path_factory.mktemp("bereft"))
    for lost in (".dvc/cache", "data/test_set", "models", "metrics/tiny/runs"):
        shutil.rmtree(clone / lost)
    run_killed(clone, "metrics/tiny/runs/grain_boundaries/base/run-001.json", MICROMIME_WORKERS=1)
    return run(clone)


@pytest.fixture(scope="module")
def from_records(first: Ran, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """A fresh clone that has what is in git, the records of every run, and a remote that nobody answers for."""
    clone = tmp_path_factory.mktemp("records") / "clone"
    git(first.clone, "clone", "--quiet", str(first.clone), str(clone))
    shutil.copytree(first.clone / "metrics/tiny/runs", clone / "metrics/tiny/runs")
    module(clone, "micromime", "profile", "tiny")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{free.getsockname()[1]}"
    words = ["s3://lab/data", "--name", "gone", "--endpoint", nobody, "--no-check"]
    module(clone, "micromime", "remote", "add", *words, **NO_KEYS)
    return run(clone, **NO_KEYS)


@pytest.fixture(scope="module")
def shared(first: Ran, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with its records in git, and with all that DVC keeps pushed to a folder of the team."""
    folder = tmp_path_factory.mktemp("shared")
    clone = copied(first, folder)
    module(clone, "micromime", "remote", "add", str(folder / "storage"))
    kept_in_git(clone)
    committed(clone, "a remote, and the records of every run")
    module(clone, "micromime", "push")
    return clone


def teammate(shared: Path, folder: Path, **settings: object) -> Ran:
    """What `micromime run` does in a fresh clone, somewhere else."""
    git(shared, "clone", "--quiet", str(shared), str(folder / "clone"))
    return run(folder / "clone", **settings)


@pytest.fixture(scope="module")
def other_round(first: Ran, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """The same after the sampler of one round was changed."""
    clone = copied(first, tmp_path_factory.mktemp("round"))
    written = (clone / "params.yaml").read_text()
    assert "fraction: 0.1" in written
    (clone / "params.yaml").write_text(written.replace("fraction: 0.1", "fraction: 0.5"))
    return run(clone)


def test_without_real_pictures_the_table_says_so_and_why(first):
    assert f"Test set: surrogate, not real ({NO_REAL_SET}); grain_boundaries, n = 3" in first.said
    assert f"Test set: surrogate, not real ({NO_REAL_SET}); chip_cracks, n = " in first.said
    assert {stage.partition("@")[0] for stage in first.stages} == set(read_tree(first.clone / "dvc.yaml")["stages"])
    assert sorted(stage for stage in first.stages if "@" in stage) == sorted(
        [f"{stage}_grain_boundaries@{arm}" for stage in ("resample", "finetune") for arm in ("random", "adaptive")]
    )


def reports(clone: Path) -> list[bytes]:
    return [(clone / verdict.with_suffix("") / "report.html").read_bytes() for verdict in (VERDICT, CRACKS)]


def test_an_object_that_the_remote_has_lost_costs_its_stage_alone(first, shared, tmp_path):
    file = first.clone / "data/synthetic/grain_boundaries/adaptive/shard-00000/images.npy"
    name = hashlib.md5(file.read_bytes()).hexdigest()
    (object_,) = (shared.parent / "storage").rglob(f"{name[:2]}/{name[2:]}")
    object_.rename(shared.parent / "lost")
    try:
        other = teammate(shared, tmp_path)
    finally:
        (shared.parent / "lost").rename(object_)
    assert other.stages == ["resample_grain_boundaries@adaptive"]
    assert reports(other.clone) == reports(first.clone)


def test_a_remote_that_does_not_answer_costs_a_sentence_and_the_computing(first, from_records):
    assert "The remote 'gone' at s3://lab/data does not answer" in from_records.said
    assert len(from_records.stages) == len(first.stages)
    assert all(reports(from_records.clone))


def test_without_a_remote_everything_is_computed(first):
    assert len(first.stages) == 20
    assert "does not answer" not in first.said
    assert all(reports(first.clone))


def test_the_verdict_has_all_its_keys(first):
    verdict = first.verdict
    assert verdict["test_set"].items() >= {"kind": "surrogate", "name": "grain_boundaries", "n": 3}.items()
    assert verdict["baselines"].keys() == {"nothing_found", "otsu", "local_threshold"}
    assert list(verdict["arms"]) == ARMS
    for arm in verdict["arms"].values():
        assert arm.pop("n_runs") == 2
        assert arm.keys() == METRICS
        for summary in arm.values():
            assert summary.keys() == {"mean", "sd", *INTERVALS}
            assert all(summary[key].keys() >= {"lo", "hi"} for key in INTERVALS)
    assert all(part["arms"]["base"].keys() == METRICS for part in verdict["by_source"].values())
    assert verdict["grain_size"]["all"]["arms"].keys() == set(ARMS)
    assert {(test["a"], test["b"]) for test in verdict["paired"].values() if test["paired_by"] == "run"} == {
        ("random", "base"),
        ("adaptive", "base"),
        ("adaptive", "random"),
    }
    assert all(test.keys() >= COMPARISON for test in verdict["paired"].values())
    assert {test["metric"] for test in verdict["paired"].values()} == METRICS


@pytest.mark.parametrize("name", ["panel", "figure_4", "worst"])
def test_the_pictures_are_pictures(first, name):
    with PIL.Image.open(first.clone / VERDICT.with_suffix("") / f"{name}.png") as picture:
        picture.load()
    assert min(picture.size) > 200


def test_the_report_is_a_page_that_says_what_was_tested_on(first):
    page = (first.clone / VERDICT.with_suffix("") / "report.html").read_text()
    assert (
        "surrogate, not real"
        in re.search(r"<h1.*?</h1>", page, re.DOTALL)[0] + re.search(r"<title>.*?</title>", page)[0]
    )
    assert all(f">{arm}" in page for arm in ARMS)


def test_every_arm_has_as_many_new_images_and_says_what_they_vary(first):
    described = {
        arm: json.loads((first.clone / f"data/synthetic/grain_boundaries/{arm}/dataset.json").read_text())
        for arm in ARMS[1:]
    }
    assert {each["count"] for each in described.values()} == {10}
    base = first.clone / "data/synthetic/grain_boundaries/base/dataset.json"
    assert {each["parent"]["sha256"] for each in described.values()} == {hashlib.sha256(base.read_bytes()).hexdigest()}
    parents = {
        arm: set(Dataset(first.clone / f"data/synthetic/grain_boundaries/{arm}").samples["parent"]) for arm in ARMS[1:]
    }
    scores = pd.read_parquet(first.clone / "data/scores/grain_boundaries/base.parquet")
    assert parents == {"random": {""}, "adaptive": {scores.loc[scores["score.mean_iou"].idxmin(), "id"]}}


def test_dvc_plots_the_learning_curves_and_the_pictures(first, tmp_path):
    module(first.clone, "dvc", "plots", "show", "--out", str(tmp_path))
    page = (tmp_path / "index.html").read_text()
    assert "curves_csv" in page
    assert len(list(tmp_path.rglob("*.png"))) == 6


def without_none(tree: dict) -> dict:
    """What DVC shows of nested metrics: it leaves out what is None."""
    kept = {key: without_none(each) if isinstance(each, dict) else each for key, each in tree.items()}
    return {key: each for key, each in kept.items() if each is not None}


def test_dvc_shows_the_numbers(first):
    shown = json.loads(module(first.clone, "dvc", "metrics", "show", "--json"))
    assert shown[""]["data"][str(VERDICT)]["data"] == without_none(first.verdict)
    assert "arms.base.mean_iou.mean" in module(first.clone, "dvc", "metrics", "show")


def test_cracks_are_judged_beside_their_controls(first):
    said = json.loads((first.clone / CRACKS).read_text())
    (part,) = said["subsets"].values()
    for on in ("test", "every"):
        assert list(part[on]["arms"]) == MODELS
        assert part[on]["baselines"].keys() == {"line_filter"}
        assert all(arm["n_runs"] == 2 for arm in part[on]["arms"].values())
        assert "mixed_vs_real_error_rate" in part[on]["paired"]
    assert part["every"]["test_set"]["n"] > part["test"]["test_set"]["n"]
    assert 0 <= said["textures"]["all"]["accuracy"] <= 1
    page = (first.clone / CRACKS.with_suffix("") / "report.html").read_text()
    assert "surrogate, not real" in page
    for name in ("figure_3", "contact_sheet", "wrong"):
        with PIL.Image.open(first.clone / CRACKS.with_suffix("") / f"{name}.png") as picture:
            picture.load()


def test_mlflow_shows_the_models_of_cracks_side_by_side(first, logged):
    client, _ = logged
    experiment = client.get_experiment_by_name("chip_cracks")
    arms = client.search_runs([experiment.experiment_id], "tags.`micromime.level` = 'arm'")
    assert {each.info.run_name for each in arms} == {f"{model}_all" for model in MODELS}
    assert len({each.data.tags["micromime.comparison"] for each in arms}) == 1
    part = json.loads((first.clone / CRACKS).read_text())["subsets"]["all"]["test"]
    for each in arms:
        model = each.info.run_name.partition("_")[0]
        assert each.data.metrics["surrogate.error_rate.mean"] == part["arms"][model]["error_rate"]["mean"]


def test_a_second_run_runs_no_stage(first):
    second = run(first.clone)
    assert second.stages == []
    assert second.said.count("didn't change, skipping") == len(first.stages)


@pytest.fixture(scope="module")
def logged(first):
    """The runs in MLflow, and what asks for more."""
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{first.clone / 'mlflow.db'}")
    experiments = {each.name: each for each in client.search_experiments() if each.name != "Default"}
    assert set(experiments) == {"grain_boundaries", "chip_cracks"}
    experiment = experiments["grain_boundaries"]
    return client, client.search_runs([experiment.experiment_id])


def test_mlflow_shows_the_arms_side_by_side_with_a_run_for_each_seed(first, logged):
    client, runs = logged
    base = next(each for each in runs if each.data.tags["micromime.level"] == "arm" and each.info.run_name == "base")
    wanted = (
        f"tags.`micromime.comparison` = '{base.data.tags['micromime.comparison']}' and tags.`micromime.level` = 'arm'"
    )
    arms = {each.info.run_name: each for each in client.search_runs([base.info.experiment_id], wanted)}
    assert set(arms) == set(ARMS)
    for name, arm in arms.items():
        seeds = [each for each in runs if each.data.tags.get("mlflow.parentRunId") == arm.info.run_id]
        assert {each.data.tags["micromime.seed"] for each in seeds} == {"1", "2"}
        means = [each.data.metrics["surrogate.mean_iou"] for each in seeds]
        assert np.mean(means) == pytest.approx(first.verdict["arms"][name]["mean_iou"]["mean"])
        assert arm.data.metrics["surrogate.mean_iou.mean"] == first.verdict["arms"][name]["mean_iou"]["mean"]
    assert "surrogate.mean_iou.minus_random.p_value" in arms["adaptive"].data.metrics


def test_mlflow_says_of_every_run_what_it_was_made_of(logged):
    _, runs = logged
    assert len(runs) == 9
    for each in runs:
        assert each.info.status == "FINISHED"
        assert each.data.tags["micromime.test_set"] == "surrogate, not real"
        assert each.data.params["train.threads"] == "1"
        data = {given.dataset.name for given in each.inputs.dataset_inputs}
        assert data == {each.data.tags["micromime.arm"], "test_set"}


def test_mlflow_keeps_the_table_of_scores_and_the_pictures(first, logged, tmp_path):
    client, runs = logged
    base = next(each for each in runs if each.data.tags["micromime.level"] == "arm" and each.info.run_name == "base")
    table = Path(client.download_artifacts(base.info.run_id, "base.parquet", str(tmp_path)))
    assert table.read_bytes() == (first.clone / "data/scores/grain_boundaries/base.parquet").read_bytes()
    pictures = {each.path for each in client.list_artifacts(base.info.run_id, "pictures")}
    assert pictures == {f"pictures/{name}.png" for name in ("panel", "figure_4", "worst")}


def test_the_median_run_of_every_arm_is_registered(logged):
    client, _ = logged
    aliases = client.get_registered_model("micromime-grain_boundaries-tiny").aliases
    assert set(aliases) == set(ARMS)


def test_readmes_python_loads_the_registered_network(project, first):
    block = next(each for each in (project / "README.md").read_text().split("```python\n") if "load_model" in each)
    code = block.partition("```")[0].replace("-demo@", "-tiny@")
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        cwd=first.clone,
        env=environment(first.clone),
        capture_output=True,
        text=True,
        check=False,
    )
    assert "(1, 200, 300)" in ended.stdout, ended.stderr


def test_given_pictures_are_judged_on_and_nothing_else_runs(real):
    assert real.stages == ["import_grain_boundaries", "judge_grain_boundaries", "report_grain_boundaries"]
    assert real.trained == []
    assert "Test set: real pictures; grain_boundaries, n = 2" in real.said
    assert real.verdict["test_set"]["kind"] == "real"


def test_real_stays_real_from_the_cache(real):
    git(real.clone, "add", ".")
    git(real.clone, "commit", "--quiet", "--message", "judged on real pictures")
    again = run(real.clone)
    assert again.stages == []
    assert again.verdict["test_set"]["kind"] == "real"


def test_without_test_set_and_cache_it_is_a_surrogate_again(bereft):
    assert f"Test set: surrogate, not real ({NO_REAL_SET})" in bereft.said
    assert bereft.verdict["test_set"]["kind"] == "surrogate"


def test_a_killed_training_goes_on_to_the_same_weights(first, bereft):
    assert bereft.trained == ["base: 1 of 2", "random: 2 of 2", "adaptive: 2 of 2"]
    for arm in ARMS:
        assert bereft.weights(arm) == first.weights(arm)
        assert len(set(first.weights(arm).values())) == 2


def test_a_clone_with_records_trains_only_what_the_pictures_need(first, from_records):
    assert from_records.verdict == first.verdict
    assert from_records.trained == ["base: 1 of 2"]
    assert json.loads((from_records.clone / CRACKS).read_text()) == json.loads((first.clone / CRACKS).read_text())
    assert from_records.all_trained == from_records.trained
    assert from_records.said.count("was taken from its record; there is no network to register") == 2 + len(MODELS)


def test_a_changed_round_runs_itself_alone(first, other_round):
    stages = ["check", *(f"{each}_grain_boundaries" for each in ("resample", "finetune", "judge", "report"))]
    assert [stage.removesuffix("@adaptive") for stage in other_round.stages] == stages
    assert other_round.trained == ["adaptive: 2 of 2"]
    assert other_round.weights("random") == first.weights("random")
    assert other_round.weights("adaptive").keys() == first.weights("adaptive").keys()


def test_beside_a_stage_that_outlived_its_dvc_nothing_is_trained(first, tmp_path):
    clone = copied(first, tmp_path)
    shutil.rmtree(clone / "models")
    shutil.rmtree(clone / ".dvc" / "cache")
    shutil.rmtree(clone / "metrics" / "tiny" / "runs")
    alive = run_killed(clone, ".micromime/networks/unfinished-*/epochs.jsonl", spared="micromime.stages.train")
    assert alive
    for each in alive:
        each.suspend()  # so that it surely is still there when the second one comes to it
    said = module(clone, "micromime", "run", code=2)
    for each in alive:
        each.resume()
    assert "is being worked on by another micromime; wait until it ends, or end it." in said
    assert "Traceback" not in said
    psutil.wait_procs(alive, timeout=PATIENCE_S)
    again = run(clone)
    assert again.verdict == first.verdict
    assert again.weights("random") == first.weights("random")


def test_a_wrong_key_ends_it_in_one_sentence_before_any_stage(first, tmp_path):
    clone = copied(first, tmp_path)
    right = (clone / "params.yaml").read_text()
    (clone / "params.yaml").write_text(right.replace("diameter_px", "diametre_px", 1))
    said = module(clone, "micromime", "run", code=2)
    assert re.fullmatch(r"micromime: grain_boundaries\.scenario\.grain_structure\.diametre_px [^\n]*\.\n", said)

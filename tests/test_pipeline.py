"""The whole pipeline with the tiny profile, in a clone of the working tree: two commands, as a person gives them."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import PIL.Image
import psutil
import pytest

from micromime.datasets.real import Micrograph
from micromime.datasets.sources import NO_REAL_SET
from micromime.datasets.surrogate import write_micrographs
from micromime.parameters import read_tree

pytestmark = pytest.mark.pipeline

VERDICT = Path("metrics/tiny/grain_boundaries.json")
METRICS = {"pixel_error", "mean_iou", "boundary_f1"}
INTERVALS = {"ci99_student", "ci99_agresti_coull_paper"}
COMPARISON = {"a", "b", "metric", "on", "n_pairs", "mean_difference", "p_value", "effect_size"}
PATIENCE_S = 300


class Ran(NamedTuple):
    """A clone in which `micromime run` has ended well, and all that it said."""

    clone: Path
    said: str

    @property
    def stages(self) -> list[str]:
        return re.findall(r"^Running stage '(\w+)'", self.said, re.MULTILINE)

    @property
    def verdict(self) -> dict:
        return json.loads((self.clone / VERDICT).read_text())

    def weights(self) -> dict[str, bytes]:
        return {file.parent.name: file.read_bytes() for file in self.clone.glob("models/*/base/*/weights.safetensors")}


def environment(clone: Path, **settings: object) -> dict[str, str]:
    """The clone's code in front, two workers, and all that is set outside for ours or DVC forgotten."""
    ours = ("MICROMIME_", "MLFLOW_", "DVC_", "GIT_")
    kept = {name: text for name, text in os.environ.items() if not name.startswith(ours)}
    given = {"MICROMIME_WORKERS": 2, "PYTHONPATH": clone / "src", "DVC_SITE_CACHE_DIR": clone / ".micromime" / "dvc"}
    return kept | {name: str(text) for name, text in (given | settings).items()}


def module(clone: Path, *words: str, code: int = 0, **settings: object) -> str:
    """Run a Python module in the clone and return all that it says."""
    ended = subprocess.run(
        [sys.executable, "-m", *words],
        cwd=clone,
        env=environment(clone, **settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert ended.returncode == code, ended.stdout
    return ended.stdout


def run(clone: Path, **settings: object) -> Ran:
    return Ran(clone, module(clone, "micromime", "run", **settings))


def run_killed(clone: Path, when: str, **settings: object) -> None:
    """Start `micromime run`, and kill it and all that it has started as soon as a path appears."""
    command = [sys.executable, "-m", "micromime", "run"]
    env = environment(clone, **settings)
    with (clone / ".micromime" / "killed.txt").open("w") as said:
        running = subprocess.Popen(command, cwd=clone, env=env, stdout=said, stderr=said, start_new_session=True)
        try:
            deadline = time.monotonic() + PATIENCE_S
            while not any(clone.glob(when)) and running.poll() is None and time.monotonic() < deadline:
                time.sleep(0.05)
        finally:
            if running.poll() is None:
                started = psutil.Process(running.pid).children(recursive=True)
                os.killpg(running.pid, signal.SIGKILL)
                running.wait()
                psutil.wait_procs(started, timeout=PATIENCE_S)  # DVC takes those not reaped yet for running


def git(clone: Path, *words: str) -> None:
    settings = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *settings, *words], cwd=clone, env=environment(clone), check=True, capture_output=True)


@pytest.fixture(scope="module")
def first(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """A clone of the working tree, uncommitted edits too, in which the pipeline has run: no real pictures given."""
    clone = tmp_path_factory.mktemp("first") / "clone"
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=project, capture_output=True, text=True, check=True).stdout.split("\0")
    for name in names:
        if (project / name).is_file():
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(project / name, clone / name)
    git(clone, "init", "--quiet")
    git(clone, "add", ".")
    git(clone, "commit", "--quiet", "--message", "as it stands")
    module(clone, "micromime", "profile", "tiny")
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


def copied(ran: Ran, folder: Path) -> Path:
    """A copy of a clone, for what would change it."""
    return shutil.copytree(ran.clone, folder / "clone", symlinks=True)


@pytest.fixture(scope="module")
def real(first: Ran, given: Path, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """The same after real pictures were given."""
    clone = copied(first, tmp_path_factory.mktemp("real"))
    return run(clone, MICROMIME_REAL=given)


@pytest.fixture(scope="module")
def bereft(real: Ran, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """The same after all that DVC keeps, the test set and the networks were lost, and a first new run was killed.

    One worker, so that one training surely has ended and the other has not.
    """
    clone = copied(real, tmp_path_factory.mktemp("bereft"))
    for lost in (".dvc/cache", "data/test_set", "models"):
        shutil.rmtree(clone / lost)
    run_killed(clone, ".micromime/work/train/*/run-001", MICROMIME_WORKERS=1)
    return run(clone)


def test_without_real_pictures_the_table_says_so_and_why(first):
    assert f"Test set: surrogate, not real ({NO_REAL_SET}); grain_boundaries, n = 3" in first.said
    assert first.stages == list(read_tree(first.clone / "dvc.yaml")["stages"])


def test_the_verdict_has_all_its_keys(first):
    verdict = first.verdict
    assert verdict["test_set"].items() >= {"kind": "surrogate", "name": "grain_boundaries", "n": 3}.items()
    assert verdict["baselines"].keys() == {"nothing_found", "otsu", "local_threshold"}
    arm = verdict["arms"]["base"]
    assert arm.pop("n_runs") == 2
    assert arm.keys() == METRICS
    for summary in arm.values():
        assert summary.keys() == {"mean", "sd", *INTERVALS}
        assert all(summary[key].keys() >= {"lo", "hi"} for key in INTERVALS)
    assert all(part["arms"]["base"].keys() == METRICS for part in verdict["by_source"].values())
    assert all(test.keys() >= COMPARISON for test in verdict["paired"].values())
    assert {test["metric"] for test in verdict["paired"].values()} == METRICS


def test_the_panel_is_a_picture(first):
    with PIL.Image.open(first.clone / VERDICT.with_suffix("") / "panel.png") as panel:
        panel.load()
    assert min(panel.size) > 200


def test_dvc_shows_the_numbers(first):
    shown = json.loads(module(first.clone, "dvc", "metrics", "show", "--json"))
    assert shown[""]["data"][str(VERDICT)]["data"] == first.verdict
    assert "arms.base.mean_iou.mean" in module(first.clone, "dvc", "metrics", "show")


def test_a_second_run_runs_no_stage(first):
    second = run(first.clone)
    assert second.stages == []
    assert second.said.count("didn't change, skipping") == len(first.stages)


def test_mlflow_holds_an_arm_and_a_run_for_each_seed(first):
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{first.clone / 'mlflow.db'}")
    (experiment,) = [each for each in client.search_experiments() if each.name != "Default"]
    assert experiment.name == "grain_boundaries"
    runs = client.search_runs([experiment.experiment_id])
    (arm,) = [each for each in runs if each.data.tags["micromime.level"] == "arm"]
    seeds = [each for each in runs if each.data.tags.get("mlflow.parentRunId") == arm.info.run_id]
    assert {each.data.tags["micromime.seed"] for each in seeds} == {"1", "2"}
    assert len(runs) == 3
    for each in runs:
        assert each.info.status == "FINISHED"
        assert each.data.params.items() >= {"train.runs": "2", "data.count": "12"}.items()
        assert each.data.tags["micromime.test_set"] == "surrogate, not real"
        assert {each.dataset.name for each in each.inputs.dataset_inputs} == {"base", "test_set"}
    means = [each.data.metrics["surrogate.mean_iou"] for each in seeds]
    assert np.mean(means) == pytest.approx(first.verdict["arms"]["base"]["mean_iou"]["mean"])


def test_given_pictures_are_judged_on_and_nothing_else_runs(real):
    assert real.stages == ["import_grain_boundaries", "judge_grain_boundaries"]
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
    assert "1 of 2 runs to train" in bereft.said
    assert bereft.stages == ["train_grain_boundaries", "judge_grain_boundaries"]
    assert bereft.weights() == first.weights()
    assert len(set(first.weights().values())) == 2


def test_a_wrong_key_ends_it_in_one_sentence_before_any_stage(first, tmp_path):
    clone = copied(first, tmp_path)
    right = (clone / "params.yaml").read_text()
    (clone / "params.yaml").write_text(right.replace("diameter_px", "diametre_px", 1))
    said = module(clone, "micromime", "run", code=2)
    assert re.fullmatch(r"micromime: grain_boundaries\.scenario\.grain_structure\.diametre_px [^\n]*\.\n", said)

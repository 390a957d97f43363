"""The pipeline of the tiny profile in fresh clones, which have records, or a remote, and perhaps not all of it."""

import hashlib
import json
import shutil
import socket
from pathlib import Path

import pytest
from clones import CRACKS, Ran, committed, copied, git, kept_in_git, module, reports, run

pytestmark = [pytest.mark.pipeline, pytest.mark.timeout(3600)]  # a fixture may wait for what another worker makes

NO_KEYS = {"AWS_ACCESS_KEY_ID": "nobody", "AWS_SECRET_ACCESS_KEY": "none"}
MODELS = ["synthetic", "real", "longer", "mixed"]


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


def test_a_clone_with_records_trains_only_what_the_pictures_need(first, from_records):
    assert from_records.verdict == first.verdict
    assert from_records.trained == ["base: 1 of 2"]
    assert json.loads((from_records.clone / CRACKS).read_text()) == json.loads((first.clone / CRACKS).read_text())
    assert from_records.all_trained == from_records.trained
    assert from_records.said.count("was taken from its record; there is no network to register") == 2 + len(MODELS)

"""One clone in which the pipeline of the tiny profile runs, and changes in it, each after the other."""

import json
import shlex
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import told
from clones import Ran, committed, git, kept_in_git, module, ran, run, run_killed, working_tree

from micromime.pictures.micrographs import Micrograph
from micromime.pictures.surrogates.grains import write_micrographs

BASE = "models/grain_boundaries/base"

OFFLINE = {"MICROMIME_OFFLINE": 1}
"""Until the story tells its server of all of it, MLflow is told of the killed run alone: each stage would import it."""


def edited(file: Path, before: str, after: str) -> None:
    text = file.read_text()
    assert text.count(before) >= 1, f"{file} does not say {before!r}"
    file.write_text(text.replace(before, after, 1))


class First(NamedTuple):
    """What a run said that was killed in the middle of a training, and the one that has gone on with it."""

    killed: str
    ran: Ran


@pytest.fixture(scope="session")
def first(project, tmp_path_factory) -> First:
    """One worker until it is killed, so that one run has ended and the other has not; then two, and later one."""
    clone = working_tree(project, tmp_path_factory.mktemp("pipeline") / "a")
    record = "metrics/tiny/runs/grain_boundaries/base/run-001.json"
    said = run_killed(clone, record, ".micromime/networks/unfinished-*/epochs.jsonl", MICROMIME_WORKERS=1)
    return First(said, run(clone, MICROMIME_WORKERS=2, **OFFLINE))


@pytest.fixture(scope="session")
def reworded(first: First) -> Ran:
    """The same after words were changed in what every network depends on."""
    learner = first.ran.clone / "src/micromime/training/learner.py"
    learner.write_text(f'{learner.read_text()}\n\n# A comment more.\n"""And a string that says something."""\n')
    return run(first.ran.clone, **OFFLINE)


@pytest.fixture(scope="session")
def again(reworded: Ran) -> Ran:
    """The same after another run, between which nothing was changed."""
    return run(reworded.clone, **OFFLINE)


@pytest.fixture(scope="session")
def given(tmp_path_factory) -> Path:
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


HASHES = "^(data|models)/|parquet|csv|verdict"
"""What docs/results.md drops of DVC's table of experiments: hashes of data and networks."""


class Changed(NamedTuple):
    """What DVC said of a changed round, the experiment with it, and what DVC and git say before it is committed."""

    status: str
    diff: dict
    ran: Ran
    params: str
    told: dict[str, str]
    """What the commands of docs/results.md say then."""
    experiments: str


@pytest.fixture(scope="session")
def changed(again: Ran, given: Path) -> Changed:
    """The same after an experiment, in which a round was changed, with real pictures that were given."""
    clone = again.clone
    kept_in_git(clone)
    committed(clone, "as it ran")
    edited(clone / "params.yaml", "fraction: 0.1", "fraction: 0.5")
    status = module(clone, "dvc", "status")
    diff = json.loads(module(clone, "dvc", "params", "diff", "--json"))
    git(clone, "checkout", "--quiet", "params.yaml")
    module(clone, "micromime", "sources", MICROMIME_REAL=given)
    key = "grain_boundaries.rounds.adaptive.sampler.worst_fraction.fraction"
    said = module(clone, "dvc", "exp", "run", "--set-param", f"{key}=0.5", MICROMIME_REAL=given, **OFFLINE)
    params, after = git(clone, "diff", "--unified=0", "params.yaml"), ran(clone, said)
    experiments = module(clone, "dvc", "exp", "show", "--only-changed", "--csv", "--drop", HASHES)
    each = {command: module(clone, *shlex.split(command)) for command in told.AFTER_AN_EXPERIMENT}
    return Changed(status, diff, after, params, each, experiments)

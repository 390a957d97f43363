"""The pipeline of the tiny profile under DVC: killed, gone on with, changed, pushed, and pulled somewhere else."""

import hashlib
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from clones import Ran, committed, git, kept_in_git, module, run, run_killed, stages_in, working_tree
from cycle import declared, run_alone

from micromime.pictures.micrographs import Micrograph
from micromime.pictures.surrogates.grains import write_micrographs

pytestmark = [pytest.mark.ci, pytest.mark.xdist_group("dvc"), pytest.mark.timeout(3600)]

BASE = "models/grain_boundaries/base"


def edited(file: Path, before: str, after: str) -> None:
    text = file.read_text()
    assert text.count(before) >= 1, f"{file} does not say {before!r}"
    file.write_text(text.replace(before, after, 1))


class First(NamedTuple):
    """What a run said that was killed in the middle of a training, and the one that has gone on with it."""

    killed: str
    ran: Ran


@pytest.fixture(scope="module")
def first(project, tmp_path_factory) -> First:
    """One worker until it is killed, so that one run surely has ended and the other has not; two after that."""
    clone = working_tree(project, tmp_path_factory.mktemp("pipeline") / "a")
    record = "metrics/tiny/runs/grain_boundaries/base/run-001.json"
    said = run_killed(clone, record, ".micromime/networks/unfinished-*/epochs.jsonl", MICROMIME_WORKERS=1)
    return First(said, run(clone))


@pytest.fixture(scope="module")
def reworded(first: First) -> Ran:
    """The same after words were changed in what every network depends on."""
    learner = first.ran.clone / "src/micromime/training/learner.py"
    learner.write_text(f'{learner.read_text()}\n\n# A comment more.\n"""And a string that says something."""\n')
    return run(first.ran.clone)


@pytest.fixture(scope="module")
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


class Changed(NamedTuple):
    """What DVC said of a changed round, and the run after it."""

    status: str
    diff: dict
    ran: Ran


@pytest.fixture(scope="module")
def changed(reworded: Ran, given: Path) -> Changed:
    """The same after a round was changed and real pictures were given."""
    clone = reworded.clone
    kept_in_git(clone)
    committed(clone, "as it ran")
    edited(clone / "params.yaml", "fraction: 0.1", "fraction: 0.5")
    status = module(clone, "dvc", "status")
    diff = json.loads(module(clone, "dvc", "params", "diff", "--json"))
    return Changed(status, diff, run(clone, MICROMIME_REAL=given))


def test_everything_runs_once_but_what_was_killed(first):
    every = [stage.name for stage in declared(first.ran.clone)]
    ended, began = stages_in(first.killed), first.ran.stages
    assert ended[-1] == began[0] == "train_grain_boundaries"
    assert sorted(ended[:-1] + began) == sorted(every)


def test_no_run_is_trained_twice(first):
    arms = ["random", "adaptive", "random_2", "adaptive_2"]
    models = [f"{model}_all" for model in ("synthetic", "longer", "mixed", "real")]
    assert sorted(first.ran.trained) == sorted(["base: 1 of 2", *(f"{name}: 2 of 2" for name in [*arms, *models])])


def test_a_killed_training_goes_on_to_the_same_weights(first, tmp_path, monkeypatch):
    """As a stage alone, in this process, with one worker, that nobody has killed."""
    monkeypatch.setenv("MICROMIME_WORKERS", "1")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    (stage,) = [each for each in declared(first.ran.clone) if each.name == "train_grain_boundaries"]
    run_alone(stage, first.ran.clone, tmp_path)
    for number in (1, 2):
        path = f"{BASE}/run-{number:03d}/weights.safetensors"
        assert hashlib.md5((tmp_path / path).read_bytes()).hexdigest() == first.ran.weights[path]


def test_words_in_the_learner_train_nothing(first, reworded):
    assert reworded.trained == []
    assert reworded.made == first.ran.made
    assert not [stage for stage in reworded.stages if "score" in stage or "judge" in stage]


def test_where_nothing_has_changed_no_stage_runs(reworded):
    again = run(reworded.clone)
    assert again.stages == []
    assert again.made == reworded.made


def test_dvc_says_what_has_changed(changed):
    assert "resample_grain_boundaries@adaptive:" in changed.status
    assert "train_grain_boundaries:" not in changed.status
    ((key, values),) = changed.diff["params.yaml"].items()
    assert key == "grain_boundaries.rounds.adaptive.sampler.worst_fraction.fraction"
    assert values == {"old": 0.1, "new": 0.5}


def test_a_changed_round_and_given_pictures_run_their_own_stages_alone(reworded, changed):
    rounds = ["adaptive", "adaptive_2"]
    of_rounds = [
        f"{verb}_grain_boundaries@{name}" for name in rounds for verb in ("resample", "finetune", "score_rounds")
    ]
    of_use_case = [f"{verb}_grain_boundaries" for verb in ("import", "judge", "explain", "report")]
    assert sorted(changed.ran.stages) == sorted(of_rounds + of_use_case)
    assert changed.ran.trained == [f"{name}: 2 of 2" for name in rounds]
    other = {path for path, md5 in changed.ran.weights.items() if reworded.weights[path] != md5}
    assert {Path(path).parts[2] for path in other} == {*rounds}


def test_given_pictures_are_judged_on(changed):
    assert "Test set: real pictures; grain_boundaries, n = 2" in changed.ran.said
    assert [verdict["test_set"]["kind"] for verdict in changed.ran.verdicts] == ["real", "surrogate"]


def test_dvc_shows_the_numbers_curves_and_pictures(changed, tmp_path):
    shown = module(changed.ran.clone, "dvc", "metrics", "show")
    assert "arms.base.mean_iou.mean" in shown
    assert "experiments" not in shown
    module(changed.ran.clone, "dvc", "plots", "show", "--out", str(tmp_path))
    assert "curves_csv" in (tmp_path / "index.html").read_text()
    assert len([*tmp_path.rglob("*.png")]) == 6


@pytest.fixture(scope="module")
def pulled(changed: Changed) -> Ran:
    """What a teammate's clone computes after all was tagged and pushed to a folder, of which one object was lost."""
    clone = changed.ran.clone
    storage, other = clone.parent / "storage", clone.parent / "b"
    kept_in_git(clone)
    module(clone, "micromime", "remote", "add", str(storage))
    committed(clone, "another round, and real pictures")
    module(clone, "micromime", "tag", "second-model")
    module(clone, "micromime", "push")
    images = clone / "data/synthetic/grain_boundaries/adaptive/shard-00000/images.npy"
    name = hashlib.md5(images.read_bytes()).hexdigest()
    (lost,) = storage.rglob(f"{name[:2]}/{name[2:]}")
    lost.unlink()
    git(clone, "clone", "--quiet", ".", str(other))
    return run(other)


def test_a_teammate_computes_nothing_but_what_was_lost(changed, pulled):
    assert pulled.stages == ["resample_grain_boundaries@adaptive"]
    assert pulled.made == changed.ran.made


def test_the_lineage_of_a_model_names_every_ancestor_and_tag(pulled):
    said = module(pulled.clone, "micromime", "lineage", "models/grain_boundaries/adaptive_2/run-001")
    for name in ("base", "adaptive", "adaptive_2", "scoring"):
        assert f"data/synthetic/grain_boundaries/{name}\n" in said
    for ancestor in (f"{BASE}/run-001", "data/scores/grain_boundaries/base.parquet", "second-model"):
        assert ancestor in said
    assert json.loads(module(pulled.clone, "micromime", "lineage", "--json", f"{BASE}/run-001"))


def test_a_wrong_key_ends_it_in_one_sentence_before_any_stage(pulled):
    edited(pulled.clone / "params.yaml", "diameter_px", "diametre_px")
    said = module(pulled.clone, "micromime", "run", code=2)
    edited(pulled.clone / "params.yaml", "diametre_px", "diameter_px")
    assert said.startswith("micromime: grain_boundaries.scenario.grain_structure.diametre_px ")
    assert said.count("\n") == 1

"""The pipeline of the tiny profile under DVC: killed, gone on with, and changed; servers/test_story.py shares it."""

import hashlib
from pathlib import Path

import pytest
from clones import module, stages_in
from cycle import declared, run_alone
from pipeline import BASE, edited

pytestmark = [pytest.mark.ci, pytest.mark.xdist_group("dvc"), pytest.mark.timeout(3600)]


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


def test_where_nothing_has_changed_no_stage_runs(reworded, again):
    assert again.stages == []
    assert again.made == reworded.made


def test_dvc_says_what_has_changed(changed):
    assert "resample_grain_boundaries@adaptive:" in changed.status
    assert "train_grain_boundaries:" not in changed.status
    ((key, values),) = changed.diff["params.yaml"].items()
    assert key == "grain_boundaries.rounds.adaptive.sampler.worst_fraction.fraction"
    assert (values["old"], values["new"]) == (0.1, 0.5)


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
    module(changed.ran.clone, "dvc", "plots", "show", "--out", str(tmp_path))
    assert "curves_csv" in (tmp_path / "index.html").read_text()
    assert len([*tmp_path.rglob("*.png")]) == 6


def test_dvc_says_nothing_of_experiments(changed):
    told = [module(changed.ran.clone, "dvc", *words.split()) for words in ("metrics show", "exp show --json")]
    assert not [said for said in (changed.status, *told) if "experiments/" in said]


def test_a_wrong_key_ends_it_in_one_sentence_before_any_stage(changed):
    edited(changed.ran.clone / "params.yaml", "diameter_px", "diametre_px")
    said = module(changed.ran.clone, "micromime", "run", code=2)
    edited(changed.ran.clone / "params.yaml", "diametre_px", "diameter_px")
    assert said.startswith("micromime: grain_boundaries.scenario.grain_structure.diametre_px ")
    assert said.count("\n") == 1

"""The pipeline of the tiny profile under DVC: killed, gone on with, and changed; servers/test_story.py shares it."""

import csv
import hashlib
import json
import re
from pathlib import Path

import pytest
import told
from clones import module, stages_in, working_tree
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
    page = (changed.ran.clone / "metrics/tiny/grain_boundaries.md").read_text()
    assert page.startswith("# Grain boundaries: verdict on 2 real pictures\n")
    assert [verdict["test_set"]["kind"] for verdict in changed.ran.verdicts] == ["real", "surrogate"]


def test_an_experiment_changes_the_line_that_it_sets_and_no_other(changed):
    lines = [line for line in changed.params.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    assert [line.partition("#")[0].split() for line in lines] == [["-", "fraction:", "0.1"], ["+", "fraction:", "0.5"]]


def test_dvc_shows_a_dozen_numbers_of_each_use_case(changed):
    assert max(map(len, changed.told["dvc metrics show"].splitlines())) <= 400
    numbers = json.loads((changed.ran.clone / "metrics/tiny/grain_boundaries.json").read_text())
    lines = changed.told["dvc metrics diff"].splitlines()
    assert len(lines) <= 5 + 12
    (compared,) = [line.split() for line in lines if " base.mean_iou " in line]
    assert float(compared[3]) == pytest.approx(numbers["base"]["mean_iou"], abs=1e-5)


def test_dvc_shows_experiments_side_by_side(changed):
    """Beside the one setting at most 24 numbers; hashes of data and networks are left out."""
    shown = changed.experiments
    head, *rows = csv.reader(shown[shown.index("Experiment,") :].splitlines())
    (tried,) = [dict(zip(head, row, strict=True)) for row in rows if row[0]]
    (before,) = [dict(zip(head, row, strict=True)) for row in rows if row[1] in ("main", "master")]
    key = "grain_boundaries.rounds.adaptive.sampler.worst_fraction.fraction"
    assert (before[key], tried[key]) == ("0.1", "0.5")
    numbers = [name for name in head[4:] if name != key]
    assert len(numbers) <= 24
    assert tried["adaptive_2.mean_iou"] != before["adaptive_2.mean_iou"] != ""


@pytest.mark.parametrize("command", told.AFTER_AN_EXPERIMENT)
def test_commands_of_the_docs_say_what_they_promise(changed, command):
    assert not told.missing(told.AFTER_AN_EXPERIMENT, command, changed.told[command])


def test_dvc_draws_six_plots(changed):
    plots = changed.ran.clone / "dvc_plots"
    page = (plots / "index.html").read_text()
    specs = [json.loads(each) for each in re.findall(r"var spec = (\{.*\});", page)]
    assert [*plots.rglob("*.png")] == []
    drawn = {each["title"]["text"]: each.get("spec", each)["encoding"] for each in specs}
    axes = {name: (each["x"]["title"], each["y"]["title"]) for name, each in drawn.items()}
    assert axes == {
        "Grain boundaries by source (pictures)": ("mean IoU, mean over runs", "source"),
        "Learning grain boundaries": ("epoch", "validation loss, mean over runs"),
        "What networks fail on in synthetic samples": ("value", "score"),
        "Cracks by specimen (tiles) with the fewest training tiles": ("error rate, mean over runs", "source"),
        "What real training tiles are worth": ("real training tiles", "error rate, mean over runs"),
        "Learning cracks": ("epoch", "validation loss, mean over runs"),
    }
    assert all(each["data"]["values"] for each in specs)


@pytest.mark.slow
def test_an_experiment_with_another_number_of_runs_in_a_clean_clone(project, tmp_path):
    """Nothing but what git has, and nobody who has run it before: `finetune.runs` follows `train.runs`."""
    clone = working_tree(project, tmp_path / "clean")
    said = module(clone, "dvc", "exp", "run", "--set-param", "grain_boundaries.train.runs=1")
    assert sorted(stages_in(said)) == sorted(stage.name for stage in declared(clone))
    verdict = json.loads((clone / "metrics/tiny/grain_boundaries/verdict.json").read_text())
    assert {arm: each["n_runs"] for arm, each in verdict["arms"].items()} == dict.fromkeys(verdict["arms"], 1)


def test_dvc_says_nothing_of_experiments(changed):
    assert not [said for said in (changed.status, *changed.told.values()) if "experiments/" in said]


def test_a_wrong_key_ends_it_in_one_sentence_before_any_stage(changed):
    edited(changed.ran.clone / "params.yaml", "diameter_px", "diametre_px")
    said = module(changed.ran.clone, "micromime", "run", code=2)
    edited(changed.ran.clone / "params.yaml", "diametre_px", "diameter_px")
    assert said.startswith("micromime: grain_boundaries.scenario.grain_structure.diametre_px ")
    assert said.count("\n") == 1

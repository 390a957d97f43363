"""The planted gap as a stage: its experiments, what decides a run, records that are reused, and what is written."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from experiments.planted_gap import run as planted_gap_run
from experiments.planted_gap import stage as planted_gap
from experiments.planted_gap.plan import Cell, cells, inputs_of
from experiments.planted_gap.plan import planted_gap as read
from experiments.planted_gap.records import base_of
from experiments.planted_gap.scenarios import CORNER, EXPERIMENTS
from micromime.arms.records import RunRecord
from micromime.mistakes import Mistake

PHASE = {"size_px": 64, "trainable": "all", "epochs": 1, "peak_rate": 0.004, "batch_size": 8}
WITHIN = {"grain_boundaries": {"thickness_px": {"share": 0.3}}}
WORST = {"worst_fraction": {"fraction": 0.25, "keep_seed": False, "within": WITHIN, "stop_below": -0.01}}
SETTINGS = {
    "runs": 1,
    "rounds": 2,
    "images": {"base": 16, "round": 4, "scoring": 4, "test": 8, "training": 2},
    "architecture": "small_unet",
    "base": PHASE,
    "finetune": PHASE,
    "rehearsal_share": 0.5,
    "score": "mean_iou",
    "samplers": {"worst_stop": WORST},
    "experiments": {"gap": ["worst_stop", "oracle"], "hidden": ["oracle"]},
}


def tree(**changed):
    return {"profile": "tiny", "grain_boundaries": {"planted_gap": SETTINGS | changed}}


def asked(**changed):
    return read(tree(**changed), "grain_boundaries")


@pytest.fixture
def fits(tmp_path, monkeypatch):
    """A folder to work in, where networks are made up: dark is boundary. What was trained: (run, images, went on)."""
    done = []

    def fit(number, _settings, images, start, folder):
        folder.mkdir(parents=True)
        (folder / "run.json").write_text(json.dumps({"device": "cpu", "processor": "none", "torch": "none"}))
        done.append((number, len(images.images), start is not None))

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(planted_gap_run, "fit", fit)
    monkeypatch.setattr(planted_gap_run, "found", lambda _, images: images < images.mean(axis=(1, 2), keepdims=True))
    monkeypatch.setattr(planted_gap, "gap_chart", lambda name, _: f"<svg>{name}</svg>")
    monkeypatch.setattr(planted_gap, "run_tasks", lambda work, tasks, *_: [work(each) for each in tasks])
    return done


def run(**changed):
    """Run the stage; return what it writes beside the records."""
    Path("params.yaml").write_text(json.dumps(tree(**changed)))
    planted_gap.main("grain_boundaries", Path("metrics/gap.json"), Path("records"))
    return json.loads(Path("metrics/gap.json").read_text())


@pytest.mark.parametrize(("name", "share"), [("gap", 0.02), ("no_gap", 0.3), ("trap", 0.02), ("hidden", 0.02)])
def test_the_mode_is_rare_in_training_and_frequent_in_the_test(name, share):
    experiment = EXPERIMENTS[name]
    of_mode = [np.mean([experiment.of_mode(each.draw_one(0, n)) for n in range(400)]) for each in experiment.scenarios]
    assert of_mode[0] == pytest.approx(share, abs=4 * np.sqrt(share / 400))
    assert of_mode[1] == pytest.approx(0.3, abs=0.1)


def test_the_hidden_mode_is_no_parameter_of_its_own():
    training, _ = EXPERIMENTS["hidden"].scenarios
    assert "style" not in training.dimensions
    for name, each in CORNER.items():
        for key, corner in each.items():
            whole, part = (EXPERIMENTS["hidden"].training[name][key], corner)
            assert set(whole) == set(part)
            assert whole != part
    assert sum(len(each) for each in CORNER.values()) >= 3


def test_what_is_hopeless_is_in_the_trap_alone():
    styles = {name: [each.styles for each in experiment.scenarios] for name, experiment in EXPERIMENTS.items()}
    of = {name: [[style.name for style in each] for each in both] for name, both in styles.items()}
    assert of["trap"] == [["usual", "mode", "hopeless"], ["usual", "mode"]]
    assert not any("hopeless" in each for name in ("gap", "no_gap", "hidden") for each in of[name])


def test_every_experiment_that_tries_something_has_random_and_seeds_come_first():
    of_gap = [Cell("gap", name, 1) for name in ("random", "worst_stop", "oracle")]
    assert list(cells(asked())) == [*of_gap, *(Cell("hidden", name, 1) for name in ("random", "oracle"))]


def test_what_decides_a_run_is_in_its_hash():
    cell = Cell("gap", "worst_stop", 1)
    known = inputs_of(asked(), cell)
    assert known == inputs_of(
        asked(runs=7, experiments={"trap": ["oracle"]}, samplers=SETTINGS["samplers"] | {"other": WORST}), cell
    )
    stricter = {"worst_stop": {"worst_fraction": WORST["worst_fraction"] | {"stop_below": 0.0}}}
    others = [inputs_of(asked(), each) for each in (cell._replace(seed=2), cell._replace(experiment="trap"))]
    others += [inputs_of(asked(samplers=stricter), cell), inputs_of(asked(rounds=3), cell)]
    assert len({known, *others}) == 5


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"runs": -1}, r"planted_gap\.runs: -1 is not allowed"),
        ({"experiments": {"gap": ["best"]}}, r"planted_gap\.experiments\.gap: 'best' is not known"),
        ({"experiments": {"gaps": []}}, r"planted_gap\.experiments"),
        ({"experiments": {"no_gap": ["oracle"]}}, r"planted_gap\.experiments\.no_gap: oracle draws what random"),
        ({"experiments": {}}, r"planted_gap\.experiments tries no sampler; name one, or ask for 0 runs"),
        ({"samplers": {"oracle": WORST}}, r"'oracle' cannot be the name of one"),
        ({"samplers": {"worst": {"worst": {}}}}, r"planted_gap\.samplers\.worst: 'worst' is not known"),
        ({"score": "pixel_error"}, r"planted_gap\.score"),
        ({"architecture": "resnet50"}, r"planted_gap\.architecture"),
        ({"base": PHASE | {"size_px": 96}}, r"planted_gap\.base: give size_px 64"),
    ],
    ids=str,
)
def test_what_is_wrong_is_named(changed, said):
    with pytest.raises(Mistake, match=said):
        asked(**changed)


def test_all_samplers_of_a_seed_share_a_base_and_rounds_have_equal_budgets(fits):
    run(experiments={"gap": ["worst_stop", "oracle"]})
    base, rounds = (1, 16, False), (1, 8, True)
    assert fits == [base] + 6 * [rounds]


def test_records_are_reused_and_only_what_is_missing_runs(fits):
    first = run(runs=2)
    count = len(fits)
    assert run(runs=2) == first
    assert len(fits) == count
    Path("records/gap/oracle/run-002.json").unlink()
    assert run(runs=2) == first
    assert fits[count:] == [(2, 16, False), (2, 8, True), (2, 8, True)]


def of_another_processor(name):
    """Let a record tell of rounds that went on from another base network."""
    file = Path(f"records/gap/{name}/run-001.json")
    record = RunRecord.read(file)
    told = record.answers["rounds"]
    table = told.table | {"all_iou": [0.5, *told.table["all_iou"][1:]]}
    record.with_answers("rounds", told.model_copy(update={"table": table})).write(file)


@pytest.mark.parametrize("others", [("oracle",), ("random",), ("random", "oracle")])
def test_records_of_a_seed_that_go_on_from_unlike_networks_are_made_anew(fits, others):
    first = run()
    for name in others:
        of_another_processor(name)
    assert run() == first
    count = len(fits)
    assert run() == first
    assert len(fits) == count


def test_what_is_missing_on_another_processor_takes_its_whole_seed_along(fits, capsys):
    first = run(runs=2)
    for name in ("random", "worst_stop"):
        of_another_processor(name)
    Path("records/gap/oracle/run-001.json").unlink()
    count = len(fits)
    assert run(runs=2) == first
    assert fits[count:] == [(1, 16, False), *2 * [(1, 8, True)], (1, 16, False), *4 * [(1, 8, True)]]
    assert "gap, run 1: records of random, worst_stop go on from the base network" in capsys.readouterr().out


def test_a_record_of_other_settings_is_not_taken(fits):
    run()
    count = len(fits)
    run(rehearsal_share=0.25)
    assert len(fits) == 2 * count


def test_a_stopped_stage_goes_on(fits, monkeypatch):
    whole, fit = [], planted_gap_run.fit

    def stopped(*given):
        if len(fits) == 5:
            raise KeyboardInterrupt
        fit(*given)

    monkeypatch.setattr(planted_gap_run, "fit", stopped)
    with pytest.raises(KeyboardInterrupt):
        run()
    whole += Path("records").rglob("*.json")
    assert sorted(each.as_posix() for each in whole) == [
        f"records/gap/{n}/run-001.json" for n in ("random", "worst_stop")
    ]
    monkeypatch.setattr(planted_gap_run, "fit", fit)
    assert run()["experiments"]["gap"]["samplers"].keys() == {"random", "worst_stop", "oracle"}


@pytest.mark.usefixtures("fits")
def test_a_record_tells_every_round():
    run()
    record = RunRecord.read(Path("records/hidden/oracle/run-001.json"))
    assert record.training.keys() == {"run", "cpu_seconds", "device", "processor", "torch"}
    table = record.answers["rounds"].table
    assert table["images"] == [0, 4, 8]
    assert table["asked_of_mode"][0] is None
    assert all(0 <= share <= 1 for share in table["asked_of_mode"][1:])
    assert all(0 <= score <= 1 for score in table["all_iou"] + table["training_iou"])


@pytest.mark.usefixtures("fits")
def test_verdict_tables_and_charts_are_written():
    said = run()
    assert said["experiments"].keys() == {"gap", "hidden"}
    assert {each["outcome"] for each in said["statements"]} <= {"holds", "not shown", "contradicted"}
    assert any("worst_stop" in each["text"] for each in said["statements"])
    text = Path("metrics/gap.md").read_text()
    assert "- Command: micromime profile tiny && dvc repro planted_gap_grain_boundaries\n" in text
    assert "- Images of a run: 16 to begin with, 4 new ones a round\n" in text
    assert text.endswith("- Trained on (hidden): cpu (none), PyTorch none\n")
    for link in re.findall(r"\(planted_gap/(\w+)\.svg\)", text):
        assert (Path("metrics/gap") / f"{link}.svg").read_text().startswith("<svg")


def test_no_runs_write_an_empty_verdict_at_once(fits):
    assert run(runs=0) == {"experiments": {}, "statements": [], "made": {}}
    assert not fits
    assert "nothing is claimed" in Path("metrics/gap.md").read_text()
    assert {each.stem for each in Path("metrics/gap").iterdir()} == set(EXPERIMENTS)  # git keeps no empty folder


@pytest.mark.slow
def test_a_small_gap_is_trained_end_to_end_and_again_the_same(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    small = {"rounds": 1, "finetune": PHASE | {"batch_size": 4}, "experiments": {"gap": ["worst_stop"]}}
    first = run(**small)
    file = Path("records/gap/worst_stop/run-001.json")
    answers = RunRecord.read(file).answers
    file.unlink()
    assert run(**small) == first
    assert RunRecord.read(file).answers == answers


def test_committed_runs_of_a_seed_go_on_from_one_base_network(project):
    records = project / "metrics/evidence/runs/planted_gap"
    bases = {}
    for file in records.glob("*/*/*.json"):
        told = RunRecord.read(file).answers["rounds"]
        bases.setdefault((file.parts[-3], file.name), []).append(base_of(told))
    assert len(bases) >= 80
    assert [each for each, found in bases.items() if any(base != found[0] for base in found)] == []

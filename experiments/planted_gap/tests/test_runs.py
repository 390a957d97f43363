"""The planted gap's runs: its experiments, what decides a run, records that are reused, and what is written."""

import json
import pickle
import re
from pathlib import Path

import numpy as np
import pytest

from experiments import runs
from experiments.planted_gap import __main__ as planted_gap
from experiments.planted_gap import run as gap_run
from experiments.planted_gap.plan import EXPERIMENTS, Cell, Oracle
from experiments.planted_gap.plan import planted_gap as read
from experiments.planted_gap.run import known_of, missing, tasks
from micromime.arms.records import read_record
from micromime.mistakes import Mistake
from micromime.sampling.sampler import Scored
from micromime.scenario.parameters import read_tree
from micromime.scenario.streams import stream

HERE = Path(__file__).parents[1]
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
ONE = {"experiments": {"gap": ["worst_stop", "oracle"]}}
BASE, ROUND = (1, 16, False), (1, 8, True)
"""What is trained: run, images, whether it goes on with a network."""


def asked(**changed):
    return read(SETTINGS | changed)


@pytest.fixture
def trained(tmp_path, monkeypatch):
    """A folder to work in, where networks are made up: dark is boundary. What was trained."""
    done = []

    def train(number, _settings, images, _folder, start=None):
        done.append((number, len(images.images), start is not None))
        return {"device": "cpu", "processor": "none", "torch": "none"}

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(gap_run, "train", train)
    monkeypatch.setattr(gap_run, "predictor", lambda _: lambda image: (image < image.mean()).astype(np.float32))
    monkeypatch.setattr(planted_gap, "gap_chart", lambda name, _: f"<svg>{name}</svg>")
    monkeypatch.setattr(planted_gap, "run_tasks", lambda work, tasks, *_: [work(each) for each in tasks])
    monkeypatch.setattr(runs, "pack", lambda _: None)  # so that a test can change what is told
    return done


def run(**changed):
    """Run the experiment; return what it writes beside the records."""
    Path("out").mkdir(exist_ok=True)
    Path("params.yaml").write_text(json.dumps(SETTINGS | changed))
    planted_gap.main(Path("out"), Path("params.yaml"))
    return json.loads(Path("out/results.json").read_text())


def file_of(arm, run=1):
    return Path(f"out/records/{arm}/run-{run:03d}.json")


def of_another_processor(*arms):
    """Let records tell of rounds that went on from another base network."""
    for arm in arms:
        told = json.loads(file_of(arm).read_text())
        told["answers"]["rounds"]["table"]["all_iou"][0] = 0.5
        file_of(arm).write_text(json.dumps(told))


@pytest.mark.parametrize(("name", "share"), [("gap", 0.02), ("no_gap", 0.3), ("trap", 0.02), ("hidden", 0.02)])
def test_the_mode_is_rare_in_training_and_frequent_in_the_test(name, share):
    experiment = EXPERIMENTS[name]
    of_mode = [np.mean([experiment.of_mode(each.draw_one(0, n)) for n in range(200)]) for each in experiment.scenarios]
    assert of_mode[0] == pytest.approx(share, abs=4 * np.sqrt(share / 200))
    assert of_mode[1] == pytest.approx(0.3, abs=0.1)


def test_the_oracle_draws_from_the_scenario_that_it_is_given():
    training, test = EXPERIMENTS["gap"].scenarios
    oracle = Oracle(scenario=EXPERIMENTS["gap"].test)
    drawn = oracle.propose(training, Scored([], [], np.empty(0)), 9, stream(0, "test"))
    rng = stream(0, "test")
    assert [each.instance for each in drawn] == [test.draw(rng) for _ in range(9)]
    assert {each.parent for each in drawn} == {""}


def test_what_decides_a_run_is_in_its_hash():
    cell = Cell("gap", "worst_stop", 1)
    known = asked().inputs_of(cell)
    more = {"samplers": SETTINGS["samplers"] | {"other": WORST}, "experiments": {"trap": ["oracle"]}, "runs": 7}
    assert asked(**more).inputs_of(cell) == known
    stricter = {"worst_stop": {"worst_fraction": WORST["worst_fraction"] | {"stop_below": 0.0}}}
    others = [asked().inputs_of(each) for each in (cell._replace(run=2), cell._replace(experiment="trap"))]
    others += [asked().inputs_of(cell._replace(sampler="oracle"))]
    others += [asked(samplers=stricter).inputs_of(cell), asked(rounds=3).inputs_of(cell)]
    assert len({known, *others}) == 6


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"runs": 0}, r"planted_gap\.runs: 0 is not allowed"),
        ({"experiments": {"gap": ["best"]}}, r"planted_gap\.experiments\.gap: 'best' is not known"),
        ({"experiments": {"gaps": []}}, r"planted_gap\.experiments"),
        ({"experiments": {"no_gap": ["oracle"]}}, r"planted_gap\.experiments\.no_gap: 'oracle' is not known"),
        ({"experiments": {"gap": []}}, r"planted_gap\.experiments tries no sampler; name one"),
        ({"samplers": {"worst": {"worst": {}}}}, r"planted_gap\.samplers\.worst: 'worst' is not known"),
        ({"score": "pixel_error"}, r"planted_gap\.score"),
    ],
    ids=str,
)
def test_what_is_wrong_is_named(changed, said):
    with pytest.raises(Mistake, match=said):
        asked(**changed)


def test_records_are_reused_and_only_what_is_missing_runs(trained):
    first = run(runs=2, **ONE)
    count = len(trained)
    assert run(runs=2, **ONE) == first
    assert len(trained) == count
    file_of("gap-oracle", 2).unlink()
    assert run(runs=2, **ONE) == first
    assert trained[count:] == [(2, 16, False), (2, 8, True), (2, 8, True)]
    run(rehearsal_share=0.25, **ONE)  # other settings: all anew
    assert len(trained) == count + 3 + count // 2


@pytest.mark.parametrize("others", [("gap-random",), ("gap-random", "gap-oracle")])
def test_records_of_a_seed_that_go_on_from_unlike_networks_are_made_anew(trained, others):
    first = run(**ONE)
    of_another_processor(*others)
    assert run(**ONE) == first
    count = len(trained)
    assert run(**ONE) == first
    assert len(trained) == count


def test_what_is_missing_on_another_processor_takes_its_whole_seed_along(trained, capsys):
    first = run(**ONE)
    file_of("gap-oracle").unlink()
    of_another_processor("gap-random", "gap-worst_stop")
    count = len(trained)
    assert run(**ONE) == first
    assert trained[count:] == [BASE, ROUND, ROUND, BASE, *4 * [ROUND]]
    assert "gap, run 1: records of random, worst_stop go on from the base" in capsys.readouterr().out


def test_a_stopped_experiment_goes_on(trained, monkeypatch):
    train = gap_run.train

    def stopped(*given):
        if len(trained) == 5:
            raise KeyboardInterrupt
        return train(*given)

    monkeypatch.setattr(gap_run, "train", stopped)
    with pytest.raises(KeyboardInterrupt):
        run(**ONE)
    assert {each.parent.name for each in Path("out/records").rglob("*.json")} == {"gap-random", "gap-worst_stop"}
    monkeypatch.setattr(gap_run, "train", train)
    assert run(**ONE)["experiments"]["gap"]["samplers"].keys() == {"random", "worst_stop", "oracle"}


@pytest.mark.usefixtures("trained")
def test_records_results_and_charts_are_written():
    said = run()
    assert said["experiments"].keys() == {"gap", "hidden"}
    assert any("worst_stop" in each["text"] for each in said["statements"])
    text = Path("out/results.md").read_text()
    assert "- Images of a run: 16 to begin with, 4 new ones a round\n" in text
    assert text.endswith("- Trained on (hidden): cpu (none), PyTorch none\n")
    links = re.findall(r"\((\w+)\.svg\)", text)
    assert links == ["gap", "hidden"]
    assert all(Path("out", f"{link}.svg").read_text().startswith("<svg") for link in links)
    record = read_record(Path("out/records"), "hidden-oracle", 1)
    assert record.training.keys() == {"run", "cpu_seconds", "device", "processor", "torch"}
    table = record.answers["rounds"].table
    assert table["images"] == [0, 4, 8]
    assert table["asked_of_mode"][0] is None
    assert all(0 <= each <= 1 for key in ("asked_of_mode", "all_iou", "training_iou") for each in table[key][1:])


@pytest.mark.slow
def test_a_small_gap_is_trained_end_to_end_and_again_the_same(tmp_path):
    small = asked(rounds=1, finetune=PHASE | {"batch_size": 4}, experiments={"gap": ["worst_stop"]})
    (task,) = tasks(small, {cell: small.inputs_of(cell) for cell in small.cells()}, tmp_path)
    found = []
    for name in ("first", "again"):
        gap_run.run(pickle.loads(pickle.dumps(task._replace(records=tmp_path / name))))
        found.append(known_of(tmp_path / name, task.wanted))
    assert found[0] == found[1]
    assert found[0].keys() == {*small.cells()}


def test_the_committed_records_are_of_the_committed_settings_and_go_on_from_one_base_network_a_seed(monkeypatch):
    monkeypatch.setattr("experiments.planted_gap.plan.VERSIONS", runs.COMMITTED)
    asked = read(read_tree(HERE / "params.yaml"))
    wanted = {cell: asked.inputs_of(cell) for cell in asked.cells()}
    assert len(wanted) == 700
    assert missing(HERE / "records", wanted) == []

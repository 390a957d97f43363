"""An arm: what is trained and what is taken from records, in which order, and what MLflow is told; runs are made up."""

import json
import shutil
from pathlib import Path

import pytest
from micromime.arms.fit import fit_missing

from micromime.arms import fit, networks
from micromime.arms.arm import trained
from micromime.arms.records import Answers, RunRecord, record_file
from micromime.fitting.laws import Fit
from micromime.mistakes import Mistake
from micromime.stages import train

RECORDS, KEPT = Path("records"), networks.KEPT
FOUND = [{"size_px": 32, "trainable": "all", "epochs": 2, "peak_rate": "find", "batch_size": 4}]


def files(folder):
    return sorted(each.relative_to(folder).as_posix() for each in folder.rglob("*") if each.is_file())


def records(arm="base"):
    return {run: RunRecord.read(record_file(RECORDS, arm, run)) for run in (1, 2, 3, 4)}


def forget_networks():
    """As in a fresh clone, where DVC's cache has nothing."""
    for folder in (Path("models"), KEPT):
        shutil.rmtree(folder)


def test_an_arm_is_its_runs_and_what_they_were_made_of(workshop):
    out = workshop.train()
    run_files = ["model.json", "run.json", "weights.safetensors"]
    assert files(out) == ["arm.json", *(f"run-00{run}/{name}" for run in (1, 2, 3) for name in run_files)]
    weights = [(out / f"run-00{run}" / "weights.safetensors").read_text() for run in (1, 2, 3)]
    assert weights == [f"ImageNet > base {run} at [0.003, 0.001]" for run in (1, 2, 3)]
    arm = json.loads((out / "arm.json").read_text())
    assert (arm["arm"], arm["profile"], arm["start"], arm["rates"]) == ("base", "tiny", None, None)
    assert arm["fingerprint"] == workshop.begun[0].fingerprint
    ((name, path, digest, context),) = [each.values() for each in arm["data"]]
    assert (name, path, digest[:12], context) == ("base", "data/base", "unversioned-", "training")
    assert files(KEPT) == ["lock"]


def test_every_finished_run_has_a_record(workshop):
    out = workshop.train()
    assert [record and record.training for record in records().values()] == [
        *(trained(out, run) for run in (1, 2, 3)),
        None,
    ]


def test_given_rates_let_all_runs_begin_at_once(workshop):
    workshop.train()
    assert workshop.trained == [[("base", 1), ("base", 2), ("base", 3)]]


def test_rates_that_are_to_be_found_let_the_first_run_go_first(workshop):
    workshop.write(phases=FOUND)
    out = workshop.train()
    assert workshop.trained == [[("base", 1)], [("base", 2), ("base", 3)]]
    assert [task.arm.settings_of(task.run).rates for task in workshop.tasks] == [None, (0.25,), (0.25,)]
    assert json.loads((out / "arm.json").read_text())["rates"] == [0.25]


@pytest.mark.parametrize("phases", [FOUND, [FOUND[0] | {"peak_rate": 0.5}]], ids=["found", "given"])
def test_what_records_tell_is_not_trained_again(workshop, phases):
    workshop.write(phases=phases)
    first = (workshop.train() / "arm.json").read_bytes()
    before = records()
    forget_networks()
    workshop.trained.clear()
    out = workshop.train()
    assert workshop.trained == []
    assert files(out) == ["arm.json", "run-001/run.json", "run-002/run.json", "run-003/run.json"]
    assert (out / "arm.json").read_bytes() == first
    assert records() == before


def test_mlflow_is_told_of_runs_that_were_taken(workshop):
    workshop.train()
    assert workshop.taken == []
    forget_networks()
    workshop.train()
    rates = {"peak_rate.phase_1": 0.003, "peak_rate.phase_2": 0.001, "seconds": 1.5}
    epoch = {"train_loss": 0.5, "valid_loss": 0.75, "mean_iou": 0.25, "images_per_second": 8}
    curves = {1: epoch, 2: {key: value / 2 for key, value in epoch.items()}}
    assert workshop.taken == [(run, curves | {0: rates}) for run in (1, 2, 3)]


def test_more_runs_are_trained_beside_those_there_are(workshop):
    workshop.write(runs=2)
    workshop.train()
    forget_networks()
    workshop.write(runs=4)
    workshop.trained.clear()
    out = workshop.train()
    assert workshop.trained == [[("base", 3), ("base", 4)]]
    assert [(out / f"run-00{run}" / "weights.safetensors").exists() for run in (1, 2, 3, 4)] == [False] * 2 + [True] * 2


def test_other_settings_train_anew_and_replace_the_records(workshop):
    workshop.train()
    file = record_file(RECORDS, "base", 2)
    RunRecord.read(file).with_answers("test", Answers(inputs="t1", table={})).write(file)
    before = records()
    shutil.rmtree("models")
    workshop.write(validation_share=0.3)
    workshop.trained.clear()
    out = workshop.train()
    assert workshop.trained == [[("base", 1), ("base", 2), ("base", 3)]]
    after = records()
    assert [after[run].inputs for run in (1, 2, 3)] == [trained(out, run)["inputs"] for run in (1, 2, 3)]
    assert all(after[run].inputs != before[run].inputs for run in (1, 2, 3))
    assert after[2].answers == {}


def test_a_network_without_its_record_is_not_trained_again(workshop):
    weights = (unfilled(workshop.train()) / "weights.safetensors").read_text()
    record_file(RECORDS, "base", 2).unlink()
    workshop.trained.clear()
    out = workshop.train()
    assert workshop.trained == []
    assert (out / "run-002" / "weights.safetensors").read_text() == weights
    assert records()[2].training == trained(out, 2)


def unfilled(arm):
    """Turn an arm back into what there is before it is filled; give the folder of its second network."""
    places = {run: KEPT / trained(arm, run)["inputs"] for run in (1, 2, 3)}
    for run, place in places.items():
        (arm / f"run-00{run}").rename(place)
    shutil.rmtree(arm)
    return places[2]


def test_a_process_killed_while_it_fills_an_arm_loses_no_network(workshop):
    out = workshop.train()
    before = {name: (out / name).read_bytes() for name in files(out)}
    unfilled(out)
    begun = out.with_name(".base") / "run-003"
    begun.parent.mkdir()
    (KEPT / records()[3].inputs).rename(begun)
    copied = begun.with_name("run-004")  # from DVC's cache, when the process was killed
    copied.mkdir()
    (copied / "weights.safetensors").write_text("Imag")
    workshop.trained.clear()
    workshop.train()
    assert workshop.trained == []
    assert {name: (out / name).read_bytes() for name in files(out)} == before
    assert files(KEPT) == ["lock"]


def test_the_first_network_too_is_moved_and_not_copied(workshop, monkeypatch):
    monkeypatch.setattr(shutil, "copytree", lambda *_, **__: pytest.fail("copied"))
    workshop.train()


def test_progress_counts_the_epochs_of_finished_and_unfinished_runs(workshop, monkeypatch):
    workshop.train()
    arm, counted = workshop.tasks[0].arm, []

    def two_epochs_of_one(_work, tasks, _workers, shown):
        assert tasks == fits[1:]
        counted.append(shown.done())
        tasks[0].unfinished.mkdir()
        (tasks[0].unfinished / "epochs.jsonl").write_text("{}\n{}\n")
        counted.append(shown.done())
        assert shown.total == 9

    monkeypatch.setattr(fit, "run_tasks", two_epochs_of_one)
    fits = [Fit(arm, run, "n1", Path("work", f"run-00{run}"), None) for run in (1, 2, 3)]
    fits[0].folder.mkdir(parents=True)
    fits[2].unfinished.mkdir()
    (fits[2].unfinished / "epochs.jsonl").write_text("{}\n")  # of a killed process: it is trained from its beginning
    fit_missing(fits)
    assert counted == [3, 3 + 2]


def test_an_arm_that_is_there_is_not_trained_over(workshop):
    Path("models/base").mkdir(parents=True)
    with pytest.raises(Mistake, match=r"^models/base is there already; remove it or give another folder"):
        workshop.train()
    assert workshop.begun == workshop.trained == []


@pytest.mark.parametrize(
    ("use_case", "data", "start", "said"),
    [
        ("chips", "data/base", None, r"^chips is missing from params\.yaml"),
        ("grain_boundaries", "no", None, r"^no holds no dataset\.json"),
        ("grain_boundaries", "data/base", "no", r"^no holds no arm\.json"),
    ],
)
def test_what_is_not_there_is_said_before_anything_is_begun(workshop, use_case, data, start, said):
    workshop.data("base")
    with pytest.raises(Mistake, match=said):
        train.main(use_case, Path(data), Path("models/base"), RECORDS, start and Path(start))
    assert workshop.begun == workshop.trained == []

"""The queue: what is trained and what is taken, in which order, what a killed process leaves; runs are made up.

But for the last tests, which train small networks in earnest.
"""

import hashlib
import json
import shutil
from contextlib import suppress
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file
from workshop import SETTINGS

from micromime.arms import queue
from micromime.arms.arm import Arm, trained
from micromime.arms.queue import KEPT, network_of, retrain, train_arms
from micromime.arms.records import Answers, pack, read_record, write_record
from micromime.datasets.store import write_arrays, write_description
from micromime.engines.local import alone
from micromime.mistakes import Mistake
from micromime.project import places
from micromime.scenario.scenario import Sample
from micromime.stages import train as stage
from micromime.tracking.store import OFFLINE, Unreachable
from micromime.training.settings import TrainParameters

GRAINS = "grain_boundaries"
MODELS = places.models(GRAINS)
RECORDS = places.records("tiny", GRAINS)
PHASE = {"size_px": 32, "trainable": "all", "epochs": 2, "peak_rate": 0.003, "batch_size": 4}
FOUND = [PHASE | {"peak_rate": "find"}]


def files(folder):
    return sorted(each.relative_to(folder).as_posix() for each in folder.rglob("*") if each.is_file())


def weights(arm):
    """What stands in the files of its networks."""
    return [file.read_text() for file in sorted(arm.glob("run-*/weights.safetensors"))]


def kept(*arms):
    return {(arm, run): read_record(RECORDS, arm, run) for arm in arms for run in (1, 2, 3)}


def forget():
    """Leave what a fresh clone has: records, and nothing in DVC's cache."""
    for folder in (MODELS, KEPT):
        shutil.rmtree(folder, ignore_errors=True)


def train_both(workshop, seeds=(1, 2)):
    """Train two arms that go on with the base arm, in one queue."""
    for arm, seed in zip("ab", seeds, strict=True):
        workshop.data(arm, seed, start="base")
    stage.train(GRAINS, ["a", "b"])


@pytest.fixture
def base(workshop):
    """An arm of three runs, none of which is told any more to have been trained."""
    arm = workshop.train()
    workshop.trained.clear()
    workshop.told.clear()
    return arm


def test_an_arm_is_its_runs_and_what_they_were_made_of(workshop):
    out = workshop.train()
    assert workshop.trained == [[("base", 1), ("base", 2), ("base", 3)]]
    run_files = ["model.json", "run.json", "weights.safetensors"]
    assert files(out) == ["arm.json", *(f"run-00{run}/{name}" for run in (1, 2, 3) for name in run_files)]
    assert weights(out) == [f"ImageNet > base {run} at [0.003, 0.001]" for run in (1, 2, 3)]
    assert [each.training for each in kept("base").values()] == [trained(out, run) for run in (1, 2, 3)]
    ((said, runs),) = workshop.told
    assert (said["arm"], said["profile"], runs) == ("base", "tiny", {run: trained(out, run) for run in (1, 2, 3)})
    assert files(KEPT) == ["lock"]


@pytest.mark.usefixtures("base")
@pytest.mark.parametrize(("phases", "first"), [([PHASE], []), (FOUND, [[("a", 1), ("b", 1)]])], ids=["given", "found"])
def test_runs_of_all_arms_stand_in_one_queue_and_first_runs_find_the_rates_of_the_others(workshop, phases, first):
    workshop.write(finetune={"runs": 3, "phases": phases})
    train_both(workshop)
    every = [(arm, run) for arm in "ab" for run in (1, 2, 3)]
    assert workshop.trained == [*first, [each for each in every if each not in chain(*first)]]
    rates = [0.25] if first else [0.003]
    assert weights(MODELS / "b") == [f"ImageNet > base {n} at [0.003, 0.001] > b {n} at {rates}" for n in (1, 2, 3)]
    assert [task.arm.settings_of(task.run).rates for task in workshop.tasks[-2:]] == [(*rates,)] * 2
    assert Arm.read(MODELS / "b").rates == ((0.25,) if first else None)


@pytest.mark.usefixtures("base")
def test_arms_on_the_same_data_have_the_same_networks_which_are_trained_once(workshop):
    train_both(workshop, seeds=(1, 1))
    assert workshop.trained == [[("a", 1), ("a", 2)]]
    assert weights(MODELS / "a") == weights(MODELS / "b")
    assert kept("a") == {("a", run): record for (_, run), record in kept("b").items()}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("phases", [FOUND, [PHASE]], ids=["found", "given"])
def test_what_records_tell_is_not_trained_again(workshop, phases, packed):
    workshop.write(phases=phases)
    first, before = (workshop.train() / "arm.json").read_bytes(), kept("base")
    if packed:
        pack(RECORDS)
    forget()
    workshop.trained.clear()
    out = workshop.train()
    assert workshop.trained == []
    assert files(out) == ["arm.json", "run-001/run.json", "run-002/run.json", "run-003/run.json"]
    assert (out / "arm.json").read_bytes() == first
    assert kept("base") == before
    assert workshop.told[1] == workshop.told[0]


def test_more_runs_are_trained_beside_those_there_are_and_other_settings_anew(workshop):
    workshop.write(runs=1)
    workshop.train()
    forget()
    workshop.write(runs=3)
    workshop.train()
    before = kept("base")
    write_record(RECORDS, "base", 2, before["base", 2].with_answers("test", Answers(inputs="t1", table={})))
    shutil.rmtree(MODELS)
    workshop.write(validation_share=0.3)
    workshop.train()
    all_runs = [("base", 1), ("base", 2), ("base", 3)]
    assert workshop.trained == [all_runs[:1], all_runs[1:], all_runs]
    after = kept("base")
    assert all(after[key].inputs != before[key].inputs for key in after)
    assert after["base", 2].answers == {}


@pytest.mark.usefixtures("base")
def test_killed_at_every_step_it_loses_no_network_and_trains_none_twice(workshop, monkeypatch):
    """Each attempt comes one step further: a record, a file, an out, what MLflow is told."""
    left = 0

    def killing(whole):
        def step(*given, **words):
            nonlocal left
            if left == 0:
                raise KeyboardInterrupt
            left -= 1
            return whole(*given, **words)

        return step

    for place, name in ((queue, "write_record"), (queue, "linked"), (shutil, "move"), (stage, "publish_arm")):
        monkeypatch.setattr(place, name, killing(getattr(place, name)))
    for attempt in range(60):
        left = attempt
        with suppress(KeyboardInterrupt):
            train_both(workshop)
            break
        for arm in "ab":  # as DVC does with the outs of a stage that has not ended
            shutil.rmtree(MODELS / arm, ignore_errors=True)
    assert attempt == 2 * 2 * 3 + 2 + 2  # files of the runs of both, outs, arms told
    assert [each for each in workshop.trained if each] == [[("a", 1), ("a", 2), ("b", 1), ("b", 2)]]
    for arm in "ab":
        before = "ImageNet > base {0} at [0.003, 0.001]"
        assert weights(MODELS / arm) == [f"{before} > {arm} {{0}} at [0.001]".format(run) for run in (1, 2)]
    assert files(KEPT) == ["lock"]


@pytest.mark.usefixtures("base")
def test_nothing_is_trained_beside_another_process_over_an_arm_or_on_what_is_not_there(workshop):
    workshop.data("a", start="base")
    workshop.data("b", start="nobody")
    with alone(KEPT), pytest.raises(Mistake, match=r"^\.micromime/networks is being worked on by another micromime;"):
        stage.train(GRAINS, ["a"])
    missing = {"base": r"base is there already; remove", "no": r"no holds no dataset\.json", "b": "nobody holds no arm"}
    for arm, said in missing.items():
        with pytest.raises(Mistake, match=said):
            stage.train(GRAINS, [arm])
    assert workshop.trained == []


def test_an_experiment_leaves_its_networks_to_the_next_one_until_dvc_has_them(workshop, base, monkeypatch):
    """Two that DVC tries side by side want the same: the second comes before DVC has kept what the first has made."""
    workshop.data("a", start="base")
    monkeypatch.setattr(queue, "is_copy", lambda: True)
    stage.train(GRAINS, ["a"])
    made = weights(MODELS / "a")
    shutil.rmtree(MODELS / "a")
    stage.train(GRAINS, ["a"])
    assert weights(MODELS / "a") == made
    assert workshop.trained == [[("a", 1), ("a", 2)]]
    for text in made:
        md5 = hashlib.md5(text.encode()).hexdigest()
        (Path(".dvc/cache/files/md5") / md5[:2]).mkdir(parents=True, exist_ok=True)
        (Path(".dvc/cache/files/md5") / md5[:2] / md5[2:]).write_text(text)
    workshop.data("b", 2, start="base")
    assert len(list(KEPT.glob("*/run.json"))) == len(made)
    stage.train(GRAINS, ["b"])
    kept_now = [trained(MODELS / "b", run)["inputs"] for run in (1, 2)]
    assert sorted(each.parent.name for each in KEPT.glob("*/run.json")) == sorted(kept_now)
    assert base.is_dir()


def test_networks_come_back_from_the_cache_of_dvc(workshop, base):
    second = weights(base)[1]
    md5 = hashlib.md5(second.encode()).hexdigest()
    cached = Path(".dvc/cache/files/md5", md5[:2], md5[2:])
    cached.parent.mkdir(parents=True)
    cached.write_text(second)
    model = (base / "run-002" / "model.json").read_text()
    forget()
    workshop.train()
    assert workshop.trained == []
    assert weights(base) == [second]
    assert json.loads((base / "run-002" / "model.json").read_text()) == json.loads(model)
    assert network_of(base, 2) == base / "run-002"


def test_a_network_of_which_the_record_is_left_is_trained_again_on_request_alone(workshop):
    workshop.write(phases=FOUND)
    base = workshop.train()
    before = {run: (base / f"run-00{run}" / "weights.safetensors").read_text() for run in (1, 2)}
    forget()
    workshop.train()
    workshop.data("a", start="base")
    workshop.trained.clear()
    for ask in (lambda: network_of(base, 2), lambda: stage.train(GRAINS, ["a"])):
        with pytest.raises(Mistake, match=rf"`micromime pull` .* `micromime retrain {base} [12]` trains it again"):
            ask()
    write_record(
        RECORDS, "base", 2, read_record(RECORDS, "base", 2).with_answers("test", Answers(inputs="t", table={}))
    )
    told, records = len(workshop.told), kept("base")
    places_of = {run: retrain(base, run) for run in (1, 2)}
    assert workshop.trained == [[("base", 1)], [("base", 2)]]
    assert [task.arm.settings_of(task.run).rates for task in workshop.tasks[-2:]] == [None, (0.25,)]
    assert {run: network_of(base, run) for run in (1, 2)} == places_of
    assert {run: (place / "weights.safetensors").read_text() for run, place in places_of.items()} == before
    assert (len(workshop.told), kept("base")) == (told, records)
    shutil.rmtree(base)
    workshop.train()  # which it moves into
    assert weights(base) == list(before.values())
    with pytest.raises(Mistake, match=r"run-004/run\.json is not there"):
        retrain(base, 4)
    workshop.data("base", seed=1)
    with pytest.raises(Mistake, match="base was trained on other data or by another version than are here; run `make"):
        retrain(base, 3)
    assert len(workshop.trained) == 2


@pytest.mark.usefixtures("base")
def test_mlflow_is_told_of_runs_that_go_on_and_progress_counts_their_epochs(workshop, monkeypatch):
    workshop.data("a", start="base")
    monkeypatch.setattr(queue, "EVERY_S", -1)
    shown = []

    def killed_after_two_epochs_of_one(work, tasks, workers, progress, _imports):
        shown.append((progress.done(), progress.total))
        tasks[1].unfinished.mkdir()
        (tasks[1].unfinished / "epochs.jsonl").write_text('{"phase": 1}\n{"phase": 2}\n{"pha')
        shown.append((progress.done(), progress.total))
        if len(shown) == 2:
            raise KeyboardInterrupt
        workshop.made_up(work, tasks, workers)

    monkeypatch.setattr(queue, "run_tasks", killed_after_two_epochs_of_one)
    with pytest.raises(KeyboardInterrupt):
        stage.train(GRAINS, ["a"])
    stage.train(GRAINS, ["a"])  # from the beginning
    assert shown == [(0, 2), (2, 2)] * 2
    going_on = {2: {"run": 2, "epochs": [{"phase": 1}, {"phase": 2}]}}
    told = [runs for said, runs in workshop.told if said["arm"] == "a"]
    assert told == [{}, going_on] * 2 + [{run: trained(MODELS / "a", run) for run in (1, 2)}]


@pytest.mark.parametrize(("written", "said"), [("", "3 side by side"), ("2", "2 side by side")])
def test_the_third_network_does_not_wait_for_two_unless_that_is_asked_for(workshop, monkeypatch, capsys, written, said):
    monkeypatch.setenv("MICROMIME_WORKERS", written)
    monkeypatch.setattr("micromime.engines.local._has_gpu", lambda: False)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1})
    workshop.train()
    assert f"base: 3 of 3 runs to train\n{said}, threads of each: 1\n" in capsys.readouterr().out


def test_a_store_that_does_not_answer_ends_no_training(workshop, monkeypatch, capsys):
    def unreachable(*_):
        raise Unreachable("No answer.")

    monkeypatch.setenv(OFFLINE, "")
    monkeypatch.setattr(stage, "publish_arm", unreachable)
    assert len(weights(workshop.train())) == 3
    assert capsys.readouterr().err.count("No answer; work goes on") == 1
    workshop.data("a", start="base")
    stage.train(GRAINS, ["a"])
    assert "No answer" not in capsys.readouterr().err


@pytest.fixture
def in_earnest(tmp_path, monkeypatch, one_conv):  # noqa: ARG001 - registered
    """What trains two runs of an arm on ten small images."""
    monkeypatch.chdir(tmp_path)
    noise = np.random.default_rng(0).integers(0, 100, (10, 32, 48)).astype(np.uint8)
    masks = noise > 70
    samples = [Sample(image + 100 * mask, mask) for image, mask in zip(noise, masks, strict=True)]
    write_arrays(Path("data/shard-00000"), samples, [{"id": f"{n:06d}"} for n in range(10)])
    write_description(Path("data"), {"scenario": {}, "seed": 0})

    def train(name, phase=PHASE, start=None):
        asked = {"architecture": "one_conv", "runs": 2, "phases": [phase]}
        settings = TrainParameters.model_validate(SETTINGS | asked)
        arm, out = Arm(GRAINS, name, settings, Path("data"), start), Path("models", name)
        train_arms({out: [arm]}, "tiny", Path("records"), lambda *_: None)
        return out

    return train


@pytest.mark.usefixtures("one_thread")
def test_runs_are_trained_in_earnest_and_go_on_with_their_parents_networks(in_earnest, monkeypatch):
    monkeypatch.setenv("MICROMIME_WORKERS", "1")
    base = in_earnest("base", PHASE | {"peak_rate": "find"})
    rates = Arm.read(base).rates
    for run in (1, 2):
        said = trained(base, run)
        assert read_record(Path("records"), "base", run).training == said
        assert said["weights_md5"] == hashlib.md5((base / f"run-00{run}/weights.safetensors").read_bytes()).hexdigest()
        assert (said["run"], said["inputs"], tuple(said["rates"])) == (run, Arm.read(base).inputs(run), rates)
        assert said["epochs"][0].keys() > {"train_loss", "valid_loss", "pixel_error", "mean_iou"}
    tuned = in_earnest("tuned", PHASE | {"peak_rate": 1e-12}, base)  # at which no weight moves
    starts, ends = ([load_file(arm / f"run-00{run}/weights.safetensors") for run in (1, 2)] for arm in (base, tuned))
    for after, before, wrong in zip(ends, starts, starts[::-1], strict=True):
        assert all(np.allclose(after[name], before[name], atol=1e-6) for name in before)
        assert not all(np.allclose(after[name], wrong[name], atol=1e-3) for name in wrong)


@pytest.mark.ci
@pytest.mark.usefixtures("one_thread")
def test_weights_are_the_same_for_one_worker_and_for_two(in_earnest, monkeypatch):
    md5 = []
    for workers in ("1", "2"):
        monkeypatch.setenv("MICROMIME_WORKERS", workers)
        arm = in_earnest("base")
        md5.append([trained(arm, run)["weights_md5"] for run in (1, 2)])
        for folder in ("models", "records"):
            shutil.rmtree(folder)
    assert md5[0] == md5[1]
    assert len({*md5[0]}) == 2

"""The queue: runs of all arms side by side, a process each; what a record tells is not trained again.

A network is trained in `.micromime/networks/unfinished-<inputs>`, is whole as `.micromime/networks/<inputs>`, and comes
from there to its arm's folder when all runs of the arm are there. So whatever is killed goes on with the runs left.
"""

import hashlib
import json
import shutil
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from micromime.arms.arm import FIRST, Arm, run_folder, trained
from micromime.arms.records import RunRecord, fitting_record, read_record, write_record
from micromime.engines.local import Progress, run_tasks, trainings
from micromime.judging.metrics import SEGMENTATION, error_rate
from micromime.mistakes import Mistake
from micromime.project.dvc_cache import cached_file
from micromime.project.work import HERE, OURS, in_turn, is_copy, linked
from micromime.training.architectures import Finds, files_of, finds

KEPT = OURS / "networks"
"""Networks by the hash of their inputs: those that are trained just now, and those trained anew on request."""

WATCHED: dict[Finds, Mapping[str, Callable[[Any, Any], float]]] = {
    "mask": {name: SEGMENTATION[name] for name in ("pixel_error", "mean_iou")},
    "class": {"error_rate": error_rate},
}
"""Metrics of every epoch's validation; skeletons for the others would take longer than small networks."""

EVERY_S = 15.0
"""How often MLflow is told of runs that go on."""

Tell = Callable[[Arm, Mapping[int, Mapping[str, Any]]], None]
"""Told of an arm and some of its runs: number -> what run.json says, or only `run` and the `epochs` so far."""


@dataclass(frozen=True)
class Task:
    """One run, as it is handed to a worker process."""

    arm: Arm
    run: int
    inputs: str
    """Hash of all that decides the network, taken before it is trained: files may be edited meanwhile."""
    start: Path | None
    """Folder of the network that it goes on with."""
    records: Path

    @property
    def folder(self) -> Path:
        """Where the network is once it is whole."""
        return KEPT / self.inputs

    @property
    def unfinished(self) -> Path:
        """Where it is trained; renamed at the end."""
        return KEPT / f"unfinished-{self.inputs}"

    @property
    def epochs(self) -> list[dict[str, Any]]:
        """What is known of the epochs that are behind it."""
        done = self.folder if self.folder.exists() else self.unfinished
        try:
            lines = (done / "epochs.jsonl").read_text().splitlines()
        except FileNotFoundError:  # not begun, or renamed just now
            return []
        return [json.loads(line) for line in lines if line.endswith("}")]


def train_arms(planned: Mapping[Path, Sequence[Arm]], profile: str, records: Path, tell: Tell) -> None:
    """Train the runs of arms, but for those whose record fits, and write them: to each out the arms it is to have.

    An out of the name of its arm is that arm's folder; else it has a folder for each. The runs of all arms stand in one
    queue. The first runs of arms whose learning rates are to be found go before.
    """
    arms = [arm for of_out in planned.values() for arm in of_out]
    first = obtain([(arm, FIRST) for arm in arms if not arm.settings.rates], records, tell)
    found = {arm.name: arm if arm.settings.rates else replace(arm, rates=first[arm.name, FIRST].rates) for arm in arms}
    known = obtain([(arm, run) for arm in found.values() for run in arm.runs], records, tell)
    for out, of_out in planned.items():
        unfinished = HERE / "arms" / out
        shutil.rmtree(unfinished, ignore_errors=True)
        for arm in of_out:
            folder = unfinished if arm.name == out.name else unfinished / arm.name
            _write(found[arm.name], profile, folder, known)
        out.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(unfinished, out)
    for arm in found.values():
        tell(arm, {run: known[arm.name, run].training for run in arm.runs})
    _let_go({record.inputs for record in known.values()})


def obtain(wanted: Sequence[tuple[Arm, int]], records: Path, tell: Tell) -> dict[tuple[str, int], RunRecord]:
    """Return the records of these runs of arms, by arm and run; where there is none with its inputs, it is trained.

    Mistake where another process trains; an experiment in a copy waits for it.
    """
    inputs = {(arm.name, run): arm.inputs(run) for arm, run in wanted}

    def left() -> list[Task]:
        return [
            Task(arm, run, inputs[arm.name, run], network_of(arm.start, run) if arm.start else None, records)
            for arm, run in wanted
            if not fitting_record(records, arm.name, run, inputs[arm.name, run])
        ]

    if left():
        with in_turn(KEPT):
            if tasks := left():  # another may have trained them meanwhile
                _train(tasks, tell)
    return {key: record for key in inputs if (record := read_record(records, *key))}


def retrain(folder: Path, run: int) -> Path:
    """Train the network of a run again of which only the record is left; return where it lies then."""
    arm, inputs = Arm.read(folder), trained(folder, run)["inputs"]
    if arm.inputs(run) != inputs:
        raise Mistake(f"{folder} was trained on other data or by another version than are here; run `make run`.")
    task = Task(arm, run, inputs, network_of(arm.start, run) if arm.start else None, OURS / "retrained")
    with in_turn(KEPT):
        _train([task], lambda _arm, _runs: None)
    return task.folder


def network_of(arm: Path, run: int) -> Path:
    """Return the folder of a run's network; Mistake that says what brings it back where only its record is left."""
    folder = run_folder(arm, run)
    for place in (folder, KEPT / str(trained(arm, run)["inputs"])):
        if (place / "weights.safetensors").exists():
            return place
    raise Mistake(
        f"{folder} has no network here, as it was taken from its record; `micromime pull` brings it from the team's "
        f"storage, or `micromime retrain {arm} {run}` trains it again."
    )


def _train(tasks: Sequence[Task], tell: Tell) -> None:
    """Train what is not whole yet, as many side by side as share the cores."""
    first = {each.inputs: each for each in reversed(tasks)}  # two arms on the same data have the same networks
    missing = [each for each in tasks if each is first[each.inputs] and not each.folder.exists()]
    threads = max(each.arm.settings.threads for each in tasks)
    workers = trainings(len(missing), threads)
    for (name, in_all), runs in Counter((each.arm.name, each.arm.settings.runs) for each in missing).items():
        print(f"{name}: {runs} of {in_all} runs to train")
    if missing:
        print(f"{min(workers, len(missing))} side by side, threads of each: {threads}", flush=True)
    for each in missing:  # before epochs are counted: one that was killed begins anew
        shutil.rmtree(each.unfinished, ignore_errors=True)
    total = sum(each.arm.settings.epochs for each in tasks)
    shown = Progress("train", "epochs", total, _progress(tasks, tell))
    used = {each.arm.settings.architecture for each in missing}
    run_tasks(train_run, missing, workers, shown, ["micromime.training.learner", *files_of(used)])
    for each in tasks:  # also those that an earlier process was killed over before it wrote their record
        write_record(each.records, each.arm.name, each.run, RunRecord.of_run(each.folder))


def _progress(tasks: Sequence[Task], tell: Tell) -> Callable[[], int]:
    """Return what counts the epochs that are done, and now and then tells of them."""
    told_s = time.monotonic()

    def done() -> int:
        nonlocal told_s
        epochs = {task: task.epochs for task in tasks}
        if time.monotonic() - told_s > EVERY_S:
            for arm in {task.arm.name: task.arm for task in tasks}.values():
                runs = {task.run: told for task, told in epochs.items() if told and task.arm is arm}
                tell(arm, {run: {"run": run, "epochs": told} for run, told in runs.items()})
            told_s = time.monotonic()
        return sum(len(each) for each in epochs.values())

    return done


def train_run(task: Task) -> None:
    """Train one run in this process, and write its record."""
    import torch

    from micromime.training.learner import Run, fit_run

    torch.set_num_threads(task.arm.settings.threads)
    task.unfinished.mkdir(parents=True)
    run = Run(task.run, task.arm.settings_of(task.run), task.arm.dataset(task.run), task.start)
    fit_run(run, WATCHED[finds(task.arm.settings.architecture)], task.unfinished)
    said = json.loads((task.unfinished / "run.json").read_text())
    weights = (task.unfinished / "weights.safetensors").read_bytes()
    said |= {"inputs": task.inputs, "weights_md5": hashlib.md5(weights, usedforsecurity=False).hexdigest()}
    (task.unfinished / "run.json").write_text(json.dumps(said, indent=1) + "\n")
    task.unfinished.rename(task.folder)
    write_record(task.records, task.arm.name, task.run, RunRecord.of_run(task.folder))


def _let_go(written: Collection[str]) -> None:
    """Delete networks that their arm's folder has, only now, when all are told of: what is killed goes on from them.

    DVC's cache has those of an experiment in a copy only after this process, and another experiment may want the same
    before that: they are deleted by the next one that trains.
    """
    for folder in KEPT.glob("*/"):
        if folder.name in written and not is_copy():
            shutil.rmtree(folder, ignore_errors=True)
        elif not folder.name.startswith("unfinished-") and (folder / "run.json").is_file():
            weights_md5 = json.loads((folder / "run.json").read_text())["weights_md5"]
            if cached_file(weights_md5):
                shutil.rmtree(folder, ignore_errors=True)


def _write(arm: Arm, profile: str, folder: Path, known: Mapping[tuple[str, int], RunRecord]) -> None:
    """Fill the folder of an arm whose runs have all been found: run.json of each, and its network.

    That is the one trained here, or the one in DVC's cache with the hash that run.json has of its weights.
    """
    for run in arm.runs:
        said, inside = known[arm.name, run].training, run_folder(folder, run)
        kept = KEPT / str(said["inputs"])
        with suppress(OSError):  # another experiment may let go of it just now, once DVC's cache has it
            shutil.copytree(kept, inside, copy_function=linked)
            continue
        shutil.rmtree(inside, ignore_errors=True)
        inside.mkdir(parents=True)
        (inside / "run.json").write_text(json.dumps(said, indent=1) + "\n")
        if stored := cached_file(said["weights_md5"]):
            shutil.copyfile(stored, inside / "weights.safetensors")
            (inside / "model.json").write_text(json.dumps(said["network"], indent=1) + "\n")
    (folder / "arm.json").write_text(json.dumps(arm.written(profile), indent=1) + "\n")

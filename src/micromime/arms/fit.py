"""Train missing runs side by side, one process each; a run's folder appears when it is whole."""

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from micromime.arms.arm import Arm
from micromime.arms.records import RunRecord
from micromime.engines.local import Progress, run_tasks, trainings
from micromime.judging.metrics import SEGMENTATION, error_rate
from micromime.tracking.mlflow_arm import RunDescription
from micromime.tracking.tracking import tracked_run
from micromime.training.architectures import Finds, finds

WATCHED: dict[Finds, Mapping[str, Callable[[Any, Any], float]]] = {
    "mask": {name: SEGMENTATION[name] for name in ("pixel_error", "mean_iou")},
    "class": {"error_rate": error_rate},
}
"""Metrics of every epoch's validation; skeletons for the others would take longer than small networks."""


@dataclass(frozen=True)
class Tracked:
    """Where in MLflow a run belongs."""

    arm_id: str
    described: RunDescription


@dataclass(frozen=True)
class Fit:
    """One run, as it is handed to a worker process."""

    arm: Arm
    run: int
    inputs: str
    """Hash of all that decides the network, taken before it is trained: files may be edited meanwhile."""
    folder: Path
    start: Path | None
    """Folder of the network that it goes on with."""
    tracked: Tracked | None = None
    record: Path | None = None
    """File to write the run's record to as soon as it is finished."""

    @property
    def unfinished(self) -> Path:
        """Where it is trained; renamed to `folder` at the end."""
        return self.folder.with_name(f"unfinished-{self.folder.name}")

    @property
    def epochs_done(self) -> int:
        """Epochs that are behind it."""
        if self.folder.exists():
            return self.arm.settings.epochs
        try:
            return len((self.unfinished / "epochs.jsonl").read_text().splitlines())
        except FileNotFoundError:  # not begun, or renamed just now
            return 0


def fit_missing(fits: Sequence[Fit]) -> None:
    """Train the runs whose folders are not there yet, as many side by side as threads allow."""
    missing = [each for each in fits if not each.folder.exists()]
    if not missing:
        return
    threads = max(each.arm.settings.threads for each in missing)
    workers = trainings(threads)
    for (name, in_all), runs in Counter((each.arm.name, each.arm.settings.runs) for each in missing).items():
        print(f"{name}: {runs} of {in_all} runs to train")
    print(f"{min(workers, len(missing))} side by side, threads of each: {threads}", flush=True)
    for each in missing:  # before epochs are counted: one that was killed begins anew
        shutil.rmtree(each.unfinished, ignore_errors=True)
    total = sum(each.arm.settings.epochs for each in fits)
    run_tasks(fit, missing, workers, Progress("train", "epochs", total, lambda: sum(each.epochs_done for each in fits)))


def fit(task: Fit) -> None:
    """Train one run in this process."""
    import torch

    from micromime.training.learner import Run, fit_run

    torch.set_num_threads(task.arm.settings.threads)
    task.unfinished.mkdir(parents=True)
    run = Run(task.run, task.arm.settings_of(task.run), task.arm.dataset(task.run), task.start)
    with _log(task) as log:
        fit_run(run, WATCHED[finds(task.arm.settings.architecture)], task.unfinished, log)
        weights = (task.unfinished / "weights.safetensors").read_bytes()
        record = json.loads((task.unfinished / "run.json").read_text())
        record |= {"inputs": task.inputs, "weights_md5": hashlib.md5(weights).hexdigest()}
        (task.unfinished / "run.json").write_text(json.dumps(record, indent=1) + "\n")
        log(facts(record), 0)
    task.unfinished.rename(task.folder)
    if task.record:
        RunRecord.of_run(task.folder).write(task.record)


def facts(record: Mapping[str, Any]) -> dict[str, float]:
    """Return the numbers of a whole run that MLflow is told besides those of its epochs."""
    rates = {f"peak_rate.phase_{number}": rate for number, rate in enumerate(record["rates"], 1)}
    found = {key: record[key] for key in ("seconds", "peak_gpu_memory_mib") if record[key] is not None}
    return rates | found


@contextmanager
def _log(task: Fit) -> Iterator[Callable[[Mapping[str, float], int], None]]:
    """Give what takes the run's numbers."""
    if task.tracked is None:
        yield lambda _values, _step: None
        return
    with tracked_run(task.tracked.arm_id, task.run, task.tracked.described) as log:
        yield log.metrics

"""Train an arm: its runs differ in nothing but their seed, go side by side, and go on where they were stopped."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from typer import Option

from micromime.datasets.store import Dataset
from micromime.engine import Progress, alone, run_tasks, trainings
from micromime.evaluation.metrics import SEGMENTATION
from micromime.mistakes import Mistake
from micromime.parameters import read_tree, section, typed
from micromime.stages import command
from micromime.stages.work import fingerprint, source_files, work_folder
from micromime.training.phases import TrainParameters
from micromime.training.mlflow_arm import RunDescription
from micromime.training.tracking import prepare_store, tracked_arm, tracked_run
from micromime.training.versions import data_version, revision

DECIDING = ("training/learner", "training/loaders", "training/phases", "datasets/splits", "datasets/store", "streams")
"""Source files that decide what a network becomes; what else a run imports (tracking, say) leaves its weights alone."""

WATCHED = {name: SEGMENTATION[name] for name in ("pixel_error", "mean_iou")}
"""Metrics of every epoch's validation; skeletons for the others would take longer than small networks."""


@dataclass(frozen=True)
class Task:
    """One run, as it is handed to a worker process."""

    run: int
    settings: TrainParameters
    data: Path
    folder: Path
    arm_id: str
    described: RunDescription


def main(
    use_case: str,
    data: Annotated[Path, Option(help="The synthetic data set.")],
    out: Annotated[Path, Option(help="Folder to make: run-001/ and so on, and arm.json.")],
    params: Annotated[Path, Option(help="The file with the section <use case>.train.")] = Path("params.yaml"),
) -> None:
    """Train the runs of one arm, named as its folder, and write their networks."""
    tree = read_tree(params)
    settings = typed(TrainParameters, section(tree, use_case, "train"), f"{use_case}.train")
    if out.exists():
        raise Mistake(f"{out} is there already; remove it or give another folder.")
    Dataset(data)  # says so if it is none
    mark = fingerprint(settings.model_dump(), data / "dataset.json", *_deciding(settings))
    work = work_folder("train", use_case, out.name, mark)
    described = describe(use_case, out.name, str(tree.get("profile", "")), mark, settings, data)
    prepare_store(use_case)
    with alone(work), tracked_arm(described) as arm_id:
        runs = range(1, settings.runs + 1)
        fit_missing([Task(run, settings, data, work / f"run-{run:03d}", arm_id, described) for run in runs])
        out.mkdir(parents=True)
        for run in runs:
            shutil.copytree(work / f"run-{run:03d}", out / f"run-{run:03d}")
        (out / "arm.json").write_text(json.dumps(_arm(described), indent=1) + "\n")
    shutil.rmtree(work)


def describe(  # noqa: PLR0913 - all that MLflow is told of an arm
    use_case: str, arm: str, profile: str, mark: str, settings: TrainParameters, data: Path
) -> RunDescription:
    """Return what MLflow is told of the arm: settings of the data set and of the training, versions of both."""
    origin: dict[str, Any] = {key: Dataset(data).description[key] for key in ("scenario", "count", "seed")}
    return RunDescription(
        use_case=use_case,
        arm=arm,
        profile=profile,
        fingerprint=mark,
        params={"data": origin, "train": settings.model_dump()},
        data=(data_version(data.name, data),),
        revision=revision(),
    )


def _deciding(settings: TrainParameters) -> list[Path]:
    return source_files(*DECIDING, f"training/architectures/{settings.architecture}")


def _arm(described: RunDescription) -> dict[str, Any]:
    """Return what a later stage needs to find the arm's runs in MLflow, or to make them there."""
    kept = ("arm", "profile", "fingerprint", "params")
    return {key: getattr(described, key) for key in kept} | {"data": [each._asdict() for each in described.data]}


def fit_missing(tasks: list[Task]) -> None:
    """Train the runs whose folders are not there yet, as many side by side as there are cores."""
    missing = [task for task in tasks if not task.folder.exists()]
    epochs = tasks[0].settings.epochs
    print(
        f"{len(missing)} of {len(tasks)} runs to train, {min(trainings(), len(missing))} side by side, one thread each"
    )
    done = Progress("train", "epochs", epochs * len(tasks), lambda: sum(_epochs_done(task) for task in tasks))
    run_tasks(fit, missing, trainings(), done)


def fit(task: Task) -> None:
    """Train one run in this process; its folder appears when it is whole."""
    import torch

    from micromime.training.learner import fit_run

    torch.set_num_threads(1)
    unfinished = _unfinished(task)
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    with tracked_run(task.arm_id, task.run, task.described) as log:
        fit_run(task.settings, Dataset(task.data), task.run, WATCHED, unfinished, log.metrics)
        record = json.loads((unfinished / "run.json").read_text())
        log.metrics({key: record[key] for key in ("seconds", "peak_gpu_memory_mib") if record[key] is not None})
    unfinished.rename(task.folder)


def _unfinished(task: Task) -> Path:
    return task.folder.with_name(f"unfinished-{task.folder.name}")


def _epochs_done(task: Task) -> int:
    if task.folder.exists():
        return task.settings.epochs
    try:
        return len((_unfinished(task) / "epochs.jsonl").read_text().splitlines())
    except FileNotFoundError:  # not begun, or renamed just now
        return 0


if __name__ == "__main__":
    command(main)

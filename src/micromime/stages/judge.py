"""Judge networks on the test set: every run of every arm, beside the trivial baselines."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
from typer import Option

from micromime.arrays import Mask
from micromime.datasets.real import Micrograph, listed_files, read_micrographs
from micromime.datasets.sources import SOURCE_NAME, Source
from micromime.engine import Progress, alone, cores, run_tasks
from micromime.evaluation.baselines import BASELINES
from micromime.evaluation.figures import Shown, write_panel
from micromime.evaluation.metrics import SEGMENTATION
from micromime.evaluation.verdict import Verdict, headline, verdict, verdict_table
from micromime.mistakes import Mistake
from micromime.stages import command
from micromime.stages.tell import tell
from micromime.stages.work import source_files, work_folder

Row = dict[str, str | int | float]
"""What was judged on which picture, and every metric."""

THRESHOLD = 0.5
"""Probability from which a pixel counts as boundary."""


@dataclass(frozen=True)
class Task:
    """One network to ask, as it is handed to a worker process."""

    network: Path
    test_set: Path
    answer: Path
    """An .npz file: one mask a picture, by the picture's name."""


def main(
    use_case: str,
    models: Annotated[Path, Option(help="Folder of arms, each with arm.json and run-001/ and so on.")],
    test_set: Annotated[Path, Option(help="Folder of the test set.")],
    out: Annotated[Path, Option(help="The verdict, JSON; its table (.md) and a folder of its name lie beside it.")],
) -> None:
    """Write the verdict, its table, the score of every picture and a panel of them all; tell MLflow."""
    runs = sorted(models.glob("*/run-*"))
    if not runs:
        raise Mistake(f"{models} holds no runs to judge; train some first, for example with `make run`.")
    pictures = read_micrographs(test_set)
    source = Source.read(test_set / SOURCE_NAME)
    decided_by = source_files("training/networks", "stages/judge")
    work = work_folder("judge", *(run / "weights.safetensors" for run in runs), listed_files(test_set), *decided_by)
    with alone(work):
        answers = ask(runs, test_set, work)
        scores = pd.DataFrame([row for run in runs for row in _run_rows(run, answers[run], pictures)])
        baselines = pd.DataFrame([row for name in BASELINES for row in _baseline_rows(name, pictures)])
        said = verdict({"kind": source.kind, "name": use_case, "reason": source.reason}, scores, baselines)
        files = write(said, scores, out)
        median = representative(scores, models)
        masks = np.load(answers[median])
        title = (
            f"{headline(said['test_set'])}. Predictions: {median.parent.name}, {median.name}, the median by mean IoU."
        )
        write_panel(files / "panel.png", [_shown(each, masks[each.name]) for each in pictures], title)
        tell(use_case, models, test_set, said, scores, files)
    shutil.rmtree(work)


def ask(runs: list[Path], test_set: Path, work: Path) -> dict[Path, Path]:
    """Return the file with each network's masks of all test pictures; those that are there are kept."""
    answers = {run: work / f"{run.parent.name}-{run.name}.npz" for run in runs}
    tasks = [Task(run, test_set, answer) for run, answer in answers.items() if not answer.exists()]
    done = Progress("judge", "runs", len(runs), lambda: sum(answer.exists() for answer in answers.values()))
    run_tasks(find_masks, tasks, cores(), done)
    return answers


def find_masks(task: Task) -> None:
    """Ask one network for the masks of all test pictures, each at its own size."""
    import torch

    from micromime.training.networks import load_network, probability

    torch.set_num_threads(1)
    network = load_network(task.network)
    masks = {each.name: probability(network, each.image) > THRESHOLD for each in read_micrographs(task.test_set)}
    unfinished = task.answer.with_name(f"unfinished-{task.answer.name}")
    np.savez(unfinished, allow_pickle=False, **masks)
    unfinished.rename(task.answer)


def _run_rows(run: Path, answer: Path, pictures: list[Micrograph]) -> list[Row]:
    masks = np.load(answer)
    judged: Row = {"arm": run.parent.name, "run": int(run.name.removeprefix("run-"))}
    return [judged | _row(each, masks[each.name]) for each in pictures]


def _baseline_rows(name: str, pictures: list[Micrograph]) -> list[Row]:
    return [{"baseline": name, **_row(each, BASELINES[name](each.image))} for each in pictures]


def _row(picture: Micrograph, found: Mask) -> Row:
    scores = {name: metric(found, picture.mask) for name, metric in SEGMENTATION.items()}
    return {"picture": picture.name, "source": picture.source, **scores}


def write(said: Verdict, scores: pd.DataFrame, out: Path) -> Path:
    """Write verdict, table and scores; return the folder beside the verdict."""
    files = out.with_suffix("")
    files.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(said, indent=1) + "\n")
    out.with_suffix(".md").write_text(verdict_table(said))
    scores.to_parquet(files / "scores.parquet", index=False)
    return files


def representative(scores: pd.DataFrame, models: Path) -> Path:
    """Return the folder of the first arm's median run by mean IoU (the lower one of two in the middle)."""
    arm = str(scores["arm"].iloc[0])
    means = scores[scores["arm"] == arm].groupby("run")["mean_iou"].mean().sort_values(kind="stable")
    return models / arm / f"run-{means.index[(len(means) - 1) // 2]:03d}"


def _shown(picture: Micrograph, found: Mask) -> Shown:
    return Shown(picture.name, picture.source, picture.image, picture.mask, found)


if __name__ == "__main__":
    command(main)

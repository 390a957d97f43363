"""Ask networks about pictures: what each of them finds, measured against the truth and kept in its run's record."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from micromime.arms.arm import Arm, trained
from micromime.arms.networks import networks_of
from micromime.arms.records import Answers, RunRecord, record_file
from micromime.engines.local import Progress, run_tasks, trainings
from micromime.inference.views import ALL_VIEWS, in_views
from micromime.judging.micrographs import (
    CHOSEN_ON,
    THRESHOLD,
    THRESHOLDS,
    classified,
    pictures_in,
    scored,
    tested,
    to_choose_by,
)
from micromime.pictures.micrographs import LIST_NAME, listed_files
from micromime.project.work import code_of, fingerprint
from micromime.scenario.arrays import Image, Probability
from micromime.training.architectures import Finds, finds

TEST, SCORING, CHOOSING = "test", "scoring", "choosing"
"""What pictures are for: judging on real ones; of synthetic ones, telling a sampler, and choosing each run's threshold.

A network that is judged is asked in several views, and so its threshold is chosen; a sampler goes by one.
"""

ANSWERING = ("evaluation/metrics", "training/networks", "training/resizing")
SCORED = (*ANSWERING, "evaluation/average_precision", "stages/picture_scores")
GRAINS = ("closed_grains", "grain_size", "grain_sizes", "matched_grains", "topology")
DECIDING: dict[tuple[Finds, str], Sequence[str]] = {
    ("mask", SCORING): SCORED,
    ("mask", CHOOSING): (*SCORED, "stages/tested_pictures", "training/views"),
    ("mask", TEST): (*SCORED, *(f"evaluation/{name}" for name in GRAINS), "stages/tested_pictures", "training/views"),
}
"""Code that decides what a network answers and how that is measured, by what pictures are for; else: `ANSWERING`."""

Key = tuple[Path, int]
"""The folder of an arm, and a run of it."""


class Asked(NamedTuple):
    """What networks are asked: what for, about which pictures, and where they are judged in how many views."""

    purpose: str
    pictures: Path
    """A folder of micrographs, or a synthetic data set."""
    views: int = ALL_VIEWS


@dataclass(frozen=True)
class Question:
    """One network and the pictures to ask it about, as they are handed to a worker process."""

    network: Path
    record: RunRecord
    record_file: Path
    asked: Asked
    inputs: str

    @property
    def answered(self) -> bool:
        """Whether the record on disk has the answers."""
        kept = RunRecord.read(self.record_file)
        return kept is not None and kept.fitting(self.asked.purpose, self.inputs) is not None


def _code(record: RunRecord, asked: Asked) -> list[Any]:
    """Return all of the code that a network's answers depend on, and the views if they are not all."""
    what = finds(record.training["network"]["architecture"])
    code = code_of(*DECIDING.get((what, asked.purpose), ANSWERING))
    views = [] if asked.views == ALL_VIEWS else [asked.views]
    return [THRESHOLD, *(THRESHOLDS if what == "mask" else ()), *code, *views]


def answers(arms: Sequence[Path], records: Path, asked: Asked, runs: Sequence[int] | None = None) -> pd.DataFrame:
    """Return a row for every arm, run (all, or `runs`) and picture: every metric, grains and mean linear intercept.

    Of classifiers: whether the picture's class was wrong (error_rate, 0 or 1), and how probable the second class was.

    What a record tells is taken from it; the other networks are asked, several side by side, and their records written.
    """
    purpose, pictures, _ = asked
    identity = listed_files(pictures) if (pictures / LIST_NAME).is_file() else pictures / "dataset.json"
    known = {(arm, run): _record(arm, run, records) for arm in arms for run in runs or Arm.read(arm).runs}
    inputs = {key: fingerprint(record.inputs, identity, _code(record, asked)) for key, record in known.items()}
    questions = _questions(known, inputs, records, asked)
    there = len(known) - len(questions)
    done = Progress(f"ask ({purpose})", "runs", len(known), lambda: there + sum(each.answered for each in questions))
    run_tasks(_ask, questions, trainings(), done)
    tables = []
    for (arm, run), wanted in inputs.items():
        kept = RunRecord.read(record_file(records, arm.name, run))
        found = kept.fitting(purpose, wanted) if kept else None
        assert found, "asked above"
        tables.append(pd.DataFrame(found.table).assign(arm=arm.name, run=run))
    return pd.concat(tables, ignore_index=True)


def predictor(network: Path) -> Callable[[Image], Probability]:
    """Return what `networks.predictor` does; torch is imported when it is called."""
    from micromime.inference import networks

    return networks.predictor(network)


def classifier(network: Path) -> Callable[[Sequence[Image]], Sequence[float]]:
    """Return what `networks.classifier` does; torch is imported when it is called."""
    from micromime.inference import networks

    return networks.classifier(network)


def _rows(question: Question) -> list[dict[str, Any]]:
    purpose, folder, views = question.asked
    pictures = list(pictures_in(folder))
    if finds(question.record.training["network"]["architecture"]) == "mask":
        find = predictor(question.network)
        if purpose == SCORING:
            return [scored(each, find(each.image)) for each in pictures]
        find = in_views(find, views)
        row, of = (tested, pictures) if purpose == TEST else (to_choose_by, pictures[:CHOSEN_ON])
        return [row(each, find(each.image)) for each in of]
    found = classifier(question.network)([each.image for each in pictures])
    return [classified(each, probability) for each, probability in zip(pictures, found, strict=True)]


def _record(arm: Path, run: int, records: Path) -> RunRecord:
    """Return the record of a run, begun anew from run.json where another network's or none lies in its place."""
    said = trained(arm, run)
    kept = RunRecord.read(record_file(records, arm.name, run))
    return kept if kept and kept.inputs == said["inputs"] else RunRecord(inputs=said["inputs"], training=said)


def _questions(
    known: Mapping[Key, RunRecord], inputs: Mapping[Key, str], records: Path, asked: Asked
) -> list[Question]:
    """Return what no record tells, with the networks to ask; those that only a record is left of are trained."""
    missing = [key for key, record in known.items() if not record.fitting(asked.purpose, inputs[key])]
    networks: dict[Key, Path] = {}
    for arm in dict.fromkeys(arm for arm, _ in missing):
        places = networks_of(arm, [run for each, run in missing if each == arm])
        networks |= {(arm, run): place for run, place in places.items()}
    return [
        Question(networks[arm, run], known[arm, run], record_file(records, arm.name, run), asked, inputs[arm, run])
        for arm, run in missing
    ]


def _ask(question: Question) -> None:
    """Ask one network about all pictures, and add the answers to its run's record."""
    rows = _rows(question)
    answers = Answers.of(question.inputs, rows)
    question.record.with_answers(question.asked.purpose, answers).write(question.record_file)

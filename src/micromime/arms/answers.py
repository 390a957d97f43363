"""Networks of arms asked about pictures: what each finds, measured against the truth and kept in its run's record."""

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from micromime.arms.arm import Arm, trained
from micromime.arms.queue import network_of
from micromime.arms.records import Answers, RunRecord, fitting_record, read_record, write_record
from micromime.datasets.store import Dataset, identity
from micromime.engines.local import Progress, askings, run_tasks
from micromime.inference.views import ALL_VIEWS, in_views
from micromime.judging.micrographs import CHOSEN_ON, classified, pictures_in, scored, tested, to_choose_by
from micromime.pictures.micrographs import LIST_NAME, listed_files, read_micrographs
from micromime.pictures.sizes import largest
from micromime.project.results import ASKING, MEASURING
from micromime.project.work import fingerprint
from micromime.training.architectures import asking_bytes, files_of, finds

TEST, SCORING, CHOOSING, TILES = "test", "scoring", "choosing", "tiles"
"""What pictures are for: judging on real ones; of synthetic ones, telling a sampler, and choosing each run's threshold;
judging classifiers.

A network that is judged is asked in several views, and so its threshold is chosen; a sampler goes by one.
"""


class Question(NamedTuple):
    """What networks are asked: what for, about which pictures, in how many views."""

    purpose: str
    pictures: Path
    """A folder of micrographs, or a data set."""
    views: int = ALL_VIEWS

    @property
    def identity(self) -> Any:
        """What decides the pictures."""
        if not (self.pictures / LIST_NAME).is_file():
            return identity(self.pictures)
        # Where a picture is not taken as it is stored, what networks see is decided by more than its file.
        changed = [each for each in read_micrographs(self.pictures) if each.changes]
        seen = {
            each.name: hashlib.sha256(str(each.image.shape).encode() + each.image.tobytes()).hexdigest()
            for each in changed
        }
        return [listed_files(self.pictures), seen] if seen else listed_files(self.pictures)

    @property
    def largest_px(self) -> int:
        """Pixels of the largest picture."""
        if (self.pictures / LIST_NAME).is_file():
            return largest({name: self.pictures / name for name in listed_files(self.pictures)})[1]
        return max(image.size for image in Dataset(self.pictures).images)


class _Task(NamedTuple):
    """A run and what its network is asked, as they are handed to a worker process."""

    arm: Path
    run: int
    record: RunRecord
    records: Path
    question: Question
    inputs: str

    @property
    def kept(self) -> Answers | None:
        """The answers that the record on disk has."""
        kept = read_record(self.records, self.arm.name, self.run)
        return kept.fitting(self.question.purpose, self.inputs) if kept else None


def answers(arms: Sequence[Path], records: Path, question: Question, runs: Sequence[int] | None = None) -> pd.DataFrame:
    """Return a row for every arm, run (all, or `runs`) and picture: every metric, grains and mean linear intercept.

    Of classifiers: whether the picture's class was wrong (error_rate, 0 or 1), and how probable the second class was.

    What a record tells is taken from it; the other networks are asked, several side by side, and their records written.
    """
    known = {(arm, run): _record(arm, run, records) for arm in arms for run in runs or Arm.read(arm).runs}
    about = question.identity
    every = [
        _Task(arm, run, record, records, question, inputs_of(record, question, about))
        for (arm, run), record in known.items()
    ]
    tasks = [each for each in every if not each.record.fitting(question.purpose, each.inputs)]
    for each in tasks:
        network_of(each.arm, each.run)  # says so before any is asked
    there = len(every) - len(tasks)
    done = lambda: there + sum(each.kept is not None for each in tasks)  # noqa: E731 - what is counted
    used = {Arm.read(arm).settings.architecture for arm in arms}
    workers = askings(len(tasks), _most_bytes(used, question)) if tasks else 1
    shown = Progress(f"ask ({question.purpose})", "runs", len(every), done)
    run_tasks(_ask, tasks, workers, shown, ["micromime.inference.networks", *files_of(used)])
    tables = [pd.DataFrame(each.kept.table).assign(arm=each.arm.name, run=each.run) for each in every if each.kept]
    return pd.concat(tables, ignore_index=True)


def _most_bytes(used: Iterable[str], question: Question) -> int:
    """Return about how much memory asking takes, by the architecture that needs most; classifiers see all small."""
    return max(asking_bytes(each, question.largest_px if finds(each) == "mask" else 0) for each in used)


def inputs_of(record: RunRecord, question: Question, about: Any) -> str:
    """Return the hash of all that decides what a network answers and how that is measured."""
    return fingerprint(record.inputs, about, question.purpose, question.views, ASKING, MEASURING)


def _record(arm: Path, run: int, records: Path) -> RunRecord:
    """Return the record of a run, begun anew from run.json where another network's or none lies in its place."""
    said = trained(arm, run)
    kept = fitting_record(records, arm.name, run, said["inputs"])
    return kept or RunRecord(inputs=said["inputs"], training=said)


def _ask(task: _Task) -> None:
    """Ask one network about all pictures, and add the answers to its run's record."""
    given = Answers.of(task.inputs, _rows(task))
    kept = read_record(task.records, task.arm.name, task.run)
    record = kept if kept and kept.inputs == task.record.inputs else task.record
    write_record(task.records, task.arm.name, task.run, record.with_answers(task.question.purpose, given))


def _rows(task: _Task) -> list[dict[str, Any]]:
    from micromime.inference.networks import classifier, predictor  # torch takes seconds

    (purpose, folder, views), network = task.question, network_of(task.arm, task.run)
    pictures = list(pictures_in(folder))
    if finds(task.record.training["network"]["architecture"]) == "class":
        found = classifier(network)([each.image for each in pictures])
        return [classified(each, probability) for each, probability in zip(pictures, found, strict=True)]
    find = in_views(predictor(network), views)
    row = {SCORING: scored, CHOOSING: to_choose_by, TEST: tested}[purpose]
    return [row(each, find(each.image)) for each in (pictures[:CHOSEN_ON] if purpose == CHOOSING else pictures)]

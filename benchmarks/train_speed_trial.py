"""Trials: some seconds of training to see how fast it is, as many runs side by side as would be trained."""

import json
import os
import threading
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from micromime.engines.local import Progress, run_tasks, trainings
from micromime.mistakes import Mistake
from micromime.training.settings import TrainParameters

GRACE_S, TIMES = 15.0, 4.0
"""A trial is given up where its warm-up takes so many times as long as the fastest trial needs for a step, and so much
longer: bfloat16 on a processor that was not made for it may need minutes for one."""

LOST = "a process was ended from outside, perhaps for lack of memory"


@dataclass(frozen=True)
class Timed:
    """What came out for some settings."""

    settings: TrainParameters
    runs: int
    """Side by side."""
    speed: float
    """Images a second of one run, the mean of those side by side; 0 where it failed."""
    failed: str = ""
    """Why, if it did."""

    @property
    def machine_speed(self) -> float:
        """Images a second of all runs together."""
        return self.runs * self.speed


@dataclass(frozen=True)
class Trial:
    """One run of those that are timed side by side, as it is handed to a worker process."""

    settings: TrainParameters
    seconds: float
    patience_s: float | None
    """How long its warm-up may take; None for as long as it likes."""
    folder: Path
    number: int
    count: int

    def reach(self, mark: str) -> bool:
        """Write down that this one has come to a mark, and say whether all have, or have ended."""
        self._file(mark).touch()
        others = [replace(self, number=number) for number in range(self.count)]
        return all(other._file(mark).exists() or other.ended for other in others)

    @property
    def ended(self) -> bool:
        """Whether its answer is there."""
        return self._file("answer").exists()

    @property
    def answer(self) -> tuple[float, str]:
        """Images a second, or 0 and why there is no telling."""
        speed, failed = json.loads(self._file("answer").read_text())
        return speed, failed

    def end(self, speed: float, failed: str = "") -> None:
        """Write the answer."""
        self._file("unfinished").write_text(json.dumps([speed, failed]))
        self._file("unfinished").rename(self._file("answer"))

    def _file(self, what: str) -> Path:
        return self.folder / f"{what}-{self.number}"


def time_settings(settings: TrainParameters, seconds: float, fastest: float, title: str) -> Timed:
    """Return how fast this machine trains with some settings: each run in a fresh process, as trainings are.

    `fastest` is what the machine has done with others, images a second, or 0: what is hopeless beside it is given up.
    Whatever goes wrong is part of what is returned.
    """
    count = min(trainings(settings.threads), settings.runs)
    step_s = count * settings.phases[-1].batch_size / fastest if fastest else None
    patience_s = None if step_s is None else GRACE_S + TIMES * step_s
    with TemporaryDirectory(prefix="micromime-trial-") as folder:
        trials = [Trial(settings, seconds, patience_s, Path(folder), number, count) for number in range(count)]
        with suppress(Mistake):  # a process was ended; where it knew why, its answer says so
            run_tasks(time_run, trials, count, Progress(title, "runs", count, lambda: sum(t.ended for t in trials)))
        answers = [trial.answer for trial in trials if trial.ended]
    failed = next((why for _, why in answers if why), "" if len(answers) == count else LOST)
    return Timed(settings, count, 0 if failed else sum(speed for speed, _ in answers) / count, failed)


def time_run(trial: Trial) -> None:
    """Time one run in this process; whatever goes wrong is its answer."""
    import torch

    torch.set_num_threads(trial.settings.threads)
    watch = threading.Timer(trial.patience_s or 0, _give_up, (trial,))
    watch.daemon = True

    def reach(mark: str) -> bool:
        if mark == "begun" and trial.patience_s:
            watch.start()
        elif mark == "warm":
            watch.cancel()
        return trial.reach(mark)

    try:
        from micromime.training.speed import training_speed

        trial.end(training_speed(trial.settings, trial.seconds, reach, trial.folder))
    except Exception as error:  # settings that do not work here are a result
        trial.end(0, " ".join(f"{type(error).__name__}: {error}".split()))
    finally:
        watch.cancel()


def _give_up(trial: Trial) -> None:
    """End this process, for a step that has begun cannot be ended otherwise; the engine then ends those beside it."""
    trial.end(0, f"given up: still warming up after {trial.patience_s:.0f} s")
    os._exit(1)

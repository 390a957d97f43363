"""Which precision, order in memory and number of threads train fastest on this machine.

    python benchmarks/train_speed.py grain_boundaries

Timed are whole training steps of the last phase (augmentation, forward, loss, backward, optimiser) on random images,
by as many runs side by side as would be trained. What comes out is a table; params.yaml stays as it is.
"""

import os
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from itertools import product
from multiprocessing import active_children, get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Annotated, Any, NamedTuple, get_args

import numpy as np
import torch
from fastai.callback.core import Callback, CancelFitException, CancelValidException
from fastai.torch_core import set_seed
from tqdm import tqdm
from typer import Option

from micromime.cli import command
from micromime.engines.local import KEEP_MEMORY, ONE_THREAD, cores, trainings
from micromime.scenario.parameters import one_of, read_tree
from micromime.training.architectures import architectures, build
from micromime.training.learner import FREEZE_TO, learner_for, this_device
from micromime.training.loaders import loaders
from micromime.training.settings import TrainParameters

TUNED = ("precision", "channels_last", "threads")
"""The keys of `train` that are measured."""

WARM_UP_STEPS, BATCHES = 2, 4
"""In the first steps memory is asked for and kernels are chosen; so many different batches lie in memory."""

GRACE_S, TIMES = 60.0, 8.0
"""Longer than what the fastest need for so many steps no settings have: bfloat16 may take minutes for one."""


class Timed(NamedTuple):
    """What came out for some settings: of runs side by side, images a second in all; 0 and why, if one failed."""

    settings: TrainParameters
    runs: int
    speed: float
    failed: str = ""


def main(
    use_case: str,
    seconds: Annotated[float, Option(min=0.1, help="How long each combination is timed.")] = 10.0,
    params: Annotated[Path, Option(help="The file with <use case>.train.")] = Path("params.yaml"),
) -> None:
    """Time every combination, and print a table, first what params.yaml says, which stays as it is."""
    settings = TrainParameters.of(read_tree(params), use_case, "train")
    one_of(settings.architecture, architectures(), f"{use_case}.train.architecture")
    gpu = torch.cuda.is_available()
    name = torch.cuda.get_device_name() if gpu else torch.backends.cpu.get_cpu_capability()
    print(f"{name}, {cores()} cores, load {os.getloadavg()[0]:.1f}; torch {torch.__version__}, {settings.architecture}")
    timed = list[Timed]()
    for each in tqdm(combinations(settings, {1} if gpu else {1, cores()})):
        timed.append(time_settings(each, seconds, max((one.speed for one in timed), default=0)))
    print(f"\n{table(timed)}")


def combinations(now: TrainParameters, threads: set[int]) -> list[TrainParameters]:
    """Return the settings to time: those of params.yaml, then all others."""
    precisions = get_args(TrainParameters.model_fields["precision"].annotation)
    values = product(precisions, (False, True), sorted(threads | {now.threads}))
    every = [now.model_copy(update=dict(zip(TUNED, each, strict=True))) for each in values]
    return [now, *(each for each in every if each != now)]


def time_settings(settings: TrainParameters, seconds: float, fastest: float) -> Timed:
    """Return how fast this machine trains with some settings; whatever goes wrong is part of what is returned.

    `fastest` is what the machine has done with others, images a second, or 0: what is hopeless beside it is given up.
    """
    count, spawn = min(trainings(settings.runs, settings.threads), settings.runs), get_context("spawn")
    os.environ.update(ONE_THREAD | KEEP_MEMORY)  # those started read it; torch is told its threads
    images = count * settings.phases[-1].batch_size
    limit_s = GRACE_S + seconds + TIMES * images / fastest if fastest else None
    with ProcessPoolExecutor(count, spawn, setattr, (Stopwatch, "warm", spawn.Barrier(count))) as pool:
        try:
            runs = [pool.submit(training_speed, settings, seconds) for _ in range(count)]
            return Timed(settings, count, sum(run.result() for run in as_completed(runs, limit_s)))
        except TimeoutError:
            failed = "given up: still not done"
        except Exception as error:  # settings that do not work here are a result
            failed = " ".join(f"{type(error).__name__}: {error}".split())
        finally:
            for process in active_children():
                process.kill()
    return Timed(settings, count, 0, failed)


class Stopwatch(Callback):
    """Takes the time after each training step, for a while, then ends the training; validation is left out."""

    order = 70  # after all others, which belong to the step
    warm: Any
    """A barrier: all runs have done their first steps before the time of one counts."""

    def __init__(self, seconds: float) -> None:
        """Take it for so many seconds."""
        self.seconds, self.steps, self.ends = seconds, 0, list[float]()

    def before_validate(self) -> None:
        """Go on with the next epoch."""
        raise CancelValidException

    def after_batch(self) -> None:
        """Take the time, on a GPU once it has done all that it was given."""
        self.steps += 1
        if self.steps == WARM_UP_STEPS:
            self.warm.wait()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.ends += [time.perf_counter()] if self.steps >= WARM_UP_STEPS else []
        if len(self.ends) > 1 and self.ends[-1] - self.ends[0] >= self.seconds:
            raise CancelFitException


def training_speed(settings: TrainParameters, seconds: float) -> float:
    """Return how many images a second a run trains on in this process, timed for so many seconds."""
    torch.set_num_threads(settings.threads)
    set_seed(0, reproducible=True)  # as a run does: on a GPU it rules the fastest kernels out
    phase, rng, stopwatch = settings.phases[-1], np.random.default_rng(0), Stopwatch(seconds)
    count, shape = phase.batch_size * BATCHES, (phase.batch_size * BATCHES, phase.size_px, phase.size_px)
    images, masks = rng.integers(0, 256, shape, np.uint8), rng.random(shape, np.float32) < 0.5
    pairs: Any = SimpleNamespace(images=images, masks=masks, class_numbers=np.arange(count, dtype=np.int64) % 2)
    parts = np.arange(count, dtype=np.int32), np.arange(1, dtype=np.int32)
    batches = loaders(pairs, parts, settings, phase, this_device())
    with TemporaryDirectory() as folder:
        learner = learner_for(batches, build(settings.architecture, pretrained=False), settings, {}, Path(folder))
        learner.freeze_to(FREEZE_TO[phase.trainable])
        with learner.no_bar(), learner.no_logging():
            learner.fit_one_cycle(10**6, 1e-4, cbs=[stopwatch])  # low: there is nothing to learn
    return phase.batch_size * (len(stopwatch.ends) - 1) / (stopwatch.ends[-1] - stopwatch.ends[0])


def table(timed: Sequence[Timed]) -> str:
    """Return a line for each combination, with its speed as a multiple of that of params.yaml, which is the first."""
    now = timed[0]
    lines = ["precision  channels_last  threads  side by side  images/s in all  of now"]
    for settings, runs, speed, failed in timed:
        line = f"{settings.precision:9}  {str(settings.channels_last).lower():13}  {settings.threads:7}  "
        lines.append(line + (failed[:60] or f"{runs:12}  {speed:15.2f}  {speed / now.speed if now.speed else 0:6.2f}"))
    lines[1] += "  <- now"
    return "\n".join(lines)


if __name__ == "__main__":
    command(main)

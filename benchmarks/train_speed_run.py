"""How fast a run would train on this machine: timed on whole training steps of its own Learner."""

import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from fastai.callback.core import Callback, CancelFitException, CancelValidException
from fastai.torch_core import set_seed

from micromime.training.architectures import build, finds
from micromime.training.learner import learner_for, set_trainable, this_device
from micromime.training.loaders import View, loaders
from micromime.training.settings import Phase, TrainParameters

WARM_UP_STEPS = 2
"""In the first, memory is asked for, kernels are chosen and the optimiser gets its state; slow ones do with one."""

BATCHES = 4
"""An epoch's; so many different batches lie in memory."""

ENDLESS = 10**6
"""Epochs; the stopwatch ends them."""

PEAK_RATE = 1e-4
"""Low, for there is nothing to learn: the speed does not depend on it as long as the numbers stay numbers."""

Reach = Callable[[str], bool]
"""Given the name of a mark this process has come to, says whether all processes beside it have come to it too."""


def training_speed(settings: TrainParameters, seconds: float, reach: Reach, folder: Path) -> float:
    """Return how many images a second a run trains on in its last phase.

    Whole steps are timed: augmentation, forward, loss, backward, optimiser. Images and masks are random: speed depends
    on their size and number alone. Torch's threads are those that the caller has set. `folder` is the Learner's own.

    `reach` is told `begun`, then `warm`; once all are warm, at least one step and at least so many seconds are timed,
    and `timed` is told after each further step until all are, so that none is timed while others rest.
    """
    set_seed(0, reproducible=True)  # as a run does: on a GPU it rules the fastest kernels out
    phase = settings.phases[-1]
    images = phase.batch_size * BATCHES
    parts = np.arange(images, dtype=np.int32), np.arange(1, dtype=np.int32)
    view = View(phase, settings.augmentation, finds(settings.architecture), settings.target)
    batches = loaders(random_pairs(images, phase), parts, view, this_device())
    stopwatch = Stopwatch(seconds, reach)
    learner = learner_for(batches, build(settings.architecture, pretrained=False), settings, {}, folder)
    set_trainable(learner, phase)
    with learner.no_bar(), learner.no_logging():
        learner.fit_one_cycle(ENDLESS, PEAK_RATE, cbs=[stopwatch])
    return stopwatch.steps_per_second * phase.batch_size


def random_pairs(count: int, phase: Phase) -> Any:
    """Return what looks like a data set: `count` noisy images, uint8, at the size of the phase, masks and classes."""
    rng, shape = np.random.default_rng(0), (count, phase.size_px, phase.size_px)
    images, masks = rng.integers(0, 256, shape, np.uint8), rng.random(shape, np.float32) < 0.5
    return SimpleNamespace(images=images, masks=masks, class_numbers=np.arange(count, dtype=np.int64) % 2)


class Stopwatch(Callback):
    """Times training steps for a while, then ends the training; validation is left out."""

    order = 70  # after all others, which belong to the step

    def __init__(self, seconds: float, reach: Reach) -> None:
        """Time at least so many seconds."""
        super().__init__()
        self.seconds, self.reach = seconds, reach
        self.steps_per_second = 0.0
        self._warm, self._steps, self._began = False, 0, 0.0

    def before_fit(self) -> None:
        """Begin to warm up."""
        self.reach("begun")
        self._began = _now()

    def before_validate(self) -> None:
        """Go on with the next epoch."""
        raise CancelValidException

    def after_batch(self) -> None:
        """Count the step."""
        self._steps += 1
        elapsed = _now() - self._began
        if not self._warm:
            if self._steps == WARM_UP_STEPS or elapsed >= self.seconds:
                self._begin_timing()
        elif not self.steps_per_second and elapsed >= self.seconds:
            self.steps_per_second = self._steps / elapsed
        if self.steps_per_second and self.reach("timed"):
            raise CancelFitException

    def _begin_timing(self) -> None:
        while not self.reach("warm"):
            time.sleep(0.01)
        self._warm, self._steps, self._began = True, 0, _now()


def _now() -> float:
    """Return seconds of a clock, once a GPU has done all that it was given."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()

"""What a run's training does besides fitting: how exact its products are, and what is kept of every epoch."""

import json
import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from fastai.callback.channelslast import ChannelsLast
from fastai.callback.core import Callback

from micromime.mistakes import Mistake
from micromime.training.settings import TrainParameters

Log = Callable[[Mapping[str, float], int], None]


def numerics(settings: TrainParameters, device: torch.device) -> list[Callback]:
    """Return the callbacks that choose how numbers lie in memory and how exact products are."""
    asked = [ChannelsLast()] if settings.channels_last else []
    return [*asked, Bfloat16(device)] if settings.precision == "bfloat16" else asked


class Bfloat16(Callback):
    """Computes the network in bfloat16 where torch deems it safe, on any device (fastai's own asks for CUDA)."""

    order = 10  # as fastai's MixedPrecision

    def __init__(self, device: torch.device) -> None:
        """Work on one kind of device."""
        super().__init__()
        self.autocast: Any = torch.autocast(device.type, torch.bfloat16)

    def before_batch(self) -> None:
        """Begin with the forward pass."""
        self.autocast.__enter__()

    def after_pred(self) -> None:
        """Let the loss see float32, and end before it."""
        self.learn.pred = self.pred.float()
        self.autocast.__exit__(None, None, None)


class Journal(Callback):
    """Keeps every epoch's losses, metrics and speed, as a line of a file for whoever waits for the run."""

    order = 60  # after fastai's Recorder, whose numbers it reads

    def __init__(self, file: Path, log: Log, run: int) -> None:
        """Write to `file` and call `log(values, epoch)` after each epoch."""
        super().__init__()
        self.file, self.log, self.run = file, log, run
        self.phase = self.images = 0
        self.epochs: list[dict[str, Any]] = []
        self._began = self._seconds = 0.0

    def before_train(self) -> None:
        """Start the clock."""
        self._began = time.perf_counter()

    def after_train(self) -> None:
        """Stop it: validation and its metrics are no part of the speed."""
        self._seconds = time.perf_counter() - self._began

    def after_epoch(self) -> None:
        """Write the epoch down."""
        recorder = self.learn.recorder
        values = dict(zip(recorder.metric_names[1:-1], map(float, recorder.values[-1]), strict=True))
        if not all(math.isfinite(values[name]) for name in ("train_loss", "valid_loss")):
            raise Mistake(
                f"run {self.run}: the loss of epoch {len(self.epochs) + 1} is no number; "
                f"lower train.phases.{self.phase - 1}.peak_rate."
            )
        values["images_per_second"] = self.images / self._seconds
        self.epochs.append({"phase": self.phase, **values})
        with self.file.open("a") as lines:
            lines.write(json.dumps(self.epochs[-1]) + "\n")
        self.log(values, len(self.epochs))

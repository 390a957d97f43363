"""One run: a network trained through its phases by fastai, everything random from one seed."""

import json
import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from fastai.callback.channelslast import ChannelsLast
from fastai.callback.core import Callback
from fastai.callback.schedule import Learner  # the Learner that knows fit_one_cycle
from fastai.data.core import DataLoaders
from fastai.losses import CrossEntropyLossFlat
from fastai.metrics import AvgMetric
from fastai.torch_core import params, set_seed
from torch import Tensor, nn

from micromime.arrays import Mask
from micromime.datasets.splits import split
from micromime.datasets.store import Dataset
from micromime.mistakes import Mistake
from micromime.streams import stream
from micromime.training.architectures import build, parts
from micromime.training.loaders import loaders
from micromime.training.networks import save_network
from micromime.training.phases import Phase, TrainParameters

Metrics = Mapping[str, Callable[[Mask, Mask], float]]
Log = Callable[[Mapping[str, float], int], None]


def fit_run(  # noqa: PLR0913 - a run is all of this, and is called in one place
    settings: TrainParameters, dataset: Dataset, run: int, metrics: Metrics, folder: Path, log: Log
) -> None:
    """Train one run and write its weights, model.json and run.json to `folder`.

    The run number is the seed of all that is random (Trampert et al. 2021, section 2.2). Every finished
    epoch is a line of `epochs.jsonl` there and a call of `log(values, epoch)`. Raises Mistake where the images do
    not fill a batch, or a loss is no number.
    """
    set_seed(run, reproducible=True)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()  # this process may have trained another run before
    indices = split(len(dataset.images), settings.validation_share, stream(run, "split"))
    network = build(settings.architecture, pretrained=True)
    journal = Journal(folder / "epochs.jsonl", log, run)
    began = time.perf_counter()
    for number, phase in enumerate(settings.phases, 1):
        batches = loaders(dataset, indices, phase, settings.augmentation, device)
        journal.phase, journal.images = number, len(batches.train) * phase.batch_size
        learner = _learner(batches, network, settings.architecture, metrics, folder)
        learner.add_cbs(_numerics(settings, device))
        _fit_phase(learner, phase, journal)
    record = {
        "run": run,
        "training_images": len(indices[0]),
        "validation_images": len(indices[1]),
        "seconds": time.perf_counter() - began,
        "device": str(device),
        "threads": torch.get_num_threads(),
        "peak_gpu_memory_mib": torch.cuda.max_memory_allocated() / 2**20 if device.type == "cuda" else None,
        "epochs": journal.epochs,
    }
    (folder / "run.json").write_text(json.dumps(record, indent=1) + "\n")
    described = {"architecture": settings.architecture, "classes": ["inside", "boundary"], "run": run}
    save_network(network, described, folder)


def _learner(batches: DataLoaders, network: nn.Module, architecture: str, metrics: Metrics, folder: Path) -> Learner:
    """Return fastai's Learner with the body and the head as its two groups of layers."""
    return Learner(
        batches,
        network,
        loss_func=CrossEntropyLossFlat(axis=1),
        splitter=lambda net: [_parameters(modules) for modules in parts(architecture, net)],
        metrics=[_averaged(name, metric) for name, metric in metrics.items()],
        path=folder,
        model_dir=".",
    )


def _numerics(settings: TrainParameters, device: torch.device) -> list[Callback]:
    """Return the callbacks that choose how numbers lie in memory and how exact products are."""
    asked = [ChannelsLast()] if settings.channels_last else []
    return [*asked, Bfloat16(device)] if settings.precision == "bfloat16" else asked


def _fit_phase(learner: Learner, phase: Phase, journal: "Journal") -> None:
    """Train one phase with the one-cycle policy (Smith 2017)."""
    if phase.trainable == "head":
        learner.freeze()
    else:
        learner.unfreeze()
    with learner.no_bar(), learner.no_logging():
        learner.fit_one_cycle(phase.epochs, phase.peak_rate, cbs=[journal])


def _parameters(modules: list[nn.Module]) -> list[Tensor]:
    return [each for module in modules for each in params(module)]


def _averaged(name: str, metric: Callable[[Mask, Mask], float]) -> AvgMetric:
    """Return a metric of masks as fastai's: the mean over the validation images."""

    def score(scores: Tensor, truth: Tensor) -> float:
        found = scores.argmax(dim=1).cpu().numpy().astype(bool)
        pairs = zip(found, truth.cpu().numpy().astype(bool), strict=True)
        values = [metric(prediction, true) for prediction, true in pairs]
        return sum(values) / len(values)

    score.__name__ = name
    return AvgMetric(score)


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

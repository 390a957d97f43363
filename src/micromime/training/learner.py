"""One run: a network trained through its phases by fastai, everything random from one seed."""

import json
import math
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import torch
from fastai.callback.channelslast import ChannelsLast
from fastai.callback.core import Callback
from fastai.callback.schedule import Learner, valley  # the Learner that knows fit_one_cycle and lr_find
from fastai.callback.training import BnFreeze
from fastai.data.core import DataLoaders
from fastai.metrics import AvgMetric
from fastai.torch_core import no_random, params, set_seed
from torch import Tensor, nn

from micromime.datasets.rehearsal import Rehearsed
from micromime.datasets.splits import split, split_specimens
from micromime.datasets.store import Dataset
from micromime.mistakes import Mistake
from micromime.scenario.arrays import Indices
from micromime.scenario.streams import stream
from micromime.training.architectures import build, finds, parts
from micromime.training.loaders import loaders
from micromime.training.losses import UNDECIDED, loss_of
from micromime.training.networks import load_network, save_network
from micromime.training.settings import Phase, TrainParameters

SEGMENTS = ["inside", "boundary"]
"""The classes of a pixel, where a network finds masks."""

LEAST_RATE, LARGEST_RATE = 1e-5, 1.0
"""Between these the finder looks; each batch tries a rate a constant factor higher."""

FEWEST_POINTS = 5
"""Batches of which the finder has to see the loss before a valley means anything."""

FREEZE_TO = {"head": -1, "all": 0}
"""What fastai's `freeze_to` is told for a phase: of the two groups of layers the first to be trained."""

Metrics = Mapping[str, Callable[[Any, Any], float]]
"""What a training is watched by, and what decides nothing: metrics of two masks, or of the classes predicted and true
of several pictures, by name."""


@dataclass(frozen=True)
class Run:
    """All that decides what one network becomes."""

    number: int
    """Also the seed of all that is random (Trampert et al. 2021, section 2.2)."""
    settings: TrainParameters
    dataset: Dataset | Rehearsed
    start: Path | None = None
    """Folder of the network whose weights it goes on with; without one it begins with ImageNet's."""

    @property
    def indices(self) -> tuple[Indices, Indices]:
        """The samples it trains on, and those it only checks itself on: drawn anew for each run.

        Where samples come from specimens, no specimen is in both.
        """
        share, rng = self.settings.validation_share, stream(self.number, "split")
        if "specimen" in self.dataset.samples:
            return split_specimens(self.dataset.samples["specimen"].tolist(), share, rng)
        return split(len(self.dataset.images), share, rng)

    def network(self) -> nn.Module:
        """Return the network that it begins with."""
        if self.start is None:
            return build(self.settings.architecture, pretrained=True)
        return load_network(self.start).to(memory_format=torch.contiguous_format)

    def batches(self, phase: Phase) -> DataLoaders:
        """Return what it sees in a phase."""
        return loaders(self.dataset, self.indices, self.settings, phase, this_device())

    def described(self) -> dict[str, Any]:
        """Return what model.json says: what builds the network, and what its answers mean."""
        said = {"architecture": self.settings.architecture, "classes": SEGMENTS, "run": self.number}
        if finds(self.settings.architecture) == "mask":
            return said
        size_px = self.settings.phases[-1].size_px
        return said | {"classes": self.dataset.description["classes"], "size_px": size_px}


def fit_run(run: Run, metrics: Metrics, folder: Path) -> None:
    """Train one run and write its weights, model.json and run.json to `folder`.

    Every finished epoch is a line of `epochs.jsonl` there. Where a phase's peak rate is to be found, it is found on the
    network as the phase begins, and leaves no other trace: given as a number, the same rate makes the same network.
    Raises Mistake where the images do not fill a batch, a loss is no number or no rate can be found.
    """
    settings = run.settings
    set_seed(run.number, reproducible=True)
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()  # this process may have trained another run before
    network = run.network()
    journal = Journal(folder / "epochs.jsonl", run.number)
    rates, began = [], time.perf_counter()
    for number, phase in enumerate(settings.phases, 1):
        rates.append(find_rate(run, network, phase, folder) if phase.peak_rate == "find" else phase.peak_rate)
        learner = learner_for(run.batches(phase), network, settings, metrics, folder)
        learner.freeze_to(FREEZE_TO[phase.trainable])
        journal.phase, journal.images = number, len(learner.dls.train) * phase.batch_size
        with learner.no_bar(), learner.no_logging():
            learner.fit_one_cycle(phase.epochs, rates[-1], cbs=[journal])
    record = {
        "run": run.number,
        "training_images": len(run.indices[0]),
        "validation_images": len(run.indices[1]),
        "rates": rates,
        "seconds": time.perf_counter() - began,
        **_machine(this_device()),
        "epochs": journal.epochs,
        "network": run.described(),
    }
    (folder / "run.json").write_text(json.dumps(record, indent=1) + "\n")
    save_network(network, run.described(), folder)


def learner_for(
    batches: DataLoaders, network: nn.Module, settings: TrainParameters, metrics: Metrics, folder: Path
) -> Learner:
    """Return fastai's Learner with the body and the head as its two groups of layers.

    Of a frozen body the batch norms stay as they are, too (fastai trains them by default): so nothing flows back
    through it.
    """
    numerics = [ChannelsLast()] if settings.channels_last else []
    numerics += [Bfloat16(batches.device)] if settings.precision == "bfloat16" else []
    return Learner(
        batches,
        network,
        loss_func=loss_of(settings, finds(settings.architecture)),
        splitter=lambda net: [[p for each in part for p in params(each)] for part in parts(settings.architecture, net)],
        metrics=[averaged(name, metric) for name, metric in metrics.items()],
        path=folder,
        model_dir=".",
        cbs=[BnFreeze(), *numerics],
        train_bn=False,
    )


def find_rate(run: Run, network: nn.Module, phase: Phase, folder: Path) -> float:
    """Return the learning rate that the finder (Smith 2017, section 3.3) suggests for a phase, by fastai's `valley`.

    The network and the state of everything random are afterwards as before. Raises Mistake where the loss has none.
    """
    settings = run.settings
    with no_random(run.number):
        learner = learner_for(run.batches(phase), network, settings, {}, folder)
        learner.freeze_to(FREEZE_TO[phase.trainable])
        with learner.no_bar():
            learner.lr_find(LEAST_RATE, LARGEST_RATE, settings.finder_steps, show_plot=False, suggest_funcs=None)
    tried = slice(settings.finder_steps // 10, -5)  # all that fastai's own suggestions look at
    losses = [float(loss) for loss in learner.recorder.losses[tried] if math.isfinite(loss)]
    rates = learner.recorder.lrs[tried][: len(losses)]
    # Of a loss that falls once and then only grows, fastai's valley is the last rate of all.
    if len(losses) < FEWEST_POINTS or (found := valley(rates, losses, len(losses))[0]) == rates[-1]:
        raise Mistake(
            f"run {run.number}: the learning-rate finder sees no valley in the loss at the {len(losses)} rates tried "
            "before it grew too large; raise train.finder_steps, or give peak_rate as a number."
        )
    return float(found)


def averaged(name: str, metric: Callable[[Any, Any], float]) -> AvgMetric:
    """Return a metric as fastai's: the mean over the validation images; undecided pixels are grain in both masks."""

    def score(scores: Tensor, truth: Tensor) -> float:
        found, true = scores.argmax(dim=1).cpu().numpy(), truth.cpu().numpy()
        if true.ndim == 1:
            return metric(found, true)
        masks, decided = found.astype(bool) & (true != UNDECIDED), true == 1
        values = [metric(*pair) for pair in zip(masks, decided, strict=True)]
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
    """Keeps every epoch's losses, metrics, speed and load, as a line of a file for whoever waits for the run."""

    order = 60  # after fastai's Recorder, whose numbers it reads

    def __init__(self, file: Path, run: int) -> None:
        """Write to `file` after each epoch."""
        super().__init__()
        self.file, self.run = file, run
        self.phase = self.images = 0
        self.epochs: list[dict[str, Any]] = []
        self._began = self._seconds = 0.0
        system_load()  # from here on the first epoch's is counted

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
        values |= {"images_per_second": self.images / self._seconds, **system_load()}
        self.epochs.append({"phase": self.phase, **values})
        with self.file.open("a") as lines:
            lines.write(json.dumps(self.epochs[-1]) + "\n")


def system_load() -> dict[str, float]:
    """Return the load of the whole machine, named as MLflow does: of the cores, since this was last asked; memory."""
    load = {
        "system/cpu_utilization_percentage": psutil.cpu_percent(),
        "system/system_memory_usage_megabytes": psutil.virtual_memory().used / 1e6,
    }
    if torch.cuda.is_available():
        import pynvml  # of nvidia-ml-py, which is installed on Linux only

        with suppress(pynvml.NVMLError):  # a part of a GPU (MIG) does not tell how busy it is
            load["system/gpu_0_memory_usage_megabytes"] = torch.cuda.device_memory_used() / 1e6
            load["system/gpu_0_utilization_percentage"] = torch.cuda.utilization()
    return load


def this_device() -> torch.device:
    """Return where networks are trained here: the GPU, if there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _machine(device: torch.device) -> dict[str, str | int | float | None]:
    """Return what has run: it decides the last digits of every weight."""
    return {
        "device": str(device),
        "processor": torch.cuda.get_device_name() if device.type == "cuda" else torch.backends.cpu.get_cpu_capability(),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "peak_gpu_memory_mib": torch.cuda.max_memory_allocated() / 2**20 if device.type == "cuda" else None,
    }

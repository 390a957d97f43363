"""One run: a network trained through its phases by fastai, everything random from one seed."""

import json
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from fastai.callback.schedule import Learner, valley  # the Learner that knows fit_one_cycle and lr_find
from fastai.data.core import DataLoaders
from fastai.torch_core import no_random, params, set_seed
from torch import Tensor, nn

from micromime.datasets.rehearsal import Rehearsed
from micromime.datasets.splits import split, split_specimens
from micromime.datasets.store import Dataset
from micromime.mistakes import Mistake
from micromime.scenario.arrays import Indices
from micromime.scenario.streams import stream
from micromime.training.architectures import build, finds, parts
from micromime.training.callbacks import Journal, Log, numerics
from micromime.training.loaders import View, loaders
from micromime.training.losses import loss_of
from micromime.training.networks import load_network, save_network
from micromime.training.settings import Phase, TrainParameters
from micromime.training.watched import Metrics, averaged

SEGMENTS = ["inside", "boundary"]
"""The classes of a pixel, where a network finds masks."""

LEAST_RATE, LARGEST_RATE = 1e-5, 1.0
"""Between these the finder looks; each batch tries a rate a constant factor higher."""

FEWEST_POINTS = 5
"""Batches of which the finder has to see the loss before a valley means anything."""


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


def fit_run(run: Run, metrics: Metrics, folder: Path, log: Log) -> None:
    """Train one run and write its weights, model.json and run.json to `folder`.

    Every finished epoch is a line of `epochs.jsonl` there and a call of `log(values, epoch)`. Where a phase's peak
    rate is to be found, it is found on the network as the phase begins, and leaves no other trace: given as a number,
    the same rate makes the same network. Raises Mistake where the images do not fill a batch, a loss is no number or
    no rate can be found.
    """
    settings, device = run.settings, this_device()
    set_seed(run.number, reproducible=True)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()  # this process may have trained another run before
    network = _network(run)
    journal = Journal(folder / "epochs.jsonl", log, run.number)
    rates, began = [], time.perf_counter()
    for number, phase in enumerate(settings.phases, 1):
        rates.append(find_rate(run, network, phase, folder) if phase.peak_rate == "find" else phase.peak_rate)
        batches = _batches(run, phase)
        journal.phase, journal.images = number, len(batches.train) * phase.batch_size
        learner = learner_for(batches, network, settings, metrics, folder)
        set_trainable(learner, phase)
        with learner.no_bar(), learner.no_logging():
            learner.fit_one_cycle(phase.epochs, rates[-1], cbs=[journal])
    described = _described(run)
    record = {
        "run": run.number,
        "training_images": len(run.indices[0]),
        "validation_images": len(run.indices[1]),
        "rates": rates,
        "seconds": time.perf_counter() - began,
        **_machine(device),
        "epochs": journal.epochs,
        "network": described,
    }
    (folder / "run.json").write_text(json.dumps(record, indent=1) + "\n")
    save_network(network, described, folder)


def learner_for(
    batches: DataLoaders, network: nn.Module, settings: TrainParameters, metrics: Metrics, folder: Path
) -> Learner:
    """Return fastai's Learner with the body and the head as its two groups of layers."""
    return Learner(
        batches,
        network,
        loss_func=loss_of(settings, finds(settings.architecture)),
        splitter=lambda net: [_parameters(modules) for modules in parts(settings.architecture, net)],
        metrics=[averaged(name, metric) for name, metric in metrics.items()],
        path=folder,
        model_dir=".",
        cbs=numerics(settings, batches.device),
    )


def find_rate(run: Run, network: nn.Module, phase: Phase, folder: Path) -> float:
    """Return the learning rate that the finder (Smith 2017, section 3.3) suggests for a phase, by fastai's `valley`.

    The network and the state of everything random are afterwards as before. Raises Mistake where the loss has none.
    """
    settings = run.settings
    with no_random(run.number):
        batches = _batches(run, phase)
        learner = learner_for(batches, network, settings, {}, folder)
        set_trainable(learner, phase)
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


def this_device() -> torch.device:
    """Return where networks are trained here: the GPU, if there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _batches(run: Run, phase: Phase) -> DataLoaders:
    settings = run.settings
    view = View(phase, settings.augmentation, finds(settings.architecture), settings.target)
    return loaders(run.dataset, run.indices, view, this_device())


def _described(run: Run) -> dict[str, Any]:
    """Return what model.json says: what builds the network, and what its answers mean."""
    architecture, sees = run.settings.architecture, run.settings.phases[-1].size_px
    if finds(architecture) == "mask":
        return {"architecture": architecture, "classes": SEGMENTS, "run": run.number}
    classes = run.dataset.description["classes"]
    return {"architecture": architecture, "classes": classes, "run": run.number, "size_px": sees}


def _network(run: Run) -> nn.Module:
    """Return the network that a run begins with."""
    if run.start is None:
        return build(run.settings.architecture, pretrained=True)
    return load_network(run.start).to(memory_format=torch.contiguous_format)


def set_trainable(learner: Learner, phase: Phase) -> None:
    """Freeze the body, or no layer, as the phase asks."""
    if phase.trainable == "head":
        learner.freeze()
    else:
        learner.unfreeze()


def _machine(device: torch.device) -> dict[str, str | int | float | None]:
    """Return what has run: it decides the last digits of every weight."""
    return {
        "device": str(device),
        "processor": torch.cuda.get_device_name() if device.type == "cuda" else torch.backends.cpu.get_cpu_capability(),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "peak_gpu_memory_mib": torch.cuda.max_memory_allocated() / 2**20 if device.type == "cuda" else None,
    }


def _parameters(modules: list[nn.Module]) -> list[Tensor]:
    return [each for module in modules for each in params(module)]

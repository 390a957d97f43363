"""A small project for the stages around networks: sets made by hand, and runs that are made up in no time."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

import micromime
from micromime.arms import answers, queue
from micromime.datasets.store import write_description, write_shard
from micromime.pictures.test_set import ORIGIN_FILE, Origin
from micromime.project import places
from micromime.scenario.arrays import Image, Mask, Probability
from micromime.scenario.scenario import Instance, Sample, Scenario
from micromime.stages import train as stage

HEAD = {"size_px": 32, "trainable": "head", "epochs": 2, "peak_rate": 0.003, "batch_size": 4}
ALL = {"size_px": 64, "trainable": "all", "epochs": 1, "peak_rate": 0.001, "batch_size": 4}
SETTINGS = {
    "architecture": "unet_efficientnet_lite0",
    "runs": 3,
    "validation_share": 0.2,
    "precision": "float32",
    "channels_last": False,
    "threads": 1,
    "finder_steps": 20,
    "augmentation": {"rotation_deg": 45, "zoom": 1.3, "lighting": 0.3, "stretch": 1.2, "jitter_px": 0.5},
    "phases": [HEAD, ALL],
}
EPOCH = {"train_loss": 0.5, "valid_loss": 0.75, "mean_iou": 0.25, "images_per_second": 8}
"""Numbers of the first epoch of every run; those of the second are half of them."""

SIZES = {"a": (40, 64), "b": (64, 50), "c": (36, 48)}
"""Rows and columns of the micrographs."""


class Workshop:
    """A project's folder, the working directory: its arms are trained in no time, and MLflow is told nothing."""

    def __init__(self) -> None:
        self.trained: list[list[tuple[str, int]]] = []
        """Arm and run of what was trained, a list for each time that runs were begun side by side."""
        self.tasks: list[queue.Task] = []
        self.told: list[tuple[dict[str, Any], dict[int, Any]]] = []
        """What MLflow was told: of an arm, and of runs of it by number."""

    def write(
        self,
        profile: str = "tiny",
        finetune: Mapping[str, Any] | None = None,
        rounds: Mapping[str, str] | None = None,
        **changed: Any,
    ) -> None:
        """Write params.yaml; JSON is YAML. `rounds` has each round's parent."""
        drawn = {"seed": 1, "sampler": {"random_draws": {}}}
        sections = {
            "train": SETTINGS | changed,
            "finetune": finetune or {"runs": 2, "phases": [ALL]},
            "judge": {"views": 8},
            "resample": {"count": 4, "score": "mean_iou", "runs": "all"},
            "rounds": {name: {"parent": parent, **drawn} for name, parent in (rounds or {}).items()},
        }
        Path("params.yaml").write_text(json.dumps({"profile": profile, "grain_boundaries": sections}))

    def folder(self, path: str | Path) -> Path:
        """Make a folder."""
        Path(path).mkdir(parents=True, exist_ok=True)
        return Path(path)

    def data(self, name: str, seed: int = 0, start: str = "") -> Path:
        """Write what says which data set it is, and by whose scores it was asked for; made-up runs look at no more."""
        folder = self.folder(places.synthetic("grain_boundaries", name))
        content = {"scenario": {"rows": 72, "cols": 96}, "count": 10, "seed": seed, "parent": None}
        (folder / "dataset.json").write_text(json.dumps(content | ({"arm": start} if start else {})))
        return folder

    def train(self, arm: str = "base", start: str = "") -> Path:
        """Train an arm, from the networks of another where one is named."""
        if not places.synthetic("grain_boundaries", arm).exists():
            self.data(arm, start=start)
        stage.train("grain_boundaries", [arm])
        return places.models("grain_boundaries", arm)

    def made_up(self, work: Callable[[Any], None], tasks: Sequence[Any], *_: Any) -> None:
        """Stand in for `run_tasks` and for training: weights say what decided them, rates to be found are 0.25."""
        if work is not queue.train_run:
            for task in tasks:
                work(task)
            return
        self.trained.append([(task.arm.name, task.run) for task in tasks])
        self.tasks += tasks
        for task in tasks:
            task.folder.mkdir(parents=True)
            before = (task.start / "weights.safetensors").read_text() if task.start else "ImageNet"
            rates = [0.25 if phase.peak_rate == "find" else phase.peak_rate for phase in task.arm.settings.phases]
            weights = f"{before} > {task.arm.name} {task.run} at {rates}"
            (task.folder / "weights.safetensors").write_text(weights)
            said = {
                "inputs": task.inputs,
                "weights_md5": hashlib.md5(weights.encode()).hexdigest(),
                "run": task.run,
                "rates": rates,
                "seconds": 1.5,
                "peak_gpu_memory_mib": None,
                "device": "cpu",
                "processor": "none",
                "threads": 1,
                "torch": "none",
                "epochs": [{"phase": n} | {key: value / n for key, value in EPOCH.items()} for n in (1, 2)],
                "network": {"architecture": task.arm.settings.architecture, "run": task.run},
            }
            (task.folder / "run.json").write_text(json.dumps(said))
            (task.folder / "model.json").write_text(json.dumps(said["network"]))


@pytest.fixture
def workshop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    made = Workshop()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(stage, "publish_arm", lambda said, runs: made.told.append((said, dict(runs))))
    for module in (queue, answers):
        monkeypatch.setattr(module, "run_tasks", made.made_up)
    monkeypatch.setattr("micromime.inference.networks.predictor", guess)  # torch takes seconds
    made.write()
    return made


@pytest.fixture
def another_process(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], AbstractContextManager[Any]]:
    """Run a script beside the tests, in the working directory, until it has printed a line; it is killed at the end."""
    monkeypatch.setenv("PYTHONPATH", str(Path(micromime.__file__).parents[1]))

    @contextmanager
    def run(script: str) -> Iterator[None]:
        with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            try:
                assert process.stdout.readline() == "holds\n"
                yield
            finally:
                process.kill()  # as kill -9

    return run


def guess(network: Path) -> Callable[[Image], Probability]:
    return guess_of(json.loads((network / "run.json").read_text())["run"])


def guess_of(run: int) -> Callable[[Image], Probability]:
    """Stand in for a run's network: on the pictures below run 1 is right, run 2 finds nothing, run 3 the opposite."""
    found = {1: lambda image: image < 100, 2: np.zeros_like, 3: lambda image: image >= 100}[run]
    return lambda image: found(image).astype(np.float32)


def lines(rows: int, cols: int, width_px: int = 4) -> Mask:
    """A cross of boundaries between four grains: 3 px thick from left to right, `width_px` from top to bottom."""
    mask = np.zeros((rows, cols), dtype=np.bool_)
    mask[20:23] = mask[:, 30 : 30 + width_px] = True
    return mask


@pytest.fixture
def micrographs(workshop: Workshop) -> Path:
    """A test set of three pictures, dark lines on light grains: two of one source, one of another."""
    folder = workshop.folder(places.test_set("grain_boundaries"))
    table = ["image,mask,source,um_per_px"]
    for name, (rows, cols) in SIZES.items():
        mask = lines(rows, cols)
        PIL.Image.fromarray(np.where(mask, 50, 200).astype(np.uint8)).save(folder / f"{name}.png")
        PIL.Image.fromarray(np.uint8(255) * mask).save(folder / f"{name}_mask.png")
        table.append(f"{name}.png,{name}_mask.png,{'steel' if name < 'c' else 'iron'},{0.5 if name == 'a' else ''}")
    (folder / "images.csv").write_text("\n".join(table) + "\n")
    Origin(kind="surrogate", reason="nothing is given", files={}).write(folder / ORIGIN_FILE)
    return folder


@pytest.fixture
def scoring(workshop: Workshop, grains: Scenario[Instance]) -> Path:
    """A scoring set of three samples, with dark lines of 340, 488 and 636 of 2560 px."""
    folder = workshop.folder(places.synthetic("grain_boundaries", "scoring"))
    instances = [grains.draw_one(1, index, "scoring") for index in range(3)]
    masks = [lines(40, 64, width_px) for width_px in (4, 8, 12)]
    samples = [Sample(np.where(mask, 50, 200).astype(np.uint8), mask) for mask in masks]
    write_shard(folder / "shard-00000", 0, instances, samples)
    write_description(folder, {"use_case": "grain_boundaries", "scenario": {}, "count": 3, "seed": 1})
    return folder

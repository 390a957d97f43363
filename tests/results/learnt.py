"""Numbers of trainings: where one changes, LEARNER in project/results.py must be raised.

Two runs of two phases of one or two steps each, through the real loaders, augmentation, resizing, losses, freezing and
schedule: `lines` learns masks, `classes` tells classes apart. And what runs begin with: ImageNet weights, and samples.
"""

import json
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import numpy as np
from one_conv import registered

from micromime.datasets.rehearsal import Rehearsed
from micromime.judging.metrics import error_rate, mean_iou
from micromime.scenario.streams import stream
from micromime.training.settings import TrainParameters

VERSION, RTOL = "LEARNER", 1e-4

HEAD = {"size_px": 32, "trainable": "head", "epochs": 1, "peak_rate": 0.01, "batch_size": 4}
ALL = {"size_px": 64, "trainable": "all", "epochs": 2, "peak_rate": 0.01, "batch_size": 4}
LINES: dict[str, Any] = {
    **{"architecture": "small_unet", "runs": 1, "validation_share": 0.3, "precision": "float32", "threads": 1},
    **{"channels_last": True, "finder_steps": 40, "target": "centre_line", "cl_dice_share": 0.4},
    "augmentation": {"rotation_deg": 45, "zoom": 1.3, "lighting": 0.3, "stretch": 1.3, "jitter_px": 0.7},
    # At a rate of .01 all layers take rounding, which differs between kinds of processors, a thousand times as far.
    "phases": [HEAD, ALL | {"peak_rate": 0.0001}],
}
CLASSES = LINES | {
    **{"architecture": "one_conv_classes", "target": "mask", "cl_dice_share": 0.0},
    "augmentation": LINES["augmentation"] | {"quarter_turns": False, "jitter_px": 0.0},
    "phases": [HEAD | {"least_images": 16}, ALL | {"peak_rate": "find", "size_px": 32}],
}


def numbers() -> dict[str, dict[str, Any]]:
    with registered():
        made = {"lines": fitted(LINES, mean_iou), "classes": fitted(CLASSES, error_rate)}
    return {**made, "samples": samples(), "imagenet": imagenet(), "bfloat16": bfloat16()}


def members() -> set[str]:
    """What must have numbers."""
    return {"lines", "classes", "samples", "imagenet", "bfloat16"}


def fitted(settings: dict[str, Any], metric: Any) -> dict[str, float]:
    import torch
    from safetensors.numpy import load_file

    from micromime.training.learner import Run, fit_run

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name, patch("micromime.training.learner.this_device") as device:
        device.return_value = torch.device("cpu")
        run = Run(3, TrainParameters.model_validate(settings), made_up_set(14), None)
        fit_run(run, {"metric": metric}, Path(name))
        record = json.loads((Path(name) / "run.json").read_text())
        weights = load_file(Path(name) / "weights.safetensors")
    torch.set_num_threads(threads)
    found = {f"rate {n}": rate for n, rate in enumerate(record["rates"], 1)}
    for number, epoch in enumerate(record["epochs"], 1):
        found |= {f"{key} {number}": epoch[key] for key in ("train_loss", "valid_loss", "metric")}
    kernels = [key for key, value in weights.items() if value.ndim > 1]
    for key in (kernels[0], kernels[-1]):
        found |= {f"{key} norm": float(np.linalg.norm(weights[key])), f"{key} first": float(weights[key].flat[0])}
    return found


def made_up_set(count: int) -> Any:
    """Pictures of lines, dark ones and bright ones in turns, from seven specimens, larger than they are seen."""
    r, c = np.mgrid[:80, :112]
    masks = [(r * (1 + n % 3) + 2 * c + 5 * n) % 41 < 5 for n in range(count)]
    noise = np.random.default_rng(6).integers(0, 30, (count, 80, 112))
    images = [np.uint8(110 + noise[n] + (60 if n % 2 else -60) * mask) for n, mask in enumerate(masks)]
    specimens = SimpleNamespace(tolist=lambda: [f"part {n // 2}" for n in range(count)])
    return SimpleNamespace(
        images=images,
        masks=masks,
        samples={"specimen": specimens},
        class_numbers=np.arange(count) % 2,
        description={"classes": ["dark", "bright"]},
    )


def samples() -> dict[str, float]:
    """Which samples a run trains on, checks itself on, and rehearses."""
    from micromime.training.learner import Run

    plain = SimpleNamespace(images=list(range(50)), samples={})
    settings = TrainParameters.model_validate(LINES)
    found = {}
    for name, dataset in (("plain", plain), ("specimens", made_up_set(20))):
        training, validation = Run(5, settings, dataset).indices
        found |= {f"{name} training": digest(training), f"{name} validation": digest(validation)}
    earlier = SimpleNamespace(images=list(range(100, 160)), description={})
    new = SimpleNamespace(images=list(range(50)), description={})
    rehearsed = Rehearsed(new, [earlier], 0.4, stream(5, "rehearsal"))  # type: ignore[arg-type,list-item]
    return found | {"rehearsed": digest([int(rehearsed.images[n]) for n in range(len(rehearsed.images))])}


def digest(values: Any) -> float:
    """A number that changes with each of some whole numbers and with their order."""
    return float(np.dot(np.asarray(values, dtype=np.float64), 1 + np.arange(len(values)) / 7))


def bfloat16() -> dict[str, Any]:
    """What the fast precision is; what it gives differs between kinds of processors."""
    import torch

    from micromime.training.learner import Bfloat16

    return {"computed in": str(Bfloat16(torch.device("cpu")).autocast.fast_dtype)}


def imagenet() -> dict[str, Any]:
    from micromime.training.weights import LITE0_SHA256, RESNET50, lite0_weights

    values = list(lite0_weights().values())
    sizes = {f"tensor {n}": float(values[n].abs().mean()) for n in (0, 100, -1)}
    return {"lite0 SHA-256": LITE0_SHA256, "resnet50": RESNET50.url, "resnet50 SHA-256": RESNET50.sha256, **sizes}

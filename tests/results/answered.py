"""Numbers that networks answer: where one changes, ASKING in project/results.py must be raised.

Weights are made up from their names' order by numpy; of each architecture there is one answer to one picture.
"""

from functools import partial
from typing import Any

import numpy as np

from micromime.inference.views import in_views
from micromime.training.architectures import architectures, finds

VERSION, RTOL = "ASKING", 1e-4

SLOW = {"resnet50", "unet_resnet50"}
"""Of which the larger has 339 million parameters."""


def numbers(slow: bool = False) -> dict[str, dict[str, float]]:
    from micromime.inference.networks import class_probabilities, probability

    found: dict[str, dict[str, float]] = {}
    for name in members():
        if (name in SLOW) != slow:
            continue
        network = made_up(name)
        find = partial(probability, network)
        if finds(name) == "class":
            answers = class_probabilities(network, np.stack([np.repeat(picture(70, 50)[None], 3, axis=0)] * 2), 64)
            found[name] = {"probability": float(answers[1])}
            continue
        found[name] = described(find(picture(50, 70)))
        if name == "small_unet":
            found["a small picture"] = described(find(picture(20, 30)))
            found["eight views"] = described(in_views(find, 8)(picture(50, 70)))
    return found


def members() -> set[str]:
    """What must have numbers."""
    return set(architectures())


def picture(rows: int, cols: int, seed: int = 2) -> Any:
    """Dark lines on grains, with noise."""
    r, c = np.mgrid[:rows, :cols]
    grey = 170 + 8 * np.random.default_rng(seed).standard_normal((rows, cols))
    grey[(r + (2 + seed) * c) % 23 < 3 + seed] -= 90
    return np.clip(np.rint(grey), 0, 255).astype(np.uint8)


def described(answer: Any) -> dict[str, float]:
    rows, cols = answer.shape
    corners = {"first": answer[0, 0], "middle": answer[rows // 2, cols // 2], "last": answer[-1, -1]}
    return {"mean": float(answer.mean()), "sd": float(answer.std()), **{k: float(v) for k, v in corners.items()}}


def made_up(name: str) -> Any:
    """A network without anybody's weights, its activations kept within bounds by its batch norms."""
    import torch

    from micromime.training.architectures import build

    network = build(name, pretrained=False)
    rng = np.random.default_rng(1)
    with torch.no_grad():
        for tensor in network.parameters():
            values = torch.from_numpy(rng.standard_normal(tuple(tensor.shape), dtype=np.float32))
            tensor.copy_(values / tensor[0].numel() ** 0.5 if tensor.ndim > 1 else 0.3 + 0.1 * values)
        network.eval()
        for norm in (each for each in network.modules() if "BatchNorm" in type(each).__name__):
            norm.momentum = 1.0
            norm.train()
        seen = np.stack([picture(64, 64, seed) for seed in range(6)])[:, None].repeat(3, axis=1)
        network(torch.from_numpy(seen.astype(np.float32) / 64 - 2))
    return network.eval()

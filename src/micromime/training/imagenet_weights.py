"""ImageNet weights as torchvision publishes them: found on this machine or downloaded once, never read unchecked."""

import hashlib
import io
import os
import sys
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from pickle import UnpicklingError
from tempfile import TemporaryDirectory
from threading import Thread

import torch
from torch import Tensor, hub
from torchvision.models import ResNet50_Weights

from micromime.mistakes import Mistake

VARIABLE = "MICROMIME_WEIGHTS"

SILENCE_S = 30.0
"""A download of which nothing arrives for so long counts as dead; a slow one may take its time."""


@dataclass(frozen=True)
class Published:
    """A file of weights somewhere in the net, and what it holds to the byte."""

    url: str
    sha256: str

    @property
    def name(self) -> str:
        """The file's name, wherever it lies."""
        return self.url.rpartition("/")[2]


RESNET50 = Published(
    ResNet50_Weights.IMAGENET1K_V1.url, "0676ba61b6795bbe1773cffd859882e5e297624d384b6993f7c9e683e722fb8a"
)


def imagenet_weights(published: Published, instead: str) -> dict[str, Tensor]:
    """Return the state dict in a published file, under torchvision's names and on the CPU.

    The file is looked for in the folder that MICROMIME_WEIGHTS names, then in torch hub's cache; where neither has it,
    it is downloaded to that cache. Its hash is checked at each use, before anything in it is read. Raises Mistake
    where it cannot be had or is another one; `instead` is half a sentence: what to do without it.
    """
    remedy = f"put the file into a folder that {VARIABLE} names, or {instead}"
    file = _found(published) or _downloaded(published, remedy)
    try:
        content = file.read_bytes()
    except OSError as error:
        raise Mistake(f"{file} cannot be read ({error.strerror}); make it readable, or {instead}.") from None
    if hashlib.sha256(content).hexdigest() != published.sha256:
        raise Mistake(f"{file} is not the file that torchvision publishes (another SHA-256); remove it and {remedy}.")
    try:
        weights: dict[str, Tensor] = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except (RuntimeError, ValueError, EOFError, UnpicklingError):
        raise Mistake(f"{file} holds no weights that this torch can read; {instead}.") from None
    return weights


def _places() -> list[Path]:
    """Return the folders to look into, in order."""
    cache, given = Path(hub.get_dir()) / "checkpoints", os.environ.get(VARIABLE)
    if not given:
        return [cache]
    if not Path(given).is_dir():
        raise Mistake(
            f"{VARIABLE} is {given!r}, which is no folder; set it to the folder with the weights, or unset it."
        )
    return [Path(given), cache]


def _found(published: Published) -> Path | None:
    files = [place / published.name for place in _places()]
    return next((file for file in files if file.is_file()), None)


def _downloaded(published: Published, remedy: str) -> Path:
    """Return the file in torch hub's cache, after a download; what is not whole never gets its name."""
    *given, cache = _places()
    print(f"downloading {published.url} to {cache}", file=sys.stderr, flush=True)
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=f"{published.name}-", dir=cache, ignore_cleanup_errors=True) as folder:
            file = Path(folder) / published.name
            _download(published, file)
            return file.replace(cache / published.name)
    except (OSError, RuntimeError, HTTPException) as error:
        looked = f"in {given[0]} ({VARIABLE})" if given else f"in a folder of {VARIABLE} (not set)"
        raise Mistake(
            f"{published.name} (ImageNet weights) is neither {looked} nor in {cache}, and {published.url} cannot be "
            f"downloaded ({error}); {remedy}."
        ) from None


def _download(published: Published, file: Path) -> None:
    """Download by torch hub, which has no time-out: in a thread that is left behind once nothing more arrives.

    A time-out of sockets would not do: it counts anew for each of a server's addresses.
    """
    failed: list[Exception] = []

    def download() -> None:
        try:
            hub.download_url_to_file(published.url, str(file), published.sha256, progress=sys.stderr.isatty())
        except Exception as error:  # raised where it is waited for
            failed.append(error)

    thread, arrived = Thread(target=download, daemon=True), 0
    thread.start()
    thread.join(SILENCE_S)
    while thread.is_alive() and (now := _bytes_in(file.parent)) > arrived:
        arrived = now
        thread.join(SILENCE_S)
    if thread.is_alive():
        raise TimeoutError(f"nothing arrives for {SILENCE_S:g} s")
    if failed:
        raise failed[0]


def _bytes_in(folder: Path) -> int:
    try:
        return sum(part.stat().st_size for part in folder.iterdir())
    except FileNotFoundError:  # renamed just now: it is whole
        return sys.maxsize

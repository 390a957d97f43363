"""The networks there are: one file each, its name the word in params.yaml.

A file defines FINDS, what its networks find; `build(pretrained)`, a network from (n, 3, rows, cols) to class scores:
(n, 2, rows, cols) where it finds a mask, (n, 2) where it finds the class of a picture; and `parts(network)`, the
modules of its body (what a head-only phase freezes) and of its head. Where it finds masks, it may say what memory
asking takes: ASKING_MIB of the process, and BYTES_PER_PX more for the picture, both measured and a fifth added.
"""

import re
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Literal

from micromime.scenario.parameters import one_of

if TYPE_CHECKING:
    from torch.nn import Module

Finds = Literal["mask", "class"]

ASKING = (1024, 1500)
"""ASKING_MIB and BYTES_PER_PX of an architecture that does not say them."""


def architectures(kind: Finds | None = None) -> list[str]:
    """Return the names of the architectures there are, or of those that find one kind of thing, without importing them.

    Read from their text: importing one takes seconds, and checking params.yaml must not.
    """
    files = {file.stem: file for folder in __path__ for file in Path(folder).glob("*.py") if file.stem != "__init__"}
    return sorted(name for name, file in files.items() if kind is None or f'FINDS = "{kind}"' in file.read_text())


def build(name: str, *, pretrained: bool) -> "Module":
    """Return a new network; `pretrained` asks for ImageNet weights in its body."""
    return _file(name).build(pretrained)


def parts(name: str, network: "Module") -> tuple[list["Module"], list["Module"]]:
    """Return the modules of a network's body and of its head."""
    return _file(name).parts(network)


def finds(name: str) -> Finds:
    """Return what the networks of an architecture find in a picture: the mask of something, or the picture's class."""
    one_of(name, architectures(), "architecture")
    return "class" if name in architectures("class") else "mask"


def files_of(names: Iterable[str]) -> list[str]:
    """Return the modules of architectures, which take seconds to be imported."""
    return [f"{__name__}.{name}" for name in sorted(names)]


def asking_bytes(name: str, px: int) -> int:
    """Return about how much memory a process takes that asks a network about pictures of `px` pixels, bytes."""
    one_of(name, architectures(), "architecture")
    file = next(file for folder in __path__ if (file := Path(folder, f"{name}.py")).exists())
    said = re.search(r"^ASKING_MIB, BYTES_PER_PX = (\d+), (\d+)$", file.read_text(), re.MULTILINE)
    mib, per_px = (int(said[1]), int(said[2])) if said else ASKING
    return mib * 2**20 + px * per_px


def _file(name: str) -> ModuleType:
    one_of(name, architectures(), "architecture")
    return import_module(f"{__name__}.{name}")

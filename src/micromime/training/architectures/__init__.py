"""The networks there are: one file each, its name the word in params.yaml.

A file defines `build(pretrained)`, a network from (n, 3, rows, cols) to (n, 2, rows, cols) class scores, and
`parts(network)`, the modules of its body (what a head-only phase freezes) and of its head.
"""

from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType
from typing import TYPE_CHECKING

from micromime.parameters import one_of

if TYPE_CHECKING:
    from torch.nn import Module


def architectures() -> list[str]:
    """Return the names of the architectures there are, without importing them."""
    return sorted(module.name for module in iter_modules(__path__))


def build(name: str, *, pretrained: bool) -> "Module":
    """Return a new network; `pretrained` asks for ImageNet weights in its body."""
    network: Module = _file(name).build(pretrained)
    return network


def parts(name: str, network: "Module") -> tuple[list["Module"], list["Module"]]:
    """Return the modules of a network's body and of its head."""
    body, head = _file(name).parts(network)
    return body, head


def _file(name: str) -> ModuleType:
    one_of(name, architectures(), "architecture")
    return import_module(f"{__name__}.{name}")

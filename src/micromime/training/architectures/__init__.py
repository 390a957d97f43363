"""The networks there are: one file each, its name the word in params.yaml.

A file defines `build() -> Module`: a network from (n, 3, rows, cols) to (n, 2, rows, cols) class scores, whose
`body` and `head` are lists of its modules (what a head-only phase freezes, and what it trains).
"""

from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING

from micromime.parameters import one_of

if TYPE_CHECKING:
    from torch.nn import Module


def architectures() -> list[str]:
    """Return the names of the architectures there are, without importing them."""
    return sorted(module.name for module in iter_modules(__path__))


def build(name: str, *, pretrained: bool) -> "Module":
    """Return a new network; `pretrained` asks for ImageNet weights in its body."""
    one_of(name, architectures(), "architecture")
    network: Module = import_module(f"{__name__}.{name}").build(pretrained)
    return network

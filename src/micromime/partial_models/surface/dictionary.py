"""The exemplars of one surface: patches that a texture is filled with, and the seed patches that it begins with."""

from pathlib import Path
from typing import NamedTuple
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from micromime.mistakes import Mistake

SEED_PX, PATCH_PX = 32, 17
"""Sides of a seed patch (Trampert et al. 2021, section 3.1.1) and of a patch, px."""

ARRAYS = {"patches": (np.uint8, 3), "seeds": (np.uint8, 3), "gain": (np.float32, 2), "backgrounds": (np.uint8, 3)}
"""What the file holds: type and number of axes."""


class Dictionary(NamedTuple):
    """Exemplars of one surface, all without a crack."""

    patches: NDArray[np.uint8]
    """(n, 17, 17), in random order."""
    seeds: NDArray[np.uint8]
    """(m, 32, 32): no pixel of them is in a patch."""
    gain: NDArray[np.float32]
    """(side, side // 2 + 1): by how much each spatial frequency of a filled tile is raised, so that it is as strong as
    in the exemplars; all 1 as long as that is not known."""
    backgrounds: NDArray[np.uint8]
    """(k, side, side): whole exemplars, for comparison with what is filled."""

    def write(self, file: Path) -> None:
        """Write the dictionary as an .npz; the same dictionary gives the same bytes."""
        file.parent.mkdir(parents=True, exist_ok=True)
        np.savez(file, **self._asdict())

    @classmethod
    def read(cls, file: Path) -> "Dictionary":
        """Return the dictionary in a file; Mistake where there is none."""
        try:
            with np.load(file, allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in ARRAYS}
        except FileNotFoundError:
            raise Mistake(f"{file} is not there; make it with `make run`, or name another dictionary.") from None
        except (OSError, EOFError, BadZipFile, ValueError, KeyError):
            raise Mistake(f"{file} is no dictionary of patches; make it anew with `make run`.") from None
        for name, (kind, axes) in ARRAYS.items():
            if arrays[name].dtype != kind or arrays[name].ndim != axes or not arrays[name].size:
                raise Mistake(f"{file} is no dictionary of patches (see {name} in it); make it anew with `make run`.")
        return cls(**arrays)

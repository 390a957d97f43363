"""New samples together with some of those seen before, so that what was learnt from these is not forgotten."""

import shutil
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from micromime.datasets.store import Dataset
from micromime.project.work import linked

if TYPE_CHECKING:
    import pandas as pd

EARLIER = "earlier"
"""In a data set's folder, and in its dataset.json: the data sets that it goes on from, the first of them first."""


def carry_on(parent: Path, folder: Path) -> list[str]:
    """Link an earlier data set, and those that it carries on itself, into `folder/earlier/`; return their names.

    So a round needs no other data than its own, whatever it descends from. A link is no copy, and DVC keeps and pushes
    what has the same content once.
    """
    names = earlier_names(parent)
    for name in names:
        shutil.copytree(parent / EARLIER / name, folder / EARLIER / name, copy_function=linked)
    alone = shutil.ignore_patterns(EARLIER)
    shutil.copytree(parent, folder / EARLIER / parent.name, copy_function=linked, ignore=alone)
    return [*names, parent.name]


def earlier_names(folder: Path) -> list[str]:
    """Return the names of the data sets that a data set carries on."""
    return list(Dataset(folder).description.get(EARLIER, []))


class Rehearsed:
    """A data set, and in its wake samples of earlier ones: read like a data set."""

    def __init__(self, new: Dataset, earlier: Sequence[Dataset], share: float, rng: np.random.Generator) -> None:
        """Choose earlier samples at random, as many as make up `share` of all; each at most once.

        Where all earlier data sets together have fewer, all of them are taken.
        """
        self.description: dict[str, Any] = new.description
        places = [(each, index) for each in earlier for index in range(len(each.images))]
        count = min(round(len(new.images) * share / (1 - share)), len(places))
        chosen = np.sort(rng.permutation(len(places))[:count])
        self._places = [(new, index) for index in range(len(new.images))] + [places[n] for n in chosen]

    @cached_property
    def samples(self) -> "pd.DataFrame":
        """One row a sample, in order."""
        import pandas as pd  # takes part of a second, and most that import this file never ask for rows

        return pd.concat([each.samples.iloc[[n]] for each, n in self._places], ignore_index=True)

    @cached_property
    def class_numbers(self) -> NDArray[np.int64]:
        """The number of each sample's class."""
        return np.array([each.class_numbers[index] for each, index in self._places], dtype=np.int64)

    @cached_property
    def images(self) -> list[NDArray[np.uint8]]:
        """Every image, (rows, cols) uint8."""
        return [each.images[index] for each, index in self._places]

    @cached_property
    def masks(self) -> list[NDArray[np.bool_]]:
        """Every mask, (rows, cols) bool."""
        return [each.masks[index] for each, index in self._places]

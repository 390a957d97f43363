"""Render one stored sample anew from its row and compare."""

from pathlib import Path

import numpy as np

from micromime.datasets.store import Dataset
from micromime.mistakes import Mistake
from micromime.use_cases import instance_kind


def differing(folder: Path, sample: str) -> list[str]:
    """Return which of image, mask and labels differ from what is stored: none, where the versions are the same."""
    dataset = Dataset(folder)
    index = dataset.index(sample)
    kind = instance_kind(dataset.description["use_case"])
    row = {str(column): value for column, value in dataset.samples.iloc[index].items()}
    try:
        anew = kind.from_row(row).render()
    except KeyError as error:
        raise Mistake(f"{folder} says nothing of {error.args[0]}: another version made it; render it anew.") from None
    stored = {"image": (anew.image, dataset.images), "mask": (anew.mask, dataset.masks)}
    if anew.labels is not None:
        stored["labels"] = (anew.labels, dataset.labels)
    return [name for name, (new, old) in stored.items() if not np.array_equal(new, old[index])]

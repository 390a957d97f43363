"""A synthetic data set on disk: a folder of shards that numpy alone can open.

dataset.json                    what was asked for, what it is drawn from, hash of every file
preview.png                     a contact sheet
shard-00000/images.npy          (n, rows, cols) uint8
shard-00000/masks.npy           (n, rows, cols) bool
shard-00000/labels.npy          (n, rows, cols) uint16, where there are objects
shard-00000/samples.parquet     one row a sample: id, objects, parent, rows, cols, seed and every parameter

Real tiles lie in the same way, their rows with label, specimen, and place in their photograph.
"""

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from micromime.mistakes import Mistake
from micromime.project.results import ASKING, MEASURING, PROPOSING, RENDERER
from micromime.scenario.scenario import Instance, Sample

if TYPE_CHECKING:
    import pandas as pd

SHARD_SIZE = 100
"""Images a shard: the unit of parallel work and of recovery."""


def sample_id(index: int) -> str:
    """Return the name of a sample within its data set."""
    return f"{index:06d}"


def write_shard(
    folder: Path, first: int, instances: Sequence[Instance], samples: Sequence[Sample], parents: Sequence[str] = ()
) -> None:
    """Write instances and their samples as one shard, whole or not at all.

    `parents` has for each the id of the sample that it varies, empty where it varies none.
    """
    each = zip(instances, samples, parents or [""] * len(samples), strict=True)
    rows = [
        {
            "id": sample_id(first + n),
            "objects": None if sample.labels is None else int(sample.labels.max()),
            "parent": parent,
            **instance.row(),
        }
        for n, (instance, sample, parent) in enumerate(each)
    ]
    write_arrays(folder, samples, rows)


def write_arrays(folder: Path, samples: Sequence[Sample], rows: Sequence[Mapping[str, Any]]) -> None:
    """Write images, masks, label maps where there are some, and a row for each, as one shard, whole or not at all."""
    import pyarrow as pa  # takes part of a second, as pandas below, and a check of the settings needs neither
    import pyarrow.parquet as pq

    unfinished = folder.with_name(f".{folder.name}")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    np.save(unfinished / "images.npy", np.stack([each.image for each in samples]))
    np.save(unfinished / "masks.npy", np.stack([each.mask for each in samples]))
    labels = [each.labels for each in samples if each.labels is not None]
    if labels:
        np.save(unfinished / "labels.npy", np.stack(labels))
    table = pa.Table.from_pylist([dict(row) for row in rows])
    pq.write_table(table, unfinished / "samples.parquet", row_group_size=SHARD_SIZE)
    unfinished.rename(folder)


def shards(folder: Path) -> list[Path]:
    """Return the finished shards of a data set, or of one in the making, in order."""
    return sorted(folder.glob("shard-*"))


def write_description(folder: Path, description: Mapping[str, Any]) -> None:
    """Write dataset.json: the description, and the SHA-256 of every file of every shard."""
    files = {
        f"{shard.name}/{file.name}": hashlib.sha256(file.read_bytes()).hexdigest()
        for shard in shards(folder)
        for file in sorted(shard.iterdir())
    }
    (folder / "dataset.json").write_text(json.dumps({**description, "files": files}, indent=1) + "\n")


def identity(folder: Path) -> str:
    """Return the hash of what decides a data set: 64 hexadecimal digits.

    Of a rendered one that is what it was drawn from, not the bytes of its files: these differ in a few pixels between
    kinds of processors, and a data set is the same on each. Of a round that is also which networks and which sampler
    asked for it, by versions of both; not their scores, which differ like pixels. Where parts of the scenario were
    measured, it is what they were measured on (`made_from`). Of real tiles it is every pixel and every row.
    """
    dataset = Dataset(folder)
    said = dataset.description
    if "scenario" in said:
        measured = {"scenario", "named_files"} if "made_from" in said else set()
        decides = {key: said[key] for key in said.keys() - {"files", "versions", "scores"} - measured}
        parts: list[Any] = [RENDERER, decides, list(said["scenario"].get("styles", ()))]  # their order decides, too
        asked = [ASKING, MEASURING, PROPOSING]
        if "sampler" in said and asked != [
            1,
            1,
            1,
        ]:  # so that sets keep their names that were made before these counted
            parts.append(asked)
    else:
        pixels = {name: sha256 for name, sha256 in said["files"].items() if name.endswith(".npy")}
        parts = [pixels, said.get("classes"), dataset.samples.to_dict("list")]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


class Dataset:
    """A synthetic data set that is read: arrays stay on disk until they are used."""

    def __init__(self, folder: Path) -> None:
        """Open the data set in a folder; Mistake if there is none."""
        self.folder = folder
        try:
            self.description: dict[str, Any] = json.loads((folder / "dataset.json").read_text())
        except FileNotFoundError:
            raise Mistake(f"{folder} holds no dataset.json; give a folder that `micromime render` has made.") from None
        except ValueError:
            raise Mistake(f"{folder / 'dataset.json'} is damaged; render the data set anew.") from None

    @cached_property
    def samples(self) -> "pd.DataFrame":
        """One row a sample, in order."""
        import pandas as pd

        return pd.concat([pd.read_parquet(each / "samples.parquet") for each in shards(self.folder)], ignore_index=True)

    @cached_property
    def class_numbers(self) -> NDArray[np.int64]:
        """The number of each sample's class among those of the data set, which dataset.json names in order."""
        numbers = {label: number for number, label in enumerate(self.description["classes"])}
        return np.array([numbers[label] for label in self.samples["label"]], dtype=np.int64)

    @cached_property
    def images(self) -> list[NDArray[Any]]:
        """Every image, (rows, cols) uint8, read-only."""
        return self._mapped("images.npy")

    @cached_property
    def masks(self) -> list[NDArray[Any]]:
        """Every mask, (rows, cols) bool, read-only."""
        return self._mapped("masks.npy")

    @cached_property
    def labels(self) -> list[NDArray[Any]]:
        """Every label map, (rows, cols) uint16, read-only."""
        return self._mapped("labels.npy")

    def _mapped(self, name: str) -> list[NDArray[Any]]:
        """Return what the files of a name hold, sample by sample: read from disk when it is looked at."""
        stacks = [np.asarray(np.load(each / name, mmap_mode="r")) for each in shards(self.folder)]
        return [picture for stack in stacks for picture in stack]

    def index(self, sample: str) -> int:
        """Return the place of a sample in all arrays; leading zeros of its id may be left out."""
        found = np.flatnonzero(self.samples["id"] == sample.zfill(6))
        if not found.size:
            last = self.samples["id"].iloc[-1]
            raise Mistake(f"{self.folder} has no sample {sample!r}; its samples are 000000 to {last}.")
        return int(found[0])

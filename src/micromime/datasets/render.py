"""From instances to a data set on disk: in shards, by several workers, on from where it stopped; its contact sheet."""

import json
import shutil
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Picture
from pydantic import Field

from micromime.datasets.rehearsal import EARLIER, carry_on
from micromime.datasets.store import SHARD_SIZE, Dataset, write_description, write_shard
from micromime.engines.local import Progress, run_tasks
from micromime.mistakes import Mistake
from micromime.project.results import RENDERER
from micromime.project.work import in_turn
from micromime.scenario.parameters import Section
from micromime.scenario.scenario import Instance
from micromime.scenario.streams import LARGEST_SEED

BOUNDARY = np.array([230, 97, 1], dtype=np.uint8)
"""Orange that is told apart from grey, and by colour-blind eyes."""


class RenderParameters(Section):
    """How many images a data set has, and from which seed."""

    count: int = Field(ge=1, le=10_000_000, description="Images in the data set.")
    seed: int = Field(ge=0, le=LARGEST_SEED, description="Seed of the data set.")


class _Shard(NamedTuple):
    folder: Path
    first: int
    instances: Sequence[Instance]
    parents: Sequence[str]


def render_dataset(  # noqa: PLR0913 - what to render, where, and by how many
    instances: Sequence[Instance],
    description: Mapping[str, Any],
    out: Path,
    work: Path,
    workers: int = 1,
    parents: Sequence[str] = (),
) -> None:
    """Render the instances and move them to `out` when all are done.

    `parents` has the id of the sample that each instance varies, where it varies one. The bytes depend on both alone.
    Unfinished work stays in `work`, held by a lock that ends with this process; called again with the same description
    and versions (of the renderer and of what it computes with), it goes on with the missing shards.
    """
    if out.exists():
        raise Mistake(f"{out} is there already; remove it or give another folder.")
    with in_turn(work):
        versions = {name: version(name) for name in ("micromime", "numpy", "scipy", "numba")}
        folder = _begin(work, {**description, "versions": versions})
        tasks = [
            _Shard(folder / f"shard-{number:05d}", part.start, instances[part], parents[part])
            for number, part in enumerate(_parts(len(instances)))
        ]
        _render_missing(tasks, workers)
        shutil.rmtree(folder / EARLIER, ignore_errors=True)  # of a process that was killed over it
        parent = description.get("parent")
        carried = {EARLIER: carry_on(Path(parent["path"]), folder)} if parent else {}
        write_description(folder, {**description, **carried, "versions": versions})
        write_preview(Dataset(folder), folder / "preview.png")
        out.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(folder, out)
        shutil.rmtree(work, ignore_errors=True)  # the next one in turn looks for its lock here


def _parts(count: int) -> list[slice]:
    """Return what each shard has of so many samples."""
    return [slice(first, min(first + SHARD_SIZE, count)) for first in range(0, count, SHARD_SIZE)]


def _begin(work: Path, description: Mapping[str, Any]) -> Path:
    """Return the folder of unfinished shards: begun before for the same description, or a new one."""
    folder, note = work / "dataset", work / "request.json"
    request = json.dumps({**description, "renderer": RENDERER}, indent=1, sort_keys=True)
    if folder.exists() and not (note.exists() and note.read_text() == request):
        shutil.rmtree(folder)
    note.write_text(request)
    folder.mkdir(exist_ok=True)
    return folder


def _render_missing(tasks: list[_Shard], workers: int) -> None:
    missing = [task for task in tasks if not task.folder.exists()]
    total = sum(len(task.instances) for task in tasks)
    done = Progress(
        "render", "images", total, lambda: sum(len(task.instances) for task in tasks if task.folder.exists())
    )
    run_tasks(_render_shard, missing, workers, done)


def _render_shard(task: _Shard) -> None:
    instances = list(task.instances)  # drawn only now, where they are
    samples = type(instances[0]).render_all(instances)
    write_shard(task.folder, task.first, instances, samples, task.parents)


def write_preview(dataset: Dataset, file: Path, count: int = 12, side_px: int = 256) -> None:
    """Write a PNG of the first samples: each as it is, and beside it with its mask in orange.

    Mistake where the file's name is none of a PNG.
    """
    if file.suffix != ".png":
        raise Mistake(f"{file}: a contact sheet is a PNG file; give a name that ends in .png.")
    shown = range(min(count, len(dataset.images)))
    pairs = [_pair(dataset.images[n], dataset.masks[n], side_px) for n in shown]
    columns = min(3, len(pairs))
    blank = np.full_like(pairs[0], 255)
    pairs += [blank] * (-len(pairs) % columns)
    file.parent.mkdir(parents=True, exist_ok=True)
    sheet = np.vstack([np.hstack(pairs[n : n + columns]) for n in range(0, len(pairs), columns)])
    Picture.fromarray(sheet).save(file, optimize=False)


def _pair(image: NDArray[np.uint8], mask: NDArray[np.bool_], side_px: int) -> NDArray[np.uint8]:
    """Return image and overlay side by side as RGB with a white rim, reduced by a whole factor if large."""
    step = max(1, -(-max(image.shape) // side_px))
    plain = np.repeat(image[::step, ::step, None], 3, axis=2)
    marked = np.where(mask[::step, ::step, None], BOUNDARY, plain)
    return np.pad(np.hstack([plain, marked]), ((2, 2), (2, 2), (0, 0)), constant_values=255)

"""From instances to a data set on disk: in shards, by several workers, and on from where it stopped."""

import json
import shutil
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import Field

from micromime.datasets.preview import write_preview
from micromime.datasets.rehearsal import EARLIER, carry_on
from micromime.datasets.store import SHARD_SIZE, Dataset, write_description, write_shard
from micromime.engines.local import Progress, alone, run_tasks
from micromime.mistakes import Mistake
from micromime.project.results import RENDERER
from micromime.scenario.parameters import Section
from micromime.scenario.scenario import Instance
from micromime.scenario.streams import LARGEST_SEED


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
    with alone(work):
        versions = {name: version(name) for name in ("micromime", "numpy", "scipy", "numba")}
        folder = _begin(work, {**description, "versions": versions})
        tasks = [
            _Shard(folder / f"shard-{number:05d}", first, instances[first:][:SHARD_SIZE], parents[first:][:SHARD_SIZE])
            for number, first in enumerate(range(0, len(instances), SHARD_SIZE))
        ]
        _render_missing(tasks, workers)
        shutil.rmtree(folder / EARLIER, ignore_errors=True)  # of a process that was killed over it
        parent = description.get("parent")
        carried = {EARLIER: carry_on(Path(parent["path"]), folder)} if parent else {}
        write_description(folder, {**description, **carried, "versions": versions})
        write_preview(Dataset(folder), folder / "preview.png")
        out.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(folder, out)
    shutil.rmtree(work)


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
    samples = type(task.instances[0]).render_all(task.instances)
    write_shard(task.folder, task.first, task.instances, samples, task.parents)

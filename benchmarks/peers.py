"""How fast this package is beside others that do a part of the same, in turns on this machine.

    python benchmarks/peers.py        writes metrics/peers.json

Their code is fetched into .micromime/peers/, with an environment of its own: nothing here depends on it, and none of it
is in a repository of ours. What cannot be had is a row that says why. None of them does all that is done here; `what`
says what is counted, and what the peer leaves out.
"""

import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, NamedTuple

import numpy as np
from builds import PROJECT, Build, Measured, in_turns, said, workload
from skimage import data
from transfer import write_tiles
from typer import Option

from micromime.cli import command
from micromime.datasets.store import Dataset
from micromime.engines.local import KEEP_MEMORY, ONE_THREAD
from micromime.mistakes import Mistake

VORONOI_GRAIN_NET = "https://github.com/hosoda-tahara-org/voronoi-grain-net"
COMMIT = "aa02530256ba1fb8fd782dd170f5d5be66006484"
PACKAGES = ("numpy==2.2.6", "opencv-python-headless==4.11.0.86", "perlin-numpy==0.0.1", "PyPatchMatch==2.2.0")
"""As voronoi-grain-net pins them, but for what opens windows."""


class Peer(NamedTuple):
    """Another way to a part of what is done here."""

    name: str
    what: str
    """What is counted, and what the peer leaves out."""
    ours: Callable[[], Measured]
    theirs: Callable[[], Measured]


def environment(folder: Path, grains: str) -> Build:
    """Return the environment of peers in a folder, made where it is not there; Mistake where it cannot be."""
    python = folder / "env/bin/python"
    if not (folder / "installed").exists():
        said([sys.executable, "-m", "venv", "--clear", folder / "env"], PROJECT)
        said([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PACKAGES], folder)
        (folder / "installed").touch()
    if not (folder / "voronoi-grain-net").exists():
        said(["git", "clone", "--quiet", "--no-checkout", grains, folder / "voronoi-grain-net"], folder)
        said(["git", "checkout", "--quiet", COMMIT], folder / "voronoi-grain-net")
    return Build(folder, python)


def write_classes(folder: Path, count: int) -> None:
    """Write tiles of two classes in shards, and the same as PNG files, a folder a class."""
    write_tiles(count, folder)
    tiles = Dataset(folder / "shards")
    for name, number in zip(tiles.samples["id"], tiles.class_numbers, strict=True):
        of_class = folder / "classes" / str(number)
        of_class.mkdir(parents=True, exist_ok=True)
        (folder / f"PNG/images/{name}.png").rename(of_class / f"{name}.png")


def measured(build: Build, name: str, folder: Path) -> Measured:
    """Return what a workload has measured, in a process of one thread."""
    env = build.env(PROJECT) | ONE_THREAD | KEEP_MEMORY
    script = PROJECT / "benchmarks/peer_workloads.py"
    return json.loads(said([build.python, "-W", "ignore", script, name, folder], folder, env).splitlines()[-1])


def rows(peers: list[Peer], turns: int) -> list[dict[str, Any]]:
    """Return the row of each peer; of one that fails, why."""
    found = []
    for each in peers:
        row = {"name": each.name, "what": each.what}
        try:
            found.append(row | in_turns({"peer": each.theirs, "ours": each.ours}, turns, each.name))
        except Mistake as error:
            found.append(row | {"not_measured": str(error)})
    return found


def main(
    turns: Annotated[int, Option(min=1, help="Of each row.")] = 5,
    tiles: Annotated[int, Option(min=100, help="That loaders are given.")] = 2000,
    grains: Annotated[str, Option(help="The repository of voronoi-grain-net, or a clone of it.")] = VORONOI_GRAIN_NET,
) -> None:
    """Measure, and write metrics/peers.json."""
    ours = Build(PROJECT, Path(sys.executable))
    kept = PROJECT / ".micromime/peers"
    kept.mkdir(parents=True, exist_ok=True)

    def theirs(name: str) -> Measured:
        return measured(environment(kept, grains), name, kept)

    np.save(kept / "surface.npy", data.gravel())
    with TemporaryDirectory() as name:
        folder = Path(name)
        write_classes(folder, tiles)
        peers = [
            Peer(
                "voronoi-grain-net",
                "grain images of 512 px with 150 grains a second; its edges are straight, its cells not relaxed, and "
                "it gives no labels of grains",
                partial(workload, ours, "grains_paper"),
                partial(theirs, "voronoi_grain_net"),
            ),
            Peer(
                "PyPatchMatch 2.2.0",
                "textures of 128 px filled around a seed patch a second, from 256 x 256 px; half of ours have a crack "
                "besides, and come from 12,000 patches",
                partial(workload, ours, "cracks"),
                partial(theirs, "patchmatch"),
            ),
            Peer(
                "torchvision's ImageFolder",
                f"tiles of 128 px a second in batches of 64 px, 4 epochs, of {tiles} tiles; it decodes PNG files in "
                "each epoch",
                partial(measured, ours, "shards", folder),
                partial(measured, ours, "image_folder", folder),
            ),
        ]
        found = rows(peers, turns)
    (PROJECT / "metrics/peers.json").write_text(json.dumps(found, indent=1) + "\n")
    for row in found:
        print(row["name"], row.get("not_measured") or f"{row['ratio']['median']:.1f} times as fast")


if __name__ == "__main__":
    command(main)

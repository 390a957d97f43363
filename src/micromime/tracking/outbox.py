"""What MLflow is to be told, kept on this machine while its store does not answer: no run is lost with a server.

Each letter is a folder of `.micromime/outbox/` with `letter.json`, which names its kind, and the files that go with it.
Letters are sent in the order they were written in, each as often as it takes and with the same effect as once.
"""

import json
import os
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from filelock import FileLock, Timeout

from micromime.tracking.mlflow_arm import Point, now_ms
from micromime.tracking.store import store_name

OUTBOX = Path(".micromime") / "outbox"

OFFLINE = "MICROMIME_OFFLINE"
"""Environment variable: set by a user whose machine does not reach the server, or by us once that is found out."""

LETTER, LOCK = "letter.json", "lock"
POINTS, END = "points.jsonl", "end.json"


def offline() -> bool:
    """Return whether the store is not asked at all: what it is to be told is kept."""
    return os.environ.get(OFFLINE, "") not in ("", "0")


def go_offline(why: object) -> None:
    """Keep what is to be told from now on, here and in all processes that are started; say so once."""
    if not offline():
        print(f"micromime: {why} Work goes on; what MLflow would be told waits in {OUTBOX}/", file=sys.stderr)
        print("micromime: `micromime sync` sends it as soon as the store answers.", file=sys.stderr, flush=True)
    os.environ[OFFLINE] = "1"


def new_letter(kind: str, content: Mapping[str, Any], files: Mapping[str, Path] | None = None) -> Path:
    """Write a letter, whole or not at all, with copies of its files (name -> file or folder); return its folder."""
    unfinished = _unfinished(kind, content)
    for name, file in (files or {}).items():
        (unfinished / name).parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if file.is_dir() else shutil.copyfile
        copy(file, unfinished / name)
    return _finished(unfinished)


def _unfinished(kind: str, content: Mapping[str, Any]) -> Path:
    folder = OUTBOX / f".{time.time_ns()}-{os.getpid()}-{kind}"
    folder.mkdir(parents=True)
    said = {"kind": kind, "store": store_name(), "begun_ms": now_ms(), **content}
    (folder / LETTER).write_text(json.dumps(said, indent=1) + "\n")
    return folder


def _finished(unfinished: Path) -> Path:
    return unfinished.rename(unfinished.with_name(unfinished.name.removeprefix(".")))


@dataclass(frozen=True)
class Diary:
    """The letter of a run that goes on: its numbers are written down as they come, a line each."""

    folder: Path
    lock: FileLock

    @classmethod
    def begin(cls, kind: str, content: Mapping[str, Any]) -> Self:
        """Begin one that nobody sends before it is ended, or its process is."""
        unfinished = _unfinished(kind, content)
        lock = FileLock(unfinished / LOCK, timeout=0)
        lock.acquire()
        return cls(_finished(unfinished), lock)

    def write(self, points: Sequence[Point]) -> None:
        """Add numbers."""
        with (self.folder / POINTS).open("a") as file:
            file.writelines(json.dumps(point) + "\n" for point in points)

    def end(self, status: str) -> None:
        """Say how the run ended, and let the diary be sent."""
        self.folder.joinpath(END).write_text(json.dumps({"status": status, "at_ms": now_ms()}) + "\n")
        self.lock.release()


def told(folder: Path) -> tuple[list[Point], dict[str, Any] | None]:
    """Return the numbers in a diary, and how the run ended; None where its process was killed."""
    lines = (folder / POINTS).read_text().splitlines() if (folder / POINTS).exists() else []
    whole = [line for line in lines if line.endswith("]")]  # a process may be killed over its last line
    ended = (folder / END).read_text() if (folder / END).exists() else ""
    return [Point(*json.loads(line)) for line in whole], json.loads(ended) if ended.endswith("\n") else None


def read_letter(folder: Path) -> dict[str, Any]:
    """Return what stands in letter.json."""
    content: dict[str, Any] = json.loads((folder / LETTER).read_text())
    return content


def letters() -> list[Path]:
    """Return the folders of the letters that wait, the oldest first."""
    return sorted(file.parent for file in OUTBOX.glob(f"*/{LETTER}") if not file.parent.name.startswith("."))


def throw_away(folder: Path) -> None:
    """Remove a letter that was sent; one that is half removed is none."""
    (folder / LETTER).unlink()
    shutil.rmtree(folder)


@contextmanager
def held(folder: Path) -> Iterator[bool]:
    """Hold a letter until the end of the block, or of the process; gives whether nobody else does."""
    lock = FileLock(folder / LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()

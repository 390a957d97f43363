"""Ask a remote of DVC every few seconds whether it is there, a line for each answer: `watch.py` runs and kills it."""

import os
import sys
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

from dvc.repo import Repo

from micromime.team.watch import EVERY_S


def main(name: str, writing: bool) -> None:
    """Print `alive` until killed, or until nobody reads on; at a failure print that, and begin anew after a while."""
    parent = os.getppid()
    failure = ""
    try:
        with Repo() as repo:
            odb = repo.cloud.get_remote_odb(name)
            if writing:
                _write(odb.fs, odb.path)
            while os.getppid() == parent and not (failure := _failure(odb)):
                print("alive", flush=True)
                time.sleep(EVERY_S)
    except Exception as error:  # whatever it is, it is what the person who waits must read
        failure = f"{type(error).__name__}: {' '.join(str(error).split())}"
    if os.getppid() == parent:
        print(failure[:300], flush=True)
        time.sleep(EVERY_S)
        os.execv(sys.executable, [sys.executable, "-m", __spec__.name, name])  # connections that broke stay broken


def _failure(odb: Any) -> str:
    """Ask the remote for its folder; return why that is not there though it must be: on a server it need not be."""
    odb.fs.fs.invalidate_cache()
    try:
        odb.fs.info(odb.path)  # `exists` says no where the server is gone
    except FileNotFoundError:
        folder = Path(odb.path).parents[1]  # DVC's files/md5 is there after the first push
        return f"{folder} is not there" if odb.fs.protocol == "local" and not folder.is_dir() else ""
    return ""


def _write(fs: Any, folder: str) -> None:
    """Write a file to the remote's folder, which is made, and remove it."""
    fs.makedirs(folder, exist_ok=True)
    file = fs.join(folder, f"micromime-{uuid4().hex}")
    fs.pipe_file(file, b"written to see whether that can be done")
    fs.remove(file)


if __name__ == "__main__":
    main(sys.argv[1], "--write" in sys.argv)

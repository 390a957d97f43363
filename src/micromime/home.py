"""What libraries keep in a user's home, elsewhere where there is none, or none that can be written.

So it is in a container, on a batch node, or for a service. numba then refuses to compile, or makes a folder named `~`;
DVC and MLflow end over a user without a name. Where all can be written, this looks and changes nothing.
"""

import os
from getpass import getuser
from pathlib import Path
from stat import S_IMODE

FOLDERS = {
    "XDG_CACHE_HOME": ("~/.cache", "numba"),
    "MPLCONFIGDIR": ("~/.config/matplotlib", ""),
    "DVC_SITE_CACHE_DIR": ("/var/tmp/dvc", "repo"),
}
"""Environment variable -> what it stands for if it is unset, and what in it must be writable."""

SHARED = ("/tmp", "/var/tmp", "/dev/shm")
"""Folders that all may write, beside the one that TMPDIR names; a container that may write nothing has the last."""


def make_do() -> None:
    """Name folders that can be written to the libraries of this process, and to the processes that it starts."""
    try:
        getuser()
    except (KeyError, OSError):  # the user is a number without an entry; Python 3.13 raises the latter
        os.environ["USER"] = f"uid{os.getuid()}"
    if _home("~") == "~" and (place := _place()):
        os.environ["HOME"] = str(place)
    for variable, (usual, needed) in FOLDERS.items():
        folder = Path(os.environ.get(variable) or _home(usual))
        if not _writable(folder / needed) and (place := _place()):
            os.environ[variable] = str(place / variable.lower())
            if os.access(folder / "torch", os.R_OK | os.X_OK):  # weights in it may still be read
                os.environ.setdefault("TORCH_HOME", str(folder / "torch"))


def _home(path: str) -> str:
    """Return a path with the user's home for `~`, which stays where there is none; pathlib would raise."""
    return os.path.expanduser(path)  # noqa: PTH111


def _writable(folder: Path) -> bool:
    """Return whether a folder can be written, or made; not where it cannot even be seen, where pathlib would raise."""
    above = (folder.absolute(), *folder.absolute().parents)
    there = next(each for each in above if os.access(each, os.F_OK))
    return there.is_dir() and os.access(there, os.W_OK | os.X_OK)


def _place() -> Path | None:
    """Return a folder that outlives this process, in the project if it runs in one; else of this user alone.

    What is kept there is run: among what all may write, it must be ours and nobody else's. None where there is none.
    """
    ours = Path.cwd() / ".micromime" / "home"
    if Path("params.yaml").is_file() and _writable(ours):
        return ours
    for shared in filter(None, (os.environ.get("TMPDIR"), *SHARED)):
        ours = Path(shared, f"micromime-{os.getuid()}")
        try:
            ours.mkdir(mode=0o700, exist_ok=True)
            found = ours.lstat()
        except OSError:
            continue
        if found.st_uid == os.getuid() and S_IMODE(found.st_mode) == 0o700 and _writable(ours):
            return ours
    return None

"""Where unfinished work lives: in the project's folder, outside of DVC's outs, by a hash of all it depends on."""

import hashlib
import json
import os
import shutil
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from micromime.engines.local import alone
from micromime.mistakes import Mistake


def project_folder() -> Path:
    """Return the project's own folder as seen from the working directory: `.`, but where DVC tries an experiment.

    For `dvc exp run --temp` and `--queue` DVC copies what git has to `<project>/.dvc/tmp/exps/.../tmp...`, runs the
    stages there, and deletes it with all that is in no out. A clone or a worktree is a project of its own, wherever.
    """
    here = Path.cwd()
    copy = next((each for each in (here, *here.parents) if (each / ".dvc").is_dir()), here)
    for above in copy.parents:
        if above.parts[-3:] == (".dvc", "tmp", "exps"):
            return above.parents[2] / here.relative_to(copy)
    return Path()


HERE = Path(".micromime")
"""What concerns this folder alone: its outs."""
OURS = project_folder() / HERE
"""What concerns the project, and outlives the copies that DVC makes of it."""
WORK = OURS / "work"


def fingerprint(*parts: Any) -> str:
    """Return 32 hex digits that change with any part: values that JSON can hold, or files by their content."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.read_bytes() if isinstance(part, Path) else json.dumps(part, sort_keys=True).encode())
        digest.update(b"\0")
    return digest.hexdigest()[:32]


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes as 64 hexadecimal digits."""
    try:
        with path.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as error:
        raise Mistake(f"{path} cannot be read ({error.strerror}); check its name and its permissions.") from None


def work_folder(stage: str, *parts: Any) -> Path:
    """Return the folder of a stage's unfinished work for these inputs; other inputs have another folder."""
    return WORK / stage / fingerprint(*parts)


def sole_maker(out: Path) -> AbstractContextManager[None]:
    """Hold an out for this process only, until it ends, however it ends.

    A killed `dvc repro` leaves the stage that it had started alive: a second one must not work beside it. Raises
    Mistake where another process makes the same out.
    """
    return alone(HERE / "locks" / out.as_posix().replace("/", "-"))


def in_turn(folder: Path) -> AbstractContextManager[None]:
    """Hold a folder of the project's unfinished work as `alone` does; in the copy of an experiment, wait for it.

    Experiments that DVC tries side by side may want the same network, and nobody is there to start them again.
    """
    return alone(folder, waits=is_copy())


def is_copy() -> bool:
    """Return whether the working directory is a copy that DVC has made to try an experiment."""
    return project_folder() != Path()


def linked(source: str, target: str) -> None:
    """Give a file a second name, as `shutil.copytree` asks for it; where the file system cannot do that, copy it."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)

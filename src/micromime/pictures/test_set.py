"""Where a test set comes from: real micrographs given on this machine, the stored copy of them, or a surrogate.

DVC does not see environment variables. What a machine gives is therefore described in a file, its origin, which
names every picture with its SHA-256 but no path; the stage that brings the test set in depends on that file.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from micromime.mistakes import Mistake
from micromime.pictures.lists import stays_inside
from micromime.pictures.micrographs import LIST_NAME, listed_files, read_micrographs
from micromime.pictures.sizes import check_seen_whole
from micromime.pictures.tiles import read_tiles, tile_files
from micromime.project.dvc_cache import cached_file, dvc_settings
from micromime.project.versions import lock_at
from micromime.project.work import sha256
from micromime.scenario.parameters import Section
from micromime.scenario.streams import LARGEST_SEED

VARIABLE = "MICROMIME_REAL"
"""Environment variable: a folder with one folder a use case, each with an images.csv; unset or empty means none."""
ORIGIN_FILE = "source.json"
NO_REAL_SET = f"{VARIABLE} gives none, and no stored copy is in the DVC cache or remote"
AGAIN = "run `micromime sources` or `make run` again"

PATIENCE_S = 60.0
"""How long a remote may take to give the stored test set before it counts as dead."""


class TestSetParameters(Section):
    """What is made where no real micrographs are to be had: `<use case>.test_set` in params.yaml."""

    simulator: Literal["grains", "parts"] = Field(description="What is simulated: micrographs of grains, or parts.")
    surrogate_count: int = Field(ge=1, le=1000, description="Number of simulated micrographs, or of parts.")
    surrogate_side_px: int = Field(ge=64, le=1024, description="Longest side of a simulated micrograph, in pixels.")
    surrogate_seed: int = Field(ge=0, le=LARGEST_SEED, description="Seed of the simulator.")


class Origin(Section):
    """What a test set is, file by file; the same set gives the same bytes on every machine."""

    kind: Literal["real", "surrogate"]
    reason: str | None = Field(description="Why it is a surrogate, one sentence without its full stop; null when real.")
    files: dict[str, str] = Field(description="Relative name -> SHA-256 of every file of a real set.")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.kind == "real") != (self.reason is None) or (self.kind == "real") != (LIST_NAME in self.files):
            raise ValueError("only a real set lists files, only a surrogate has a reason")
        if outside := [name for name in self.files if not stays_inside(name)]:
            raise ValueError(f"the name {outside[0]!r} leaves the folder")
        return self

    @classmethod
    def read(cls, path: Path) -> Self:
        """Return the origin that a file describes."""
        try:
            return cls.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            raise Mistake(f"{path} is not there; run `micromime sources` or `make run`, which write it.") from None
        except ValidationError as error:
            wrong = error.errors()[0]["msg"].removeprefix("Value error, ")
            raise Mistake(f"{path} does not describe a test set ({wrong}); delete it and {AGAIN}.") from None

    def write(self, path: Path) -> None:
        """Write the origin to a file, unless just that stands there already."""
        text = json.dumps(self.model_dump(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"
        if not path.exists() or path.read_bytes() != text.encode():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())


def tested_on(folder: Path, use_case: str) -> dict[str, Any]:
    """Return what a test set or the tiles of one are, as a verdict says it: kind, name and reason."""
    origin = Origin.read(folder / ORIGIN_FILE)
    return {"kind": origin.kind, "name": use_case, "reason": origin.reason}


def choose_origin(use_case: str, classes: Sequence[str], fetch: bool = True) -> Origin:
    """Return the origin to use here and now: given, else stored, else surrogate.

    A set under MICROMIME_REAL is checked whole; where there are `classes`, it has tiles of each, else networks see its
    pictures whole, which must not be too large. Without one, a real
    set that the project's file describes stays if DVC's cache has it, or its remote, which is asked if `fetch`.
    """
    if given := given_folder(use_case):
        read_micrographs(given, maskless=bool(classes))
        if classes:
            read_tiles(given, classes)
        else:
            check_seen_whole(places_of(use_case, listed_files(given)))
        return Origin(kind="real", reason=None, files=listed_files(given) | tile_files(given))
    file = origin_file(use_case)
    if file.exists() and (known := Origin.read(file)).kind == "real" and _obtained(use_case, fetch):
        if not classes:
            check_seen_whole(places_of(use_case, known.files))
        return known
    return Origin(kind="surrogate", reason=NO_REAL_SET, files={})


def origin_file(use_case: str) -> Path:
    """Return where the origin of a use case's test set stands."""
    return Path("data/sources", f"{use_case}.json")


def given_folder(use_case: str) -> Path | None:
    """Return the folder in which this machine gives a use case's real micrographs, or None."""
    root = os.environ.get(VARIABLE)
    folder = Path(root) / use_case if root else None
    return folder if folder and folder.is_dir() else None


def places_of(use_case: str, names: Iterable[str]) -> dict[str, Path]:
    """Return where the files of a real test set lie: in the folder that this machine gives, or in DVC's cache."""
    given = given_folder(use_case)
    return {name: given / name for name in names} if given else stored_files(use_case)


def check_given(use_cases: Sequence[str]) -> None:
    """Raise Mistake where MICROMIME_REAL is set but has no folder of any use case, or one is nearly called like one."""
    root = os.environ.get(VARIABLE)
    others = [each.name for each in Path(root).iterdir() if each.is_dir()] if root and Path(root).is_dir() else []
    for use_case in {*use_cases} - {*others}:
        if near := get_close_matches(use_case, [name for name in others if name not in use_cases], 1, 0.85):
            raise Mistake(f"{VARIABLE} has a folder {near[0]} ({root}), but none called {use_case}; rename it.")
    if root and not any((Path(root) / use_case).is_dir() for use_case in use_cases):
        if (Path(root) / LIST_NAME).exists():
            into = f"put its files into a folder in it, called {' or '.join(use_cases)}"
            wanted = f"name {Path(root).parent}" if Path(root).name in use_cases else into
            raise Mistake(f"{VARIABLE} is set to the folder of one test set ({root}); {wanted}.")
        folders = " nor ".join(use_cases)
        raise Mistake(f"{VARIABLE} is set but has no folder {folders} ({root}); add one or unset {VARIABLE}.")


def stored_files(use_case: str) -> dict[str, Path]:
    """Return relative name -> file in DVC's cache of the test set last brought in as its origin describes it.

    Empty unless dvc.lock records that it was brought in by the origin's file as it stands now, and the cache holds all
    of it. Neither DVC nor the network is started.
    """
    listed = cached_file(_recorded_out(use_case))
    entries = json.loads(listed.read_bytes()) if listed else []
    files = {entry["relpath"]: cached_file(entry["md5"]) for entry in entries}
    found = {name: path for name, path in files.items() if path}
    return found if len(found) == len(files) else {}


def bring_in(origin: Origin, out: Path, parameters: TestSetParameters, places: Mapping[str, Path]) -> None:
    """Make the folder `out`: images.csv, the images and masks that it lists, and source.json.

    A real set is copied from `places` (relative name -> file) and must match the origin's SHA-256 file by file; a
    surrogate is simulated. `out` appears whole or not at all.
    """
    partial = out.with_name(f"{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        if origin.kind == "surrogate":
            simulator = import_module(f"micromime.pictures.surrogates.{parameters.simulator}")
            simulator.write(
                parameters.surrogate_count, parameters.surrogate_side_px, parameters.surrogate_seed, partial
            )
        else:
            _copy(origin, places, partial)
        origin.write(partial / ORIGIN_FILE)
        if out.exists():
            shutil.rmtree(out)
        partial.rename(out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _obtained(use_case: str, fetch: bool) -> bool:
    """Return whether the cache holds the test set that its origin describes, fetched from the remote if need be."""
    if stored_files(use_case):
        return True
    remote = dvc_settings()["core"].get("remote")
    if remote is None or not _recorded_out(use_case):
        return False
    why = _fetch(f"import_{use_case}") if fetch else "it does not answer"
    if fetch and stored_files(use_case):  # `dvc fetch` ends well where a remote cannot be reached, too
        return True
    print(
        f"micromime: the DVC remote {remote!r} does not give the stored test set of {use_case} ({why}); "
        f"a surrogate takes its place until {use_case}.json is restored.",
        file=sys.stderr,
    )
    return False


def _fetch(stage: str) -> str:
    """Try to fetch a stage's outs into the cache; return where to look if they are not there then."""
    command, none = [sys.executable, "-m", "dvc", "fetch", "--quiet", stage], subprocess.DEVNULL
    try:  # in a session of its own it cannot ask for a password
        subprocess.run(command, stdin=none, stdout=none, stderr=none, start_new_session=True, timeout=PATIENCE_S)
    except subprocess.TimeoutExpired:
        return f"no answer within {PATIENCE_S:g} s"
    return f"`dvc fetch {stage}` says why"


def _recorded_out(use_case: str) -> str:
    """Return the hash in dvc.lock of the folder brought in by the origin's file as it stands now; else nothing."""
    lock, file = lock_at(), origin_file(use_case)
    now = hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest()
    made = (lock.outs[out] for out, read in lock.deps.items() if read.get(file.as_posix()) == now)
    return next((md5 for md5 in made if md5.endswith(".dir")), "")


def _copy(origin: Origin, places: Mapping[str, Path], folder: Path) -> None:
    for name, expected in origin.files.items():
        copy = folder / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        if name not in places or not places[name].is_file():
            raise Mistake(f"{places.get(name, name)} is no longer there; put it back, or {AGAIN}.")
        shutil.copyfile(places[name], copy)
        if sha256(copy) != expected:
            raise Mistake(f"{places[name]} has changed since the test set was described; {AGAIN}.")

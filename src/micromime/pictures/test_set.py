"""Where a test set comes from: real micrographs given on this machine, the stored copy of them, or a surrogate.

DVC does not see environment variables. What a machine gives is therefore described in a file, the source, which
names every file with its SHA-256 but no path; the stage that brings the test set in depends on that file.
"""

import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from micromime.mistakes import Mistake
from micromime.pictures.micrographs import LIST_NAME, listed_files, read_micrographs, sha256, stays_inside
from micromime.pictures.surrogates.grains import simulate_micrographs, write_micrographs
from micromime.pictures.surrogates.parts import write_parts
from micromime.pictures.tiles import read_tiles, tile_files
from micromime.scenario.parameters import Section
from micromime.scenario.streams import LARGEST_SEED

VARIABLE = "MICROMIME_REAL"
"""Environment variable: a folder with one folder a use case, each with an images.csv; unset or empty means none."""
SOURCE_NAME = "source.json"
NO_REAL_SET = f"{VARIABLE} gives none, and no stored copy is in the DVC cache or remote"
AGAIN = "run `micromime sources` or `make run` again"


class TestSetParameters(Section):
    """What is made where no real micrographs are to be had: `<use case>.test_set` in params.yaml."""

    simulator: Literal["grains", "parts"] = Field(description="What is simulated: micrographs of grains, or parts.")
    surrogate_count: int = Field(ge=1, le=1000, description="Number of simulated micrographs, or of parts.")
    surrogate_side_px: int = Field(ge=64, le=1024, description="Longest side of a simulated micrograph, in pixels.")
    surrogate_seed: int = Field(ge=0, le=LARGEST_SEED, description="Seed of the simulator.")


class Source(BaseModel):
    """What a test set is, file by file; the same set gives the same bytes on every machine."""

    model_config = ConfigDict(frozen=True, extra="forbid")

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
        """Return the source that a file describes."""
        try:
            return cls.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            raise Mistake(f"{path} is not there; run `micromime sources` or `make run`, which write it.") from None
        except ValidationError as error:
            wrong = error.errors()[0]["msg"].removeprefix("Value error, ")
            raise Mistake(f"{path} does not describe a test set ({wrong}); delete it and {AGAIN}.") from None

    def write(self, path: Path) -> None:
        """Write the source to a file, unless just that stands there already."""
        text = json.dumps(self.model_dump(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"
        if not path.exists() or path.read_bytes() != text.encode():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())


def choose_source(use_case: str, classes: Sequence[str], file: Path, stored: Callable[[], bool]) -> Source:
    """Return the source to use here and now: given, else stored, else surrogate.

    A set under MICROMIME_REAL is checked whole; where there are `classes`, it has tiles of each. Without one, a real
    set that `file` describes stays when `stored()` says that DVC can give it back.
    """
    given = given_folder(use_case)
    if given is not None:
        read_micrographs(given, maskless=bool(classes))
        if classes:
            read_tiles(given, classes)
        return Source(kind="real", reason=None, files=listed_files(given) | tile_files(given))
    if file.exists() and (known := Source.read(file)).kind == "real" and stored():
        return known
    return Source(kind="surrogate", reason=NO_REAL_SET, files={})


def given_folder(use_case: str) -> Path | None:
    """Return the folder in which this machine gives a use case's real micrographs, or None."""
    root = os.environ.get(VARIABLE)
    folder = Path(root) / use_case if root else None
    return folder if folder and folder.is_dir() else None


def check_given(use_cases: Sequence[str]) -> None:
    """Raise Mistake where MICROMIME_REAL is set but has no folder of any use case: it must be mistyped."""
    root = os.environ.get(VARIABLE)
    if root and not any((Path(root) / use_case).is_dir() for use_case in use_cases):
        folders = " nor ".join(use_cases)
        raise Mistake(f"{VARIABLE} is set but has no folder {folders} ({root}); add one or unset {VARIABLE}.")


def bring_in(
    source: Source, out: Path, parameters: TestSetParameters, given: Path | None, stored: Mapping[str, Path]
) -> None:
    """Make the folder `out`: images.csv, the images and masks that it lists, and source.json.

    A real set is copied from `given`, without that from `stored` (relative name -> file, possibly empty), and
    must match the source's SHA-256 file by file; a surrogate is simulated. `out` appears whole or not at all.
    """
    partial = out.with_name(f"{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        if source.kind == "surrogate":
            _simulate(parameters, partial)
        else:
            _copy(source, {name: given / name for name in source.files} if given else stored, partial)
        source.write(partial / SOURCE_NAME)
        if out.exists():
            shutil.rmtree(out)
        partial.rename(out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _simulate(parameters: TestSetParameters, folder: Path) -> None:
    made = (parameters.surrogate_count, parameters.surrogate_side_px, parameters.surrogate_seed)
    if parameters.simulator == "parts":
        write_parts(*made, folder)
    else:
        write_micrographs(simulate_micrographs(*made), folder)


def _copy(source: Source, places: Mapping[str, Path], folder: Path) -> None:
    if not places:
        raise Mistake(
            f"the test set is recorded as real but is neither in the cache nor given: set {VARIABLE}, "
            "or run `make run`, which falls back to the surrogate."
        )
    for name, expected in source.files.items():
        copy = folder / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        if name not in places or not places[name].is_file():
            raise Mistake(f"{places.get(name, name)} is no longer there; put it back, or {AGAIN}.")
        shutil.copyfile(places[name], copy)
        if sha256(copy) != expected:
            raise Mistake(f"{places[name]} has changed since the test set was described; {AGAIN}.")

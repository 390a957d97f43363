"""Clones in which the pipeline of the tiny profile has run, made once for all workers of pytest-xdist together."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from clones import Ran, copied, run, working_tree
from filelock import FileLock

from micromime.pictures.micrographs import Micrograph
from micromime.pictures.surrogates.grains import write_micrographs


@pytest.fixture(scope="session")
def once(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str, Callable[[Path], Ran]], Ran]:
    """What makes a clone of a name, or waits until another worker has made it. Tests that change it copy it first."""
    own = tmp_path_factory.getbasetemp()
    common = own.parent if hasattr(request.config, "workerinput") else own

    def made(name: str, make: Callable[[Path], Ran]) -> Ran:
        folder, said = common / name, common / name / "said.txt"
        with FileLock(common / f"{name}.lock"):
            if not said.exists():
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                said.write_text(make(folder).said)
        return Ran(folder / "clone", said.read_text())

    return made


@pytest.fixture(scope="session")
def first(project: Path, once: Callable[..., Ran]) -> Ran:
    """A clone of the working tree in which the pipeline has run: no real pictures given."""

    def make(folder: Path) -> Ran:
        working_tree(project, folder / "clone")
        return run(folder / "clone")

    return once("first", make)


@pytest.fixture(scope="session")
def given(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two pictures, not square, that stand in for real ones: dark lines on noise."""
    folder = tmp_path_factory.mktemp("given")
    (folder / "grain_boundaries").mkdir()
    rng = np.random.default_rng(0)
    mask = np.zeros((70, 90), bool)
    mask[30:33], mask[:, 40:43] = True, True
    images = {name: np.where(mask, 60, rng.integers(120, 180, mask.shape)).astype(np.uint8) for name in ("a", "b")}
    pictures = [Micrograph(name, "fake", image, mask) for name, image in images.items()]
    write_micrographs(pictures, folder / "grain_boundaries")
    return folder


@pytest.fixture(scope="session")
def real(first: Ran, given: Path, once: Callable[..., Ran]) -> Ran:
    """The same after real pictures were given."""
    return once("real", lambda folder: run(copied(first, folder), MICROMIME_REAL=given))

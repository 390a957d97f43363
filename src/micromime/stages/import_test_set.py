"""Bring the test set of a use case in: real micrographs where its origin says so, else a surrogate."""

from pathlib import Path

from micromime.pictures.test_set import Origin, TestSetParameters, bring_in, given_folder, stored_files
from micromime.scenario.parameters import read_tree, section, typed


def main(use_case: str, source: Path, out: Path, params: Path) -> None:
    """Make the folder `out` with the test set that `source` describes.

    A real set comes from this machine's MICROMIME_REAL, or from DVC's cache: the stage may have to run again,
    for another simulator or parameter, where the micrographs themselves are no longer given.
    """
    parameters = typed(TestSetParameters, section(read_tree(params), use_case, "test_set"), f"{use_case}.test_set")
    origin, given = Origin.read(source), given_folder(use_case)
    files = {name: given / name for name in origin.files} if given else stored_files(use_case, source, Path())
    bring_in(origin, out, parameters, files)

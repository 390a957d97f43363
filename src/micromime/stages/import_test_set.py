"""Bring the test set of a use case in: real micrographs where its origin says so, else a surrogate."""

from micromime.pictures.test_set import Origin, TestSetParameters, bring_in, given_folder, origin_file, stored_files
from micromime.project import places
from micromime.scenario.parameters import read_tree
from micromime.use_cases import instance_kind


def import_test_set(use_case: str) -> None:
    """Make the folder of the micrographs, or of the photographs that tiles are cut from, which data/sources describes.

    A real set comes from this machine's MICROMIME_REAL, or from DVC's cache: the stage may have to run again,
    for another simulator or parameter, where the micrographs themselves are no longer given.
    """
    parameters = TestSetParameters.of(read_tree(places.PARAMS), use_case, "test_set")
    origin, given = Origin.read(origin_file(use_case)), given_folder(use_case)
    files = {name: given / name for name in origin.files} if given else stored_files(use_case)
    out = places.photographs(use_case) if instance_kind(use_case).classes else places.test_set(use_case)
    bring_in(origin, out, parameters, files)

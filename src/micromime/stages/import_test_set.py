"""Bring the test set of a use case in: real micrographs where there are some, else a surrogate."""

from micromime.pictures.test_set import (
    TestSetParameters,
    bring_in,
    check_given,
    choose_origin,
    origin_file,
    places_of,
)
from micromime.project import places
from micromime.scenario.parameters import read_tree
from micromime.use_cases import instance_kind, use_cases


def import_test_set(use_case: str) -> None:
    """Make the folder of the micrographs, or of the photographs that tiles are cut from, and say in data/sources which.

    A real set comes from this machine's MICROMIME_REAL, or from DVC's cache or remote. What data/sources says was true
    where it was committed; in a clone that has not these pictures, plain `dvc repro` makes a surrogate, as `make run`
    does. The file is a dep of this stage: DVC takes its hash when the stage has ended.
    """
    parameters = TestSetParameters.of(read_tree(places.PARAMS), use_case, "test_set")
    check_given(use_cases())
    classes = instance_kind(use_case).classes
    origin = choose_origin(use_case, classes)
    origin.write(origin_file(use_case))
    folder = places.photographs(use_case) if classes else places.test_set(use_case)
    bring_in(origin, folder, parameters, places_of(use_case, origin.files))

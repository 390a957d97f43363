"""Before DVC starts: write down for each use case which test set this machine, its cache or its remote can give."""

from collections.abc import Iterable
from pathlib import Path

from micromime.pictures.test_set import Origin, check_given, choose_origin, origin_file
from micromime.use_cases import instance_kind


def write_sources(use_cases: Iterable[str], project: Path, fetch: bool = True) -> dict[str, Origin]:
    """Write data/sources/<use case>.json for each use case and return what stands there, by use case.

    `project` is the folder with dvc.yaml and dvc.lock; a test set is fetched from its remote unless that is known not
    to answer. A file whose content stays the same is not touched, so DVC sees a change only where the test set is
    another one.
    """
    use_cases = list(use_cases)
    check_given(use_cases)
    origins = {}
    for use_case in use_cases:
        origins[use_case] = choose_origin(use_case, instance_kind(use_case).classes, project, fetch)
        origins[use_case].write(origin_file(use_case, project))
    return origins

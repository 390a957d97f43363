"""Bring the test set of a use case in: real micrographs where the source says so, else a surrogate."""

from pathlib import Path
from typing import Annotated

from typer import Option

from micromime.pictures.test_set import Source, TestSetParameters, bring_in, given_folder
from micromime.scenario.parameters import read_tree, section, typed
from micromime.stages import command
from micromime.stages.sources import stored_files


def main(
    use_case: str,
    source: Annotated[Path, Option(help="What the test set is: written by `micromime sources`.")],
    out: Annotated[Path, Option(help="Folder to make: images.csv, images/, masks/, source.json.")],
    params: Annotated[Path, Option(help="The file with the section <use case>.test_set.")],
) -> None:
    """Make the folder `out` with the test set that `source` describes.

    A real set comes from this machine's MICROMIME_REAL, or from DVC's cache: the stage may have to run again,
    for another simulator or parameter, where the micrographs themselves are no longer given.
    """
    written = section(read_tree(params), use_case, "test_set")
    parameters = typed(TestSetParameters, written, f"{use_case}.test_set")
    stored = stored_files(use_case, source, Path())
    bring_in(Source.read(source), out, parameters, given_folder(use_case), stored)


if __name__ == "__main__":
    command(main)

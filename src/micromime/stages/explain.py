"""Why the networks of each arm fail: a page for each, as `micromime explain` writes it."""

import json
from pathlib import Path
from typing import Annotated

from typer import Option

from micromime.arms.arm import Arm
from micromime.arms.rounds import arms_of, score_of
from micromime.project.work import sole_maker
from micromime.reporting.explanation.page import write_explanation
from micromime.reporting.explanation.scored_arm import Chosen, Scores, read, told_of
from micromime.scenario.parameters import read_tree
from micromime.stages import command


def main(
    use_case: str,
    models: Annotated[Path, Option(help="Folder of the arms.")],
    out: Annotated[Path, Option(help="Folder of the pages, <arm>.html.")],
    params: Annotated[Path, Option(help="The file with the section <use case>.rounds.")] = Path("params.yaml"),
) -> None:
    """Write a page for every arm: what its scores go with, its worst samples, what a sampler asked for and got.

    The scores are those that samplers go by, `resample.score`.
    """
    with sole_maker(out):
        known: dict[str, Scores] = {}
        tree = read_tree(params)
        metric = score_of(tree, use_case)
        for name in arms_of(tree, use_case):
            chosen = _arm(models / name)
            known[name] = read(chosen.table, chosen.table.as_posix())
            earlier = known.get(chosen.start[0]) if chosen.start else None
            trained_on = (Path(chosen.data[0]), "") if chosen.data else (None, "")
            write_explanation(out / f"{name}.html", told_of(chosen, known[name], metric, earlier, trained_on))


def _arm(folder: Path) -> Chosen:
    Arm.read(folder)  # says so if there is none
    return Chosen.of(json.loads((folder / "arm.json").read_text()), None, folder.as_posix())


if __name__ == "__main__":
    command(main)

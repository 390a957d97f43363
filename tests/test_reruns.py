"""Which stages DVC would run again after a change: of what each stage declares, asked after the cycle has run."""

import io
import shutil
from collections.abc import Callable
from contextlib import chdir
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

import pytest
from dvc.repo import Repo
from ruamel.yaml import YAML

pytestmark = pytest.mark.xdist_group("cycle")

ROUNDS = ("random", "adaptive", "random_2", "adaptive_2")
RENDER = {"render_grain_boundaries", "render_scoring_grain_boundaries"}
RESAMPLE, FINETUNE, SCORE_ROUNDS = (
    {f"{verb}_grain_boundaries@{name}" for name in ROUNDS} for verb in ("resample", "finetune", "score_rounds")
)
TRAIN = {"train_grain_boundaries", "train_chip_cracks", "compare_chip_cracks", *FINETUNE}
SCORE = {"score_grain_boundaries", *SCORE_ROUNDS}
JUDGE, REPORT = ({f"{verb}_{name}" for name in ("grain_boundaries", "chip_cracks")} for verb in ("judge", "report"))

Edit = Callable[[str], str]
"""The text of a file before -> after."""


def setting(key: str, value: Any) -> Edit:
    """What changes a value in params.yaml."""

    def edit(text: str) -> str:
        yaml, (*above, last), written = YAML(), key.split("."), io.StringIO()
        tree = yaml.load(text)
        place = reduce(getitem, above, tree)
        assert place[last] != value
        place[last] = value
        yaml.dump(tree, written)
        return written.getvalue()

    return edit


def one_more(text: str) -> str:
    """Add a line."""
    return f"{text}# One more.\n"


CODE = "src/micromime"
SAMPLER = "grain_boundaries.rounds.adaptive.sampler.worst_fraction.fraction"
OF_ROUNDS = {"judge_grain_boundaries", "explain_grain_boundaries", "report_grain_boundaries"}
CASES: dict[str, tuple[str, Edit, set[str]]] = {
    "nothing": ("params.yaml", str, set()),
    "a comment": ("params.yaml", one_more, set()),
    "a distribution": ("params.yaml", setting("grain_boundaries.scenario.grain_structure.diameter_px", 30), RENDER),
    "another use case's": (
        "params.yaml",
        setting("chip_cracks.scenario.white_noise.sd_grey", 7),
        {"render_chip_cracks"},
    ),
    "runs": ("params.yaml", setting("grain_boundaries.train.runs", 9), {"train_grain_boundaries", *FINETUNE}),
    "a sampler's": ("params.yaml", setting(SAMPLER, 0.5), {"resample_grain_boundaries@adaptive", *OF_ROUNDS}),
    "views": ("params.yaml", setting("grain_boundaries.judge.views", 8), {"judge_grain_boundaries"}),
    "a real picture": (
        "data/test_set/grain_boundaries/images.csv",
        one_more,
        {"judge_grain_boundaries", "report_grain_boundaries"},
    ),
    "a partial model": (
        f"{CODE}/partial_models/surface/dust.py",
        one_more,
        {*RENDER, *RESAMPLE, "render_chip_cracks", "measure_chip_cracks"},
    ),
    "a sampler": (f"{CODE}/sampling/samplers/mine.py", one_more, RESAMPLE),
    "an architecture": (f"{CODE}/training/architectures/mine.py", one_more, TRAIN),
    "a metric": (f"{CODE}/judging/metrics.py", one_more, {*SCORE, *JUDGE, "report_grain_boundaries"}),
    "a template": (f"{CODE}/reporting/pages/page.html.j2", one_more, {*REPORT, "explain_grain_boundaries"}),
    "the command line": (f"{CODE}/cli.py", one_more, set()),
}
"""What is changed or added -> its file, how, and the stages that see it at once; others follow where outs change."""


@pytest.fixture(scope="module")
def recorded(project: Path, cycle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the cycle's project and its code of which DVC holds all to be up to date."""
    folder = tmp_path_factory.mktemp("recorded") / "project"
    shutil.copytree(cycle.folder, folder, ignore=shutil.ignore_patterns("mlruns", "mlflow.db", ".micromime"))
    shutil.copytree(project / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__"))
    with chdir(folder), Repo() as repo:
        repo.commit(force=True)
    return folder


@pytest.mark.parametrize("change", CASES)
def test_a_change_reruns_what_depends_on_it_and_nothing_else(recorded, change):
    name, edit, expected = CASES[change]
    file = recorded / name
    before = file.read_text() if file.exists() else ""
    file.unlink(missing_ok=True)  # it may be a link to what lies in DVC's cache
    file.write_text(edit(before))
    try:
        with chdir(recorded), Repo() as repo:
            assert set(repo.status()) == expected
    finally:
        file.unlink()
        if before:
            file.write_text(before)


def test_the_lock_stays_small(recorded):
    assert (recorded / "dvc.lock").stat().st_size < 60_000

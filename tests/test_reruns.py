"""Which stages DVC would run again after a change, by what each declares: nothing is run here."""

import json
import re
import shutil
from contextlib import chdir
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

import pytest
from cycle import Stage, call, chosen, declared
from dvc.repo import Repo
from dvc.stage.serialize import to_single_stage_lockfile
from ruamel.yaml import YAML

from micromime.scenario.parameters import read_tree

ROUNDS = ("random", "adaptive", "random_2", "adaptive_2")
RENDER = {"render_grain_boundaries"}
RESAMPLE, FINETUNE, SCORE_ROUNDS = (
    {f"{verb}_grain_boundaries@{name}" for name in ROUNDS} for verb in ("resample", "finetune", "score_rounds")
)
TRAIN = {"train_grain_boundaries", "train_chip_cracks", "compare_chip_cracks", *FINETUNE}
SCORE = {"score_grain_boundaries", *SCORE_ROUNDS}
JUDGE, REPORT = ({f"{verb}_{name}" for name in ("grain_boundaries", "chip_cracks")} for verb in ("judge", "report"))

CODE = "src/micromime"
RESULTS = f"{CODE}/project/results.py"
SAMPLER = "grain_boundaries.rounds.adaptive.sampler.worst_fraction.fraction"
OF_ROUNDS = {"judge_grain_boundaries", "explain_grain_boundaries", "report_grain_boundaries"}
SETTINGS: dict[str, tuple[Any, set[str]]] = {
    "grain_boundaries.scenario.grain_structure.diameter_px": (30, RENDER),
    "chip_cracks.scenario.illumination.gradient": (0.02, {"render_chip_cracks"}),
    "grain_boundaries.train.runs": (9, {"train_grain_boundaries", *FINETUNE}),
    SAMPLER: (0.5, {"resample_grain_boundaries@adaptive", *OF_ROUNDS}),
    "grain_boundaries.judge.views": (8, {"judge_grain_boundaries"}),
}
"""A key of params.yaml -> another value, and the stages that see it at once; others follow where their deps change."""

FILES: dict[str, set[str]] = {
    f"{CODE}/partial_models/surface/dust.py": {
        *(*RENDER, *RESAMPLE),
        *(f"{verb}_chip_cracks" for verb in ("measure", "render", "report")),
    },
    f"{CODE}/sampling/samplers/mine.py": RESAMPLE,
    f"{CODE}/training/architectures/mine.py": set(),
    f"{CODE}/judging/metrics.py": {*JUDGE, *REPORT, "explain_grain_boundaries"},
    f"{CODE}/reporting/pages/page.html.j2": {*JUDGE, *REPORT, "explain_grain_boundaries"},
    f"{CODE}/cli.py": set(),
    "data/sources/chip_cracks.json": {"import_chip_cracks"},
}
"""The same of a file that is changed or added."""


VERSIONS = {"LEARNER": TRAIN, "ASKING": {*SCORE, *JUDGE, *REPORT}, "MEASURING": SCORE}
"""The same of a version of results."""


@pytest.fixture(scope="module")
def folder(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's pipeline and settings; code and data are added by `stages`."""
    folder = tmp_path_factory.mktemp("folder")
    shutil.copytree(project / "profiles", folder / "profiles")
    (folder / RESULTS).parent.mkdir(parents=True)
    for name in ("dvc.yaml", "params.yaml", ".dvcignore", RESULTS):
        shutil.copy(project / name, folder / name)
    call(["python", "-m", "micromime", "profile", "tiny", "--force"], folder)
    tree = read_tree(folder / "params.yaml")
    short = chosen(tree, [key for key in SETTINGS if ".scenario." in key])  # DVC reads all of it for every stage
    content = {key: part | short.get(key, {}) if isinstance(part, dict) else part for key, part in tree.items()}
    (folder / "params.yaml").write_text(json.dumps(content, indent=1))
    Repo.init(str(folder), no_scm=True).close()
    return folder


@pytest.fixture(scope="module")
def stages(project: Path, folder: Path) -> list[Stage]:
    """What each declares, all of which is a word now: hashing the real code takes most of a minute."""
    found = declared(folder)
    there = {file for file in FILES if (project / file).exists()}
    for path in there.union(*((*stage.deps, *stage.code, *stage.outs) for stage in found)):
        file = folder / path if Path(path).suffix else folder / path / "word.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(path)
    return found


def inside(part: str, whole: str, between: str) -> bool:
    return f"{part}{between}".startswith(f"{whole}{between}")


@pytest.mark.parametrize("key", SETTINGS)
def test_a_setting_concerns_those_who_declare_it(stages, key):
    assert {stage.name for stage in stages if any(inside(key, own, ".") for own in stage.keys)} == SETTINGS[key][1]


@pytest.mark.parametrize("file", FILES)
def test_a_file_concerns_those_who_declare_it_or_its_folder(stages, file):
    found = {stage.name for stage in stages if any(inside(file, own, "/") for own in (*stage.deps, *stage.code))}
    assert found == FILES[file]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_version_concerns_those_whose_records_have_it(stages, version):
    assert {stage.name for stage in stages if version in stage.versions} == VERSIONS[version]


@pytest.mark.usefixtures("stages")
def test_dvc_sees_all_of_this_and_no_comment(folder):
    with chdir(folder), Repo() as repo:
        commit(repo)
        add_line(folder / "params.yaml")
        add_line(folder / RESULTS)
        assert repo.status() == {}
    for file in FILES:
        add_line(folder / file)
    yaml = YAML()
    tree = yaml.load(folder / "params.yaml")
    for key, (value, _) in SETTINGS.items():
        *above, last = key.split(".")
        place = reduce(getitem, above, tree)
        assert place[last] != value
        place[last] = value
    yaml.dump(tree, folder / "params.yaml")
    raised = re.sub(r"(?<= = )\d+", lambda version: str(int(version[0]) + 1), (folder / RESULTS).read_text())
    (folder / RESULTS).write_text(raised)
    with chdir(folder), Repo() as repo:
        assert set(repo.status()) == set().union(
            *FILES.values(), *VERSIONS.values(), *(names for _, names in SETTINGS.values())
        )


def commit(repo: Repo) -> None:
    """Do as `repo.commit(force=True)`, which writes all of dvc.lock anew after each stage: most of the test's time."""
    with repo.lock:
        for stage in repo.index.stages:
            stage.save()
            stage.commit()
    locked = {stage.name: to_single_stage_lockfile(stage) for stage in repo.index.stages}
    Path("dvc.lock").write_text(json.dumps({"schema": "2.0", "stages": locked}))


def add_line(file: Path) -> None:
    text = file.read_text() if file.exists() else ""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.unlink(missing_ok=True)  # it may be a link to what lies in DVC's cache
    file.write_text(f"{text}# One more.\n")

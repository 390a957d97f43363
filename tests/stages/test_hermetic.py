"""dvc.yaml tells the truth: a stage declares just what its command imports, and runs with nothing else."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cache, reduce
from operator import getitem
from pathlib import Path
from typing import Any

import grimp
import pytest
from ruamel.yaml import YAML

from micromime.commands.profile import overlaid
from micromime.pictures.test_set import NO_REAL_SET
from micromime.pictures.test_set import Origin as Source
from micromime.sampling.samplers import samplers
from micromime.training.architectures import architectures, finds

PROJECT = Path(__file__).parents[2]
YAML_OF_PROJECT = YAML(typ="safe", pure=True)

SMALLEST = """
grain_boundaries:
  scenario: {rows: 64, cols: 64}
  render: {count: 5}
  test_set: {surrogate_count: 1, surrogate_side_px: 64}
  train:
    runs: 1
    phases: [{size_px: 64, trainable: all, epochs: 1, peak_rate: 0.001, batch_size: 4}]
  scoring: {count: 2}
  resample: {count: 5}
  finetune:
    runs: 1
    phases: [{size_px: 64, trainable: all, epochs: 1, peak_rate: 0.001, batch_size: 4}]
  planted_gap:
    runs: 1
    rounds: 1
    images: {base: 16, round: 4, scoring: 2, test: 2, training: 2}
    base: {epochs: 1, batch_size: 4}
    finetune: {epochs: 1, batch_size: 4}
    experiments: {gap: [worst], no_gap: [], trap: [], hidden: []}
  ablation:
    runs: 1
    images: {count: 8, side_px: 32, scoring: 1}
    phases: [{size_px: 32, trainable: head, epochs: 1, peak_rate: 0.001, batch_size: 4}]
chip_cracks:
  test_set: {surrogate_count: 4, surrogate_side_px: 256}
  tiles: {test_tiles: 10, subsets: [all]}
  exemplars: {patches: 300, simulated_cracks: 8}
  render: {count: 12}
  ablation: {ways: []}
  train:
    runs: 1
    phases: [{size_px: 32, trainable: head, epochs: 1, peak_rate: 0.001, batch_size: 8}]
  finetune:
    runs: 1
    phases: [{size_px: 32, trainable: head, epochs: 1, peak_rate: 0.001, batch_size: 8}]
"""
TINY = overlaid((PROJECT / "params.yaml").read_text(), (PROJECT / "profiles" / "tiny.yaml").read_text())
PARAMS: dict[str, Any] = YAML_OF_PROJECT.load(overlaid(TINY, SMALLEST))
PARAMS["grain_boundaries"]["ablation"] |= {"units": {}, "settings": {}}  # else a run for each of thirty variants

NEEDS_TORCH = (
    "train_",
    "compare_",
    "score_",
    "resample_",
    "finetune_",
    "judge_",
    "report_",
    "explain_",
    "planted_",
    "ablation_",
)
LEFT_BEHIND = (".micromime", "metrics/tiny/runs", "mlflow.db", "mlruns", "params.yaml", "src")
"""What may lie in the folder of a stage that has run, besides its deps and outs; Python compiles into src.

Records are written but never declared: a stage gives the same with them and without.
"""

NAMED = re.compile(r'"([\w.]+\.j2)"')
"""A template's file in the text of another file."""

Stage = dict[str, Any]
Made = Callable[[str], Path]


def value(path: str) -> Any:
    """The value in params.yaml under a dotted path."""
    return reduce(getitem, path.split("."), PARAMS)


def chosen(paths: list[str]) -> dict[str, Any]:
    """The part of params.yaml under these dotted paths."""
    tree: dict[str, Any] = {}
    for path in paths:
        *above, last = path.split(".")
        reduce(lambda place, key: place.setdefault(key, {}), above, tree)[last] = value(path)
    return tree


def filled(tree: Any, values: dict[str, str]) -> Any:
    """A part of dvc.yaml with `${...}` replaced: by these values, or else by what params.yaml has."""
    if isinstance(tree, dict):
        return {filled(key, values): filled(each, values) for key, each in tree.items()}
    if isinstance(tree, list):
        return [filled(each, values) for each in tree]
    if not isinstance(tree, str):
        return tree
    return re.sub(r"\$\{([\w.]+)\}", lambda found: values.get(found[1]) or str(value(found[1])), tree)


def stages() -> dict[str, Stage]:
    """Every stage of dvc.yaml by its name, those of a `foreach` as `name@key`."""
    declared: dict[str, Stage] = {}
    for name, stage in YAML_OF_PROJECT.load((PROJECT / "dvc.yaml").read_text())["stages"].items():
        if "foreach" not in stage:
            declared[name] = filled(stage, {})
            continue
        if isinstance(stage["foreach"], list):
            declared |= {f"{name}@{item}": filled(stage["do"], {"item": item}) for item in stage["foreach"]}
            continue
        for key, item in value(stage["foreach"].strip("${}")).items():
            words = {f"item.{each}": str(word) for each, word in item.items()}
            declared[f"{name}@{key}"] = filled(stage["do"], {"key": key, **words})
    return declared


STAGES = stages()
EACH = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name.startswith(NEEDS_TORCH) else ()) for name in STAGES]
)


def outs(stage: Stage) -> list[str]:
    """The paths that a stage makes: those with settings of their own are mappings of one key."""
    entries = [entry for kind in ("outs", "metrics", "plots") for entry in stage.get(kind, [])]
    return [entry if isinstance(entry, str) else next(iter(entry)) for entry in entries]


def sources(stage: Stage) -> list[str]:
    return [path for path in stage["deps"] if path.startswith("src/") and path.endswith(".py")]


def a_source(stage: Stage) -> str:
    """The last one that is imported whatever the stage does, as what a training or a prediction alone needs is not.

    And no __init__.py: without that, Python would make do with a namespace package.
    """
    not_always = ("__init__.py", "training/watched.py", "inference/views.py")
    return [path for path in sources(stage) if not path.endswith(not_always)][-1]


@cache
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("micromime", exclude_type_checking_imports=True, cache_dir=None)


def named_in_params(use_cases: list[str]) -> dict[str, list[str]]:
    """Package -> the modules that it may load at run time because params.yaml names them: no import statement does.

    Whatever it names now: with every sampler and architecture declared, a profile or a user may name another.
    """
    kinds = {finds(value(f"{use_case}.train.architecture")) for use_case in use_cases}
    return {
        "micromime.use_cases": use_cases,
        "micromime.training.architectures": [name for kind in kinds for name in architectures(kind)],
        "micromime.sampling.samplers": samplers(),
    }


def modules_of(command: str) -> set[str]:
    """The modules that a stage's command needs, directly or not, late imports included, and their packages."""
    python, dash_m, first, *words = shlex.split(command)
    assert (python, dash_m) == ("python", "-m")
    every_use_case = [key for key in PARAMS if key != "profile"]
    use_cases = [key for key in every_use_case if key in words] or every_use_case
    named = named_in_params(use_cases)
    found: set[str] = set()
    ahead = {first}
    while ahead:
        module = ahead.pop()
        found.add(module)
        package = module.rpartition(".")[0] or module
        loaded = (f"{module}.{name}" for name in named.get(module, ()))
        ahead |= {package, *graph().find_modules_directly_imported_by(module), *loaded}
        ahead -= found
    return found


def file_of(module: str) -> str:
    path = Path("src", *module.split("."))
    return str(path / "__init__.py" if (PROJECT / path).is_dir() else path.with_suffix(".py"))


def corrections(stage: Stage) -> list[str]:
    """What to change in the deps of a stage."""
    needed, declared = {file_of(module) for module in modules_of(stage["cmd"])}, set(sources(stage))
    missing = [f"add {path}" for path in sorted(needed - declared)]
    return missing + [f"remove {path}" for path in sorted(declared - needed)]


@pytest.mark.parametrize("name", STAGES)
def test_the_sources_declared_are_those_that_the_command_needs(name):
    wrong = corrections(STAGES[name])
    assert not wrong, f"dvc.yaml, deps of {name}: {'; '.join(wrong)}"


@pytest.mark.parametrize("stage", ["judge_grain_boundaries", "report_grain_boundaries"])
def test_every_round_is_judged_and_reported(stage):
    arms = ["base", *value("grain_boundaries.rounds")]
    assert "grain_boundaries.rounds" in STAGES[stage]["params"]
    for folder, others in (("models/grain_boundaries", []), ("data/synthetic/grain_boundaries", ["scoring"])):
        assert folder in STAGES[stage]["deps"]
        assert {*makers(folder)} == {f"{folder}/{name}" for name in [*arms, *others]}


@pytest.mark.parametrize("name", STAGES)
def test_a_missing_and_a_needless_dep_are_both_told(name):
    missing = a_source(STAGES[name])
    deps = [path for path in STAGES[name]["deps"] if path != missing]
    wrong = corrections(STAGES[name] | {"deps": [*deps, "src/micromime/cli.py"]})
    assert {f"add {missing}", "remove src/micromime/cli.py"} <= set(wrong)


@pytest.mark.parametrize("name", STAGES)
def test_templates_that_a_declared_file_names_are_declared_too(name):
    files = [Path(path) for path in STAGES[name]["deps"] if path.endswith((".py", ".j2"))]
    named = {str(each.with_name(j2)) for each in files for j2 in NAMED.findall((PROJECT / each).read_text())}
    assert named <= set(STAGES[name]["deps"])


def environment(folder: Path) -> dict[str, str]:
    """Everything of ours unset, the folder's code in front, and no program but Python's own: no git."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith(("MICROMIME_", "MLFLOW_", "GIT_"))}
    return kept | {
        "PATH": str(Path(sys.executable).parent),
        "PYTHONPATH": str(folder / "src"),
        "MICROMIME_WORKERS": "1",
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder / 'mlflow.db'}",
        "NUMBA_DISABLE_JIT": "1",  # compiling would take longer than these few pixels do
    }


def run(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    env = environment(folder)
    if "stages.measure" in command or "stages.planted_gap" in command:
        env["NUMBA_DISABLE_JIT"] = "0"  # so many cracks are measured, or images rendered, that compiling pays
    return subprocess.run(shlex.split(command), cwd=folder, env=env, capture_output=True, text=True, check=False)


def undeclared(folder: Path, stage: Stage) -> list[str]:
    """The files in the folder of a stage that are neither deps nor outs, nor what every stage leaves behind."""
    files = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    declared = [*LEFT_BEHIND, *stage["deps"], *outs(stage)]
    return [str(path) for path in files if not any(path.is_relative_to(known) for known in declared)]


def makers(path: str) -> dict[str, str]:
    """Out -> the stage that makes it, of all outs that a path stands for: that one, or those in a folder."""
    return {out: name for name, stage in STAGES.items() for out in outs(stage) if Path(out).is_relative_to(path)}


def copy(path: str, folder: Path, made: Made) -> None:
    """Put a dep into the folder: from the stages that make it, or else from the project."""
    found = {out: made(name) for out, name in makers(path).items()} or {path: PROJECT}
    for part, origin in found.items():
        copy_one(part, folder / part, origin / part)


def copy_one(path: str, target: Path, origin: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if path == "params.yaml":
        YAML_OF_PROJECT.dump(PARAMS, target)
    elif path.startswith("data/sources/"):
        Source(kind="surrogate", reason=NO_REAL_SET, files={}).write(target)
    elif origin.is_dir():
        shutil.copytree(origin, target)
    else:
        shutil.copy(origin, target)


def prepare(name: str, folder: Path, made: Made, without: str = "") -> None:
    """Fill an empty folder with the deps and params that a stage declares, and with nothing else."""
    for path in STAGES[name]["deps"]:
        if path != without:
            copy(path, folder, made)
    if "params" in STAGES[name]:
        YAML_OF_PROJECT.dump(chosen(STAGES[name]["params"]), folder / "params.yaml")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Stage -> the folder in which it has run on what it declares, after the stages whose outs it needs."""

    @cache
    def folder_of(name: str) -> Path:
        folder = tmp_path_factory.mktemp(name)
        prepare(name, folder, folder_of)
        ended = run(STAGES[name]["cmd"], folder)
        assert ended.returncode == 0, ended.stderr
        return folder

    return folder_of


@EACH
def test_a_stage_runs_with_nothing_but_what_it_declares(name, made):
    folder = made(name)
    assert [path for path in outs(STAGES[name]) if not (folder / path).exists()] == []
    assert undeclared(folder, STAGES[name]) == []
    imported = run("python -c 'import micromime; print(micromime.__file__)'", folder).stdout
    assert Path(imported).is_relative_to(folder)


@EACH
def test_a_stage_fails_without_one_of_its_sources(name, made, tmp_path):
    missing = a_source(STAGES[name])
    prepare(name, tmp_path, made, without=missing)
    ended = run(STAGES[name]["cmd"], tmp_path)
    assert ended.returncode != 0
    imports = r"(ModuleNotFoundError|ImportError): .*micromime"
    # Code that decides on a record is read before it is imported.
    reads = rf"FileNotFoundError: .*{re.escape(missing)}'"
    assert re.search(f"^({imports}|{reads})", ended.stderr, re.MULTILINE), ended.stderr

"""What `pip install micromime` brings is enough to render, what it leaves out is named, and packages hold it all."""

import ast
import json
import os
import shutil
import subprocess
import sys
import tarfile
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import light
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import micromime
from micromime.project import places
from micromime.project.extras import what_to_install

SOURCES = Path(micromime.__file__).parent

RENDERS = {
    "--help": "rerender",
    "render grain_boundaries --count 2 --out set": "2 samples in set",
    "preview set --out sheet.png": "sheet.png",
    "rerender set --sample 1": "equal to what is stored",
    "profile tiny": "params.yaml now holds the profile tiny.",
    "check": "every key is known",
}
"""What a person does in an empty folder, and what is said."""

NEEDS_MORE = {
    "run": "dvc is not installed; pip install 'micromime[pipeline]' brings it.",
    "remote add /tmp": "dvc is not installed; pip install 'micromime[pipeline]' brings it.",
    "train grain_boundaries base": "pip install 'micromime[train]' brings it.",
    "judge grain_boundaries": "scikit-image is not installed; pip install 'micromime[train]' brings it.",
    "publish grain_boundaries": "pip install 'micromime[train]' brings it.",
    "explain grain_boundaries": "scikit-learn is not installed; pip install 'micromime[train]' brings it.",
}


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    """What came of every command, one after the other in one folder, without what extras bring."""
    words = [*RENDERS, "render grain_boundaries base", *NEEDS_MORE]
    command = [sys.executable, light.__file__]
    folder, lines = tmp_path_factory.mktemp("light"), "\n".join(words)
    ran = subprocess.run(command, input=lines, capture_output=True, text=True, check=False, cwd=folder)
    assert ran.returncode == 0, ran.stderr
    return dict(zip(words, map(json.loads, ran.stdout.splitlines()), strict=True))


@pytest.mark.parametrize("words", RENDERS)
def test_the_light_install_renders(ended, words):
    assert ended[words]["code"] == 0, ended[words]["err"]
    assert RENDERS[words] in ended[words]["out"]


def test_the_supplied_scenario_is_said_to_be_used(ended):
    said = "micromime: params.yaml is not here, so the supplied one is used; `micromime profile demo` writes it.\n"
    assert ended["render grain_boundaries --count 2 --out set"]["err"].startswith(said)
    for name in [places.PARAMS, *places.PROFILES.glob("*.yaml")]:
        assert (places.SUPPLIED / name).read_bytes() == (SOURCES.parents[1] / name).read_bytes()


@pytest.mark.parametrize("words", NEEDS_MORE)
def test_a_command_that_needs_more_names_the_extra_in_one_sentence(ended, words):
    assert ended[words]["code"] == 2
    assert ended[words]["err"].startswith("micromime: ")
    assert ended[words]["err"].endswith(f"{NEEDS_MORE[words]}\n")
    assert ended[words]["err"].count("\n") == 1


def test_whatever_is_imported_is_declared_and_found_by_its_name():
    trees = [ast.parse(file.read_text()) for file in SOURCES.rglob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    names = [node.module for node in nodes if isinstance(node, ast.ImportFrom)]
    names += [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    roots = {name.partition(".")[0] for name in names} - sys.stdlib_module_names - {"micromime"}
    packages, ours = packages_distributions(), light.modules(light.brought("micromime").values())
    for root in roots - ours:
        said = what_to_install(ModuleNotFoundError(name=root))
        assert said.startswith(tuple(canonicalize_name(package) for package in packages[root])), (root, said)
    assert {"torch", "mlflow", "dvc", "skimage"} <= roots - ours
    assert what_to_install(ModuleNotFoundError(name="spacy")) == ""


def test_the_lock_is_within_the_bounds(project):
    lines = [Requirement(line) for line in (project / "requirements.lock").read_text().splitlines()]
    locked = {line.name: line.specifier for line in lines if line.marker is None or line.marker.evaluate()}
    for needed in map(Requirement, requires("micromime")):
        if needed.name not in ("micromime", "noise"):
            (version,) = locked[needed.name]
            assert needed.specifier.contains(version.version), needed


@pytest.mark.parametrize("made_in", ["a copy", "elsewhere"])
def test_an_environment_made_for_another_folder_is_not_used(project, tmp_path, made_in):
    """As in a copy of a project, whose scripts would run the code of the original, or in one that was moved."""
    here = tmp_path / "a copy"
    packages = here / ".venv/lib/python3.11/site-packages"
    packages.mkdir(parents=True)
    (here / "src").mkdir()
    for name in ("requirements.lock", "pyproject.toml", ".venv/installed"):
        (here / name).touch()
    (packages / "__editable__.micromime-0.1.0.pth").write_text(f"{tmp_path / made_in / 'src'}\n")
    command = ["make", "--dry-run", "--file", str(project / "Makefile"), "run"]
    ended = subprocess.run(command, cwd=here, capture_output=True, text=True, check=False)
    said = f".venv was made for another folder and runs the code in {tmp_path}/elsewhere/src; delete it (rm -rf .venv)"
    assert (ended.returncode == 0, said in ended.stderr) == (made_in == here.name, made_in == "elsewhere")
    assert (".venv/bin/micromime run" in ended.stdout) == (made_in == here.name)


def test_the_citation_names_software_and_paper(project):
    cited = yaml.safe_load((project / "CITATION.cff").read_text())
    assert {"cff-version", "message", "title", "authors"} <= cited.keys()  # what the format asks for
    assert (cited["cff-version"], cited["type"], cited["license"]) == ("1.2.0", "software", "BSD-3-Clause")
    assert cited["version"] in (project / "pyproject.toml").read_text()
    (paper,) = cited["references"]
    assert {"type", "title", "authors"} <= paper.keys()
    assert [each["family-names"] for each in paper["authors"]][:: len(paper["authors"]) - 1] == ["Trampert", "Sandfeld"]
    assert paper["doi"] == "10.3390/cryst11030258"


def call(*command, cwd):
    """Run a program that sees nothing of this environment."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    ran = subprocess.run(list(map(str, command)), cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


BUILT_FROM = ("pyproject.toml", "MANIFEST.in", "README.md", "LICENSE", "CITATION.cff", "CHANGELOG.md", "params.yaml")
BUILD = "from setuptools import build_meta; build_meta.build_sdist('..')"


@pytest.mark.ci
def test_packages_build_install_and_render_in_an_empty_environment(project, tmp_path):
    made = shutil.ignore_patterns("*.egg-info", "__pycache__")
    for name in ("src", "profiles"):
        shutil.copytree(project / name, tmp_path / "tree" / name, symlinks=True, ignore=made)
    for name in BUILT_FROM:
        shutil.copy(project / name, tmp_path / "tree" / name)
    call(sys.executable, "-c", BUILD, cwd=tmp_path / "tree")
    (sdist,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(sdist) as files:
        names = {name.partition("/")[2]: files.getmember(name).isfile() for name in files.getnames()}
    inside = {"LICENSE", "CITATION.cff", "README.md", "src/micromime/params.yaml", "src/micromime/profiles/tiny.yaml"}
    assert inside <= {name for name, plain in names.items() if plain}
    assert not any(name.startswith("tests") for name in names)
    pip = ("-m", "pip", "--disable-pip-version-check", "--quiet")
    call(sys.executable, *pip, "wheel", "--no-deps", "--no-build-isolation", sdist, cwd=tmp_path)
    (wheel,) = tmp_path.glob("*.whl")
    call(sys.executable, "-m", "venv", "--without-pip", "empty", cwd=tmp_path)
    into, versions = ("--python", "empty/bin/python"), ("--constraint", project / "requirements.lock")
    call(sys.executable, *pip, *into, "install", "--no-compile", wheel, *versions, cwd=tmp_path)
    alone = tmp_path / "empty" / "bin"
    size = sum(file.stat().st_size for file in (tmp_path / "empty").rglob("*") if not file.is_symlink())
    assert size <= 670e6  # bytecode, which takes pip 20 s to make, adds less than 130 MB
    (tmp_path / "work").mkdir()
    for words, said in RENDERS.items():
        assert said in call(alone / "micromime", *words.split(), cwd=tmp_path / "work")

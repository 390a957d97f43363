"""The test set over its life, in real DVC projects: given, stored, fetched, lost."""

import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import micromime
from micromime.mistakes import Mistake
from micromime.pictures.micrographs import Micrograph, listed_files, read_micrographs
from micromime.pictures.surrogates.grains import write_micrographs
from micromime.pictures.test_set import Source, stored_files
from micromime.stages import sources
from micromime.stages.sources import write_sources

FILE = Path("data/sources/grain_boundaries.json")
OUT = Path("data/real/grain_boundaries")
PARAMS = (
    "grain_boundaries:\n  test_set: {simulator: grains, surrogate_count: 2, surrogate_side_px: 64, surrogate_seed: 1}\n"
)
DVC_YAML = f"""
stages:
  import_grain_boundaries:
    cmd: >-
      {sys.executable} -m micromime.stages.import_test_set grain_boundaries
      --source {FILE} --out {OUT} --params params.yaml
    deps: [{FILE}]
    params: [grain_boundaries.test_set]
    outs: [{OUT}]
"""


def dvc(*words: str) -> None:
    environment = os.environ | {"PYTHONPATH": str(Path(micromime.__file__).parents[1]), "DVC_NO_ANALYTICS": "1"}
    done = subprocess.run([sys.executable, "-m", "dvc", *words], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `project`, after one `make run` on the real set in `given`."""
    folder = tmp_path_factory.mktemp("finished")
    image = np.arange(28, dtype=np.uint8).reshape(4, 7)
    (folder / "given" / "grain_boundaries").mkdir(parents=True)
    write_micrographs([Micrograph("m", "steel", image, image > 9)], folder / "given" / "grain_boundaries")
    (folder / "project").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder / "project")
        patch.setenv("MICROMIME_REAL", str(folder / "given"))
        dvc("init", "--no-scm", "--quiet")
        Path("params.yaml").write_text(PARAMS)
        Path("dvc.yaml").write_text(DVC_YAML)
        write_sources(["grain_boundaries"], Path())
        dvc("repro", "--quiet")
    return folder


@pytest.fixture
def project(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of that project to work in, with the variable unset."""
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.delenv("MICROMIME_REAL", raising=False)
    return tmp_path / "project"


def kind_now() -> str:
    kind = write_sources(["grain_boundaries"], Path())["grain_boundaries"].kind
    assert Source.read(FILE).kind == kind
    return kind


def no_dvc(*_: object, **__: object) -> None:
    pytest.fail("DVC was started")


def test_surrogate_then_real_then_stored(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for made in (FILE, OUT, ".dvc/cache", "dvc.lock"):
        shutil.move(made, project.parent / Path(made).name)
    assert kind_now() == "surrogate"
    dvc("repro", "--quiet")
    assert Source.read(OUT / "source.json").kind == "surrogate"
    monkeypatch.setenv("MICROMIME_REAL", str(project.parent / "given"))
    assert kind_now() == "real"
    dvc("repro", "--quiet")
    assert listed_files(OUT) == Source.read(FILE).files
    monkeypatch.delenv("MICROMIME_REAL")
    monkeypatch.setattr(subprocess, "Popen", no_dvc)
    assert kind_now() == "real"


def test_stored_in_a_cache_elsewhere(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.move(".dvc/cache", project.parent / "store")
    Path(".dvc/config").write_text("[cache]\n    dir = ../../store\n")
    assert stored_files("grain_boundaries", FILE, Path()).keys() == {*Source.read(FILE).files, "source.json"}
    monkeypatch.setattr(subprocess, "Popen", no_dvc)
    assert kind_now() == "real"


@pytest.mark.usefixtures("project")
def test_the_stage_runs_again_from_the_cache() -> None:
    Path("params.yaml").write_text(PARAMS.replace("seed: 1", "seed: 2"))
    assert kind_now() == "real"
    dvc("repro", "--quiet")
    assert read_micrographs(OUT)[0].name == "m"


@pytest.mark.usefixtures("project")
def test_stored_in_the_remote_only_then_nowhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dvc("remote", "add", "--quiet", "--default", "shelf", str(tmp_path / "shelf"))
    dvc("push", "--quiet")
    shutil.rmtree(".dvc/cache")
    shutil.rmtree(OUT)
    assert kind_now() == "real"
    dvc("repro", "--quiet")
    assert read_micrographs(OUT)[0].name == "m"
    assert capsys.readouterr().err == ""
    shutil.rmtree(".dvc/cache")
    shutil.rmtree(tmp_path / "shelf")
    assert kind_now() == "surrogate"
    assert "'shelf' does not give the stored test set of grain_boundaries (`dvc fetch" in capsys.readouterr().err


@pytest.mark.usefixtures("project")
def test_without_cache_and_remote_it_is_a_surrogate(monkeypatch: pytest.MonkeyPatch) -> None:
    next(path for path in Path(".dvc/cache/files").rglob("*") if path.is_file() and not path.suffix).unlink()
    monkeypatch.setattr(subprocess, "Popen", no_dvc)
    assert kind_now() == "surrogate"


@pytest.mark.usefixtures("project")
def test_a_remote_that_does_not_answer_is_given_up(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sources, "PATIENCE_S", 3.0)
    shutil.rmtree(".dvc/cache")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        dvc("remote", "add", "--quiet", "--default", "dead", f"http://127.0.0.1:{silent.getsockname()[1]}")
        started = time.monotonic()
        assert kind_now() == "surrogate"
    assert time.monotonic() - started < 10
    said = capfd.readouterr().err
    assert "'dead' does not give the stored test set of grain_boundaries (no answer within 3 s)" in said
    assert said.count("\n") == 1


@pytest.mark.usefixtures("project")
def test_another_source_than_the_recorded_one_is_not_stored() -> None:
    real = Source.read(FILE)
    real.model_copy(update={"files": real.files | {"masks/m.png": "0" * 64}}).write(FILE)
    assert stored_files("grain_boundaries", FILE, Path()) == {}


@pytest.mark.usefixtures("project")
def test_broken_settings_of_dvc_are_a_mistake() -> None:
    Path(".dvc/config").write_text("[cache]\n    nonsense = 1\n")
    with pytest.raises(Mistake, match=r"DVC's settings in \.dvc cannot be read"):
        kind_now()


def test_a_project_without_a_record_stores_nothing(tmp_path: Path) -> None:
    (tmp_path / "s.json").write_text("{}")
    assert stored_files("grain_boundaries", tmp_path / "s.json", tmp_path) == {}

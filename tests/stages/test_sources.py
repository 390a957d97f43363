"""The test set over its life, in a real DVC project: given, stored, fetched, lost."""

import json
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
from micromime.commands.run import write_sources
from micromime.mistakes import Mistake
from micromime.pictures import test_set
from micromime.pictures.micrographs import Micrograph, listed_files, read_micrographs
from micromime.pictures.surrogates.grains import write_micrographs
from micromime.pictures.test_set import NO_REAL_SET, VARIABLE, Origin, origin_file, stored_files
from micromime.project import places
from micromime.stages.import_test_set import import_test_set

GRAINS = "grain_boundaries"
FILE, OUT, CACHE = origin_file(GRAINS), places.test_set(GRAINS), Path(".dvc/cache")
PARAMS = f"{GRAINS}:\n  test_set: {{simulator: grains, surrogate_count: 2, surrogate_side_px: 64, surrogate_seed: 1}}\n"
COMMAND = [sys.executable, "-m", "micromime", "import", GRAINS]
TRAINED = {"train": {"architecture": "small_unet"}}
DVC_YAML = f"""
stages:
  import_{GRAINS}:
    cmd: {" ".join(COMMAND)}
    deps: [{FILE}]
    params: [{GRAINS}.test_set]
    outs: [{OUT}]
"""
OURS = {"PYTHONPATH": str(Path(micromime.__file__).parents[1]), "DVC_NO_ANALYTICS": "1"}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder with `project`, after one `make run` on the real set in `given`."""
    folder = tmp_path_factory.mktemp("finished")
    image = np.arange(28, dtype=np.uint8).reshape(4, 7)
    (folder / "given" / GRAINS).mkdir(parents=True)
    write_micrographs([Micrograph("m", "steel", image, image > 19)], folder / "given" / GRAINS)
    (folder / "project" / ".dvc").mkdir(parents=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder / "project")
        patch.setenv(VARIABLE, str(folder / "given"))
        Path(".dvc/config").write_text("[core]\n    no_scm = True\n")
        Path("params.yaml").write_text(PARAMS)
        Path("dvc.yaml").write_text(DVC_YAML)
        write_sources({GRAINS: TRAINED})
        subprocess.run([sys.executable, "-m", "dvc", "repro", "--quiet"], env=os.environ | OURS, check=True)
    return folder


@pytest.fixture
def project(finished, tmp_path, monkeypatch):
    """A copy of that project to work in, with the variable unset."""
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.delenv(VARIABLE, raising=False)
    return tmp_path / "project"


def kind_now(fetch=True):
    write_sources({GRAINS: TRAINED}, fetch)
    return Origin.read(FILE).kind


def bring_in():
    import_test_set(GRAINS)
    return Origin.read(OUT / "source.json").kind


@pytest.fixture
def no_dvc(monkeypatch):
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("DVC was started"))


def set_remote(url):
    remote = f"['remote \"shelf\"']\n    url = {url}\n"
    Path(".dvc/config").write_text(f"[core]\n    no_scm = True\n    remote = shelf\n{remote}")


@pytest.mark.usefixtures("no_dvc")
def test_given_then_stored_and_without_both_a_surrogate(project, monkeypatch):
    assert kind_now() == bring_in() == "real"  # from the cache
    assert read_micrographs(OUT)[0].name == "m"
    shutil.move(CACHE, project.parent / "store")
    assert kind_now() == bring_in() == "surrogate"
    monkeypatch.setenv(VARIABLE, str(project.parent / "given"))
    assert kind_now() == bring_in() == "real"
    assert listed_files(OUT) == Origin.read(FILE).files
    monkeypatch.delenv(VARIABLE)
    Path(".dvc/config").write_text("[core]\n    no_scm = True\n[cache]\n    dir = ../../store\n")
    assert kind_now() == bring_in() == "real"


def test_plain_dvc_repro_in_a_fresh_clone_takes_what_is_there(project, monkeypatch):
    """What is committed says real, which this clone has not: DVC must be content with what the stage has written."""

    def repro():
        shutil.rmtree(CACHE)
        shutil.rmtree(OUT)
        subprocess.run([sys.executable, "-m", "dvc", "repro", "--quiet"], env=os.environ | OURS, check=True)
        status = [sys.executable, "-m", "dvc", "status", "--json"]
        assert json.loads(subprocess.run(status, env=os.environ | OURS, check=True, capture_output=True).stdout) == {}
        assert Origin.read(OUT / "source.json") == Origin.read(FILE)  # what is committed next says what was tested on
        return Origin.read(FILE).kind

    assert Origin.read(FILE).kind == "real"
    assert repro() == "surrogate"
    monkeypatch.setenv(VARIABLE, str(project.parent / "given"))
    assert repro() == "real"


@pytest.mark.usefixtures("project")
def test_stored_in_the_remote_only_then_nowhere(tmp_path, capsys):
    set_remote(tmp_path / "shelf")
    (tmp_path / "shelf").mkdir()
    shutil.move(CACHE / "files", tmp_path / "shelf" / "files")  # as `dvc push` does it
    shutil.rmtree(OUT)
    assert kind_now() == bring_in() == "real"
    assert read_micrographs(OUT)[0].name == "m"
    assert capsys.readouterr().err == ""
    shutil.rmtree(CACHE)
    shutil.rmtree(tmp_path / "shelf")
    assert kind_now() == "surrogate"
    assert "'shelf' does not give the stored test set of grain_boundaries (`dvc fetch" in capsys.readouterr().err


@pytest.mark.usefixtures("project")
def test_a_remote_that_does_not_answer_is_given_up_and_one_known_to_be_dead_not_asked(monkeypatch, capfd):
    monkeypatch.setattr(test_set, "PATIENCE_S", 3.0)
    shutil.rmtree(CACHE)
    real = FILE.read_text()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        set_remote(f"http://127.0.0.1:{silent.getsockname()[1]}")
        started = time.monotonic()
        assert kind_now() == "surrogate"
    assert time.monotonic() - started < 10
    said = capfd.readouterr().err
    assert "'shelf' does not give the stored test set of grain_boundaries (no answer within 3 s)" in said
    assert said.count("\n") == 1
    FILE.write_text(real)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("DVC was started"))
    assert kind_now(fetch=False) == "surrogate"


@pytest.mark.usefixtures("project", "no_dvc")
def test_a_file_lost_or_another_origin_than_the_recorded_one_is_not_stored():
    real = Origin.read(FILE)
    assert stored_files(GRAINS).keys() == {*real.files, "source.json"}
    real.model_copy(update={"files": real.files | {"masks/m.png": "0" * 64}}).write(FILE)
    assert stored_files(GRAINS) == {}
    real.write(FILE)
    next(path for path in (CACHE / "files").rglob("*") if path.is_file() and not path.suffix).unlink()
    assert kind_now() == "surrogate"
    shutil.rmtree(".dvc")
    assert stored_files(GRAINS) == {}  # a folder that is no project


@pytest.mark.usefixtures("project")
def test_broken_settings_of_dvc_are_a_mistake():
    Path(".dvc/config").write_text("[cache]\n    nonsense = 1\n")
    with pytest.raises(Mistake, match=r"DVC's settings in \.dvc cannot be read"):
        kind_now()


@pytest.mark.usefixtures("project")
def test_a_surrogate_by_the_stage_s_command_and_a_mistake_in_one_sentence():
    Origin(kind="surrogate", reason=NO_REAL_SET, files={}).write(FILE)
    assert bring_in() == "surrogate"
    assert len(read_micrographs(OUT)) == 2
    Path("params.yaml").write_text(PARAMS.replace("2", "-3"))
    done = subprocess.run(COMMAND, capture_output=True, text=True, check=False, env=os.environ | OURS)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("micromime: grain_boundaries.test_set.surrogate_count: -3 is not allowed")
    assert done.stderr.count("\n") == 1

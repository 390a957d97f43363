"""Without a home that can be written, and without a name: what libraries ask for lies elsewhere, or is said."""

import errno
import hashlib
import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import micromime
from micromime import cli, home
from micromime.datasets.store import Dataset
from micromime.home import FOLDERS, make_do

NOWHERE = "/dev/null/home"
"""No folder, and none can be made here, not by root either."""

PLAIN = """
grain_boundaries:
  scenario:
    rows: 40
    cols: 56
    grain_structure: {diameter_px: 20}
    grain_boundaries: {thickness_px: 3, darkness: 0.5}
    grain_shades: {mean_grey: 150, contrast_grey: 20}
    perlin_texture: {amplitude_grey: 10}
    illumination: {gradient: 0.1}
    white_noise: {sd_grey: 5}
    gaussian_blur: {kernel_px: 3}
"""


@pytest.fixture
def homeless(tmp_path, monkeypatch):
    """An environment without a home to write to, in a folder that is no project; other folders are below this one."""
    for variable in FOLDERS:
        monkeypatch.setenv(variable, "")
    monkeypatch.setenv("HOME", NOWHERE)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(home, "FOLDERS", FOLDERS | {"DVC_SITE_CACHE_DIR": (f"{NOWHERE}/dvc", "")})
    monkeypatch.setattr(home, "SHARED", ())
    monkeypatch.chdir(tmp_path)
    return tmp_path / f"micromime-{os.getuid()}"


def test_folders_are_named_that_this_user_alone_may_write(homeless):
    make_do()
    assert {os.environ[variable] for variable in FOLDERS} == {str(homeless / each.lower()) for each in FOLDERS}
    assert homeless.stat().st_mode & 0o777 == 0o700


def test_a_project_keeps_what_was_compiled(homeless, tmp_path):
    Path("params.yaml").touch()
    make_do()
    assert os.environ["XDG_CACHE_HOME"] == str(tmp_path / ".micromime" / "home" / "xdg_cache_home")
    assert not homeless.exists()


def test_nothing_changes_where_all_can_be_written(tmp_path, monkeypatch):
    for variable in FOLDERS:
        monkeypatch.setenv(variable, str(tmp_path / "there" / variable))
    monkeypatch.setenv("HOME", str(tmp_path))
    before = dict(os.environ)
    make_do()
    assert dict(os.environ) == before
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("how", ["open to all", "a link", "a file"])
def test_what_somebody_else_may_have_laid_there_is_not_run(homeless, tmp_path, monkeypatch, how):
    if how == "a link":
        homeless.symlink_to(tmp_path / "theirs")
        (tmp_path / "theirs").mkdir(mode=0o700)
    elif how == "a file":
        homeless.touch()
    else:
        homeless.mkdir()
        homeless.chmod(0o777)
    (tmp_path / "other").mkdir()
    monkeypatch.setattr(home, "SHARED", (str(tmp_path / "other"),))
    make_do()
    assert Path(os.environ["XDG_CACHE_HOME"]).is_relative_to(tmp_path / "other")


def test_weights_in_a_home_that_may_only_be_read_are_still_found(homeless, tmp_path, monkeypatch):
    (tmp_path / "read" / "torch").mkdir(parents=True)
    (tmp_path / "read" / "numba").touch()  # no folder, so it cannot be written
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "read"))
    monkeypatch.delenv("TORCH_HOME", raising=False)
    make_do()
    assert os.environ["TORCH_HOME"] == str(tmp_path / "read" / "torch")
    assert Path(os.environ["XDG_CACHE_HOME"]).is_relative_to(homeless)


def test_a_home_that_cannot_even_be_looked_into_is_one_that_cannot_be_written(homeless, monkeypatch):
    """Root's for another user (`sudo -u`, `docker run -u`), or one on a network whose ticket has run out."""

    def stat(self: Path, **how: bool) -> os.stat_result:
        if self.is_relative_to(NOWHERE):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self))
        return os.stat(self, **how)  # noqa: PTH116 - pathlib's own is replaced

    monkeypatch.setattr(Path, "stat", stat)
    make_do()
    assert os.environ["XDG_CACHE_HOME"] == str(homeless / "xdg_cache_home")


def test_a_user_without_an_entry_gets_a_name_and_a_home(homeless, monkeypatch):
    for variable in ("HOME", "LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(variable, "")
        monkeypatch.delenv(variable)
    monkeypatch.setattr(pwd, "getpwuid", lambda uid: {}[uid])
    make_do()
    assert os.environ["USER"] == f"uid{os.getuid()}"
    assert os.environ["HOME"] == str(homeless)


WITHOUT = """
import sys, types
sys.modules["micromime.home"] = types.SimpleNamespace(make_do=lambda: None)
import micromime.partial_models.camera.white_noise
"""
NOBODY = "import pwd; pwd.getpwuid = lambda uid: {}[uid]"


@pytest.fixture
def package(homeless, tmp_path) -> Path:
    """A copy with files where numba wants folders; what is compiled comes along to `homeless`, but for the noise's."""
    source, copy = Path(micromime.__file__).parent, tmp_path / "copy" / "micromime"
    shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__"))
    homeless.mkdir(mode=0o700)
    for folder in {file.parent for file in copy.rglob("*.py")}:
        (folder / "__pycache__").touch()
        name = f"{folder.name}_{hashlib.sha1(str(folder).encode(), usedforsecurity=False).hexdigest()}"
        for cache in (homeless / "xdg_cache_home", homeless / ".cache"):
            (cache / "numba" / name).mkdir(parents=True)
            for file in (source / folder.relative_to(copy) / "__pycache__").glob("*.nb[ic]"):
                if not file.name.startswith("white_noise."):
                    shutil.copy(file, cache / "numba" / name)
    return copy


@pytest.mark.parametrize(
    ("env", "fault", "cache"),
    [({"HOME": NOWHERE}, "no locator available", "xdg_cache_home"), ({}, "", ".cache")],
    ids=["a home to read", "no home"],
)
def test_two_samples_where_neither_package_nor_home_can_be_written(homeless, package, tmp_path, env, fault, cache):
    (package.parent / "sitecustomize.py").write_text("" if env else NOBODY)
    (tmp_path / "plain.yaml").write_text(PLAIN)
    env |= {"PATH": os.environ["PATH"], "PYTHONPATH": str(package.parent), "TMPDIR": str(tmp_path)}

    def python(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, *words], env=env, capture_output=True, text=True, check=False)

    assert fault in python("-c", WITHOUT).stderr
    assert (tmp_path / "~").exists() != bool(fault)
    shutil.rmtree(tmp_path / "~", ignore_errors=True)
    words = ("render", "grain_boundaries", "--out", "out", "--count", "2", "--params", "plain.yaml")
    ended = python("-m", "micromime", *words)
    assert ended.returncode == 0, ended.stderr
    assert len(Dataset(tmp_path / "out").images) == 2
    assert [*(homeless / cache / "numba").glob("camera_*/white_noise.*.nbi")]
    assert not (tmp_path / "~").exists()


@pytest.mark.parametrize(("number", "file"), [(errno.EROFS, "out"), (errno.ENOSPC, None), (errno.EACCES, "a/b")])
def test_where_there_is_no_room_one_sentence_says_so(monkeypatch, capsys, number, file):
    def write() -> None:
        raise OSError(number, os.strerror(number), file)

    monkeypatch.setattr(sys, "argv", ["micromime"])
    with pytest.raises(SystemExit) as ended:
        cli.command(write)
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("micromime: " + (f"{file}: " if file else "") + os.strerror(number))
    assert said.count("\n") == 1


def test_another_fault_of_a_file_keeps_its_trace(monkeypatch):
    def read() -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(sys, "argv", ["micromime"])
    with pytest.raises(OSError, match="error"):
        cli.command(read)

"""What DVC keeps, found by its hash without DVC's help."""

from pathlib import Path

import pytest

from micromime.mistakes import Mistake
from micromime.project.dvc_cache import cached_file

MD5 = "0123456789abcdef0123456789abcdef"


def keep(cache: Path, md5: str = MD5) -> Path:
    file = cache / "files" / "md5" / "01" / md5[2:]
    file.parent.mkdir(parents=True)
    file.write_text("content")
    return file


def project(folder: Path, config: str = "") -> Path:
    (folder / ".dvc").mkdir(parents=True)
    (folder / ".dvc" / "config").write_text(config)
    return folder


@pytest.mark.parametrize("md5", [MD5, f"{MD5}.dir"])
def test_a_file_is_found_by_its_hash(tmp_path, md5):
    folder = project(tmp_path / "project")
    file = keep(folder / ".dvc" / "cache", md5)
    assert cached_file(md5, folder) == file
    assert cached_file(md5.replace("0123", "0124"), folder) is None


def test_the_project_is_the_working_directory(tmp_path, monkeypatch):
    keep(project(tmp_path) / ".dvc" / "cache")
    monkeypatch.chdir(tmp_path)
    assert cached_file(MD5).read_text() == "content"


@pytest.mark.parametrize("written", ["../../shelf", "{tmp_path}/shelf"])
def test_the_cache_may_lie_elsewhere(tmp_path, written):
    folder = project(tmp_path / "project", f"[cache]\n    dir = {written.format(tmp_path=tmp_path)}\n")
    assert cached_file(MD5, folder) is None
    file = keep(tmp_path / "shelf")
    assert cached_file(MD5, folder).samefile(file)


def test_a_folder_that_is_no_dvc_project_keeps_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("DVC_GLOBAL_CONFIG_DIR", str(tmp_path / "global"))
    keep(tmp_path / "shelf")
    (tmp_path / "global").mkdir()
    (tmp_path / "global" / "config").write_text(f"[cache]\n    dir = {tmp_path / 'shelf'}\n")
    assert cached_file(MD5, project(tmp_path / "project")).read_text() == "content"
    assert cached_file(MD5, tmp_path) is None


def test_settings_that_dvc_does_not_know_are_a_mistake(tmp_path):
    folder = project(tmp_path, "[cache]\n    nonsense = 1\n")
    with pytest.raises(Mistake, match=r"^DVC's settings in \S*/\.dvc cannot be read \(.*\); correct them\.$"):
        cached_file(MD5, folder)

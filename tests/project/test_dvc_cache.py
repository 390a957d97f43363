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


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project, the working directory, on a machine where nothing is set for all projects."""
    (tmp_path / "project" / ".dvc").mkdir(parents=True)
    monkeypatch.setenv("DVC_GLOBAL_CONFIG_DIR", str(tmp_path / "global"))
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path / "project"


@pytest.mark.parametrize("md5", [MD5, f"{MD5}.dir"])
def test_a_file_is_found_by_its_hash_in_a_dvc_project(project, md5, monkeypatch):
    file = keep(project / ".dvc" / "cache", md5)
    assert cached_file(md5).absolute() == file
    assert cached_file(md5.replace("0123", "0124")) is None
    monkeypatch.chdir(project.parent)
    assert cached_file(md5) is None


ELSEWHERE = [(".dvc/config", "../../shelf"), (".dvc/config", "{parent}/shelf"), ("../global/config", "{parent}/shelf")]


@pytest.mark.parametrize(("file", "written"), ELSEWHERE)
def test_the_cache_may_lie_elsewhere(project, file, written):
    Path(file).parent.mkdir(exist_ok=True)
    Path(file).write_text(f"[cache]\n    dir = {written.format(parent=project.parent)}\n")
    assert cached_file(MD5) is None
    keep(project.parent / "shelf")
    assert cached_file(MD5).read_text() == "content"


def test_settings_that_dvc_does_not_know_are_a_mistake(project):
    (project / ".dvc" / "config").write_text("[cache]\n    nonsense = 1\n")
    with pytest.raises(Mistake, match=r"^DVC's settings in \.dvc cannot be read \(.*\); correct them\.$"):
        cached_file(MD5)

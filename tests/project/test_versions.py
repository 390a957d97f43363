"""Versions of code and data, on small repositories made for the purpose."""

import json
import subprocess
from pathlib import Path

import pytest

from micromime.mistakes import Mistake
from micromime.project.versions import data_version, revision

LOCK = """
schema: '2.0'
stages:
  render@grains:
    cmd: micromime render
    deps:
    - path: data/grains
      md5: 00000000000000000000000000000000.dir
    outs:
    - path: data/grains
      hash: md5
      md5: 0123456789abcdef0123456789abcdef.dir
      size: 10
      nfiles: 2
  freeze:
    cmd: nothing
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    (tmp_path / "params.yaml").write_text("seed: 0\n")
    commit(tmp_path)
    return tmp_path


def commit(folder: Path) -> None:
    who = ["-c", "user.name=Ann", "-c", "user.email=ann@example.org", "-c", "commit.gpgsign=false"]
    for words in (["init", "--quiet"], ["add", "."], [*who, "commit", "--quiet", "--message", "Begin"]):
        subprocess.run(["git", "-C", str(folder), *words], check=True)


def test_a_clean_checkout_is_its_commit(repository):
    assert len(revision(repository).commit) == 40
    assert not revision(repository).dirty


@pytest.mark.parametrize("name", ["params.yaml", "new_scenario.py"])
def test_edits_and_new_files_make_it_dirty(repository, name):
    (repository / name).write_text("seed: 1\n")
    assert revision(repository).dirty


@pytest.mark.parametrize("name", ["dvc.lock", "metrics/demo/grains.json"])
def test_what_stages_write_does_not(repository, name):
    (repository / name).parent.mkdir(parents=True, exist_ok=True)
    (repository / name).write_text("{}")
    assert not revision(repository).dirty


def test_outside_git_there_is_no_commit(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert revision(tmp_path) == ("", False)


def test_a_data_set_has_the_hash_that_dvc_recorded(tmp_path):
    (tmp_path / "dvc.lock").write_text(LOCK)
    version = data_version("train", Path("data/grains"), "validation", tmp_path)
    assert version == ("train", "data/grains", "0123456789abcdef0123456789abcdef.dir", "validation")


def test_without_dvc_the_hash_is_that_of_the_description(tmp_path):
    (tmp_path / "grains").mkdir()
    digests = []
    for content in ("{}", '{"seed": 1}', "{}"):
        (tmp_path / "grains" / "dataset.json").write_text(content)
        digests.append(data_version("train", Path("grains"), root=tmp_path).digest)
    assert digests[0] == digests[2] != digests[1]
    assert digests[0] == "unversioned-44136fa355b3678a1146ad16"  # sha256sum of {}


def test_without_dvc_the_hash_of_a_real_set_counts_its_pictures(tmp_path):
    (tmp_path / "images.csv").write_text("image,mask,source\na.png,b.png,steel\n")
    (tmp_path / "b.png").write_bytes(b"mask")
    digests = set()
    for content in (b"one", b"two"):
        (tmp_path / "a.png").write_bytes(content)
        digests.add(data_version("test", Path(), root=tmp_path).digest)
    assert len(digests) == 2


def test_no_data_set_is_a_mistake(tmp_path):
    with pytest.raises(Mistake, match="grains is no data set"):
        data_version("train", Path("grains"), root=tmp_path)


def test_one_of_several_sets_in_a_folder_has_the_version_of_the_folder(tmp_path):
    lock = {"stages": {"tile": {"outs": [{"path": "data/tiles", "md5": "c" * 32 + ".dir"}]}}}
    (tmp_path / "dvc.lock").write_text(json.dumps(lock))
    version = data_version("all", Path("data/tiles/all"), root=tmp_path)
    assert (version.path, version.digest) == ("data/tiles/all", "c" * 32 + ".dir")

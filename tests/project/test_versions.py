"""Versions of code and data, on small repositories made for the purpose."""

import json
import subprocess
from pathlib import Path

import pytest

from micromime.mistakes import Mistake
from micromime.project.versions import data_version, revision

MD5 = "0123456789abcdef0123456789abcdef.dir"
OUT = {"path": "data/grains", "hash": "md5", "md5": MD5, "size": 10}
DEP = {"path": "data/grains/all", "md5": MD5.replace("0", "1")}
LOCK = {"schema": "2.0", "stages": {"render@grains": {"deps": [DEP], "outs": [OUT]}, "freeze": {"cmd": "nothing"}}}


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "params.yaml").write_text("seed: 0\n")
    who = ["-c", "user.name=Ann", "-c", "user.email=ann@example.org", "-c", "commit.gpgsign=false"]
    for words in (["init", "--quiet"], ["add", "."], [*who, "commit", "--quiet", "--message", "Begin"]):
        subprocess.run(["git", "-C", str(tmp_path), *words], check=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "dirty"),
    [("", False), ("params.yaml", True), ("new.py", True), ("dvc.lock", False), ("metrics/demo/grains.json", False)],
)
def test_a_checkout_is_its_commit_and_dirty_by_all_that_no_stage_writes(repository, name, dirty):
    if name:
        (repository / name).parent.mkdir(parents=True, exist_ok=True)
        (repository / name).write_text("{}")
    assert len(revision()["commit"]) == 40
    assert revision()["dirty"] == dirty


def test_outside_git_there_is_no_commit(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.chdir(tmp_path)
    assert revision() == {"commit": "", "dirty": False}


def test_a_data_set_has_the_hash_that_dvc_recorded_for_it_or_for_its_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("dvc.lock").write_text(json.dumps(LOCK))
    version = data_version("train", Path("data/grains"), "validation")
    assert version == {"name": "train", "path": "data/grains", "digest": MD5, "context": "validation"}
    one_of_several = data_version("all", tmp_path / "data/grains/all")
    assert (one_of_several["path"], one_of_several["digest"]) == ("data/grains/all", MD5)


def test_without_dvc_the_hash_is_that_of_the_description_or_of_every_picture(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "grains").mkdir()
    digests = []
    for content in ("{}", '{"seed": 1}', "{}"):
        (tmp_path / "grains" / "dataset.json").write_text(content)
        digests.append(data_version("train", Path("grains"))["digest"])
    assert digests[0] == digests[2] != digests[1]
    assert digests[0] == "unversioned-44136fa355b3678a1146ad16"  # sha256sum of {}
    (tmp_path / "images.csv").write_text("image,mask,source\na.png,b.png,steel\n")
    for content in (b"one", b"two"):
        (tmp_path / "a.png").write_bytes(content)
        digests.append(data_version("test", Path())["digest"])
    assert len(set(digests)) == 4


def test_no_data_set_is_a_mistake(tmp_path):
    with pytest.raises(Mistake, match="grains is no data set"):
        data_version("train", tmp_path / "grains")

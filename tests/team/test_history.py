"""Which commit has which version, on a small project with a real history."""

import shutil
import subprocess
from pathlib import Path
from shlex import split

import pytest
from dvc.cli import main as dvc_main

from micromime.mistakes import Mistake
from micromime.team.contents import listing, read, read_json
from micromime.team.history import (
    Version,
    command_for,
    lock_at,
    made_from,
    made_of,
    tags_of,
    version_at,
    version_of,
    versions,
)

BASE, ADAPTIVE = "data/synthetic/grain_boundaries/base", "data/synthetic/grain_boundaries/adaptive"


@pytest.fixture
def here(made, monkeypatch):
    monkeypatch.chdir(made.folder)
    return made


def test_the_first_commit_of_each_version_is_found(here):
    commits = here.commits
    assert version_at(BASE).commit == commits["base"]
    assert version_at(BASE, commits["round"]).commit == commits["first"]
    assert version_at(ADAPTIVE).commit == commits["round"]
    assert [each.commit for each in versions(ADAPTIVE)] == [commits["round"], commits["first"]]


@pytest.mark.usefixtures("here")
def test_a_part_of_what_dvc_keeps_as_one_has_the_hash_of_the_whole():
    version = version_at("data/tiles/chip_cracks/32")
    assert (version.out, version.inner) == ("data/tiles/chip_cracks", "32")
    assert set(listing(version)) == {"dataset.json"}
    assert version_at("data/tiles") is None


@pytest.mark.usefixtures("here")
def test_a_hash_that_stands_there_for_another_path_is_not_taken():
    other = version_at(BASE).digest
    assert version_of(ADAPTIVE, other).commit == ""
    assert version_of(BASE, "0" * 32 + ".dir").commit == ""


def test_files_of_older_versions_are_read_as_they_were(here):
    seeds = [read_json(version_at(ADAPTIVE, here.commits[name]), "dataset.json")["seed"] for name in ("first", "round")]
    assert seeds == [3, 4]
    assert read(version_at(ADAPTIVE), "no.json") is None


@pytest.mark.usefixtures("project_copy")
def test_what_is_checked_out_does_not_change_what_a_version_says():
    Path(ADAPTIVE, "dataset.json").write_text('{"seed": 77}')
    assert read_json(version_at(ADAPTIVE), "dataset.json")["seed"] == 4


def test_the_working_directory_is_read_where_the_cache_is_gone(project_copy):
    shutil.rmtree(".dvc/cache")
    assert read_json(version_at(ADAPTIVE), "dataset.json")["seed"] == 4
    assert read_json(version_at(ADAPTIVE, project_copy.commits["first"]), "dataset.json") is None


def test_files_that_only_the_remote_has_are_read_from_there(project_copy, tmp_path):
    """Also those of commits in which there was no such remote."""
    Path(".dvc/config").write_text(f"[core]\n    remote = team\n['remote \"team\"']\n    url = {tmp_path / 'remote'}\n")
    shutil.move(".dvc/cache", tmp_path / "remote")
    for folder in ("data/synthetic", "models"):
        shutil.rmtree(folder)
    old = version_at(ADAPTIVE, project_copy.commits["first"])
    assert command_for(old).endswith(" --remote team")
    assert dvc_main([*split(command_for(old))[1:], "--quiet", "--out", "given"]) == 0
    assert Path("given", "dataset.json").is_file()
    assert read_json(old, "dataset.json")["seed"] == 3
    assert set(listing(old)) == {"dataset.json", "shard-00000/images.npy"}
    assert "arm.json" in listing(version_at("models/chip_cracks/mixed/mixed_32"))


@pytest.mark.usefixtures("here")
def test_a_version_says_what_its_stage_has_read():
    read_by = made_from(version_at("models/grain_boundaries/adaptive"))
    assert set(read_by) == {ADAPTIVE, "models/grain_boundaries/base"}
    assert read_by["models/grain_boundaries/base"] != lock_at().outs["models/grain_boundaries/base"]


def test_what_was_made_from_a_version_is_found_in_every_commit(here):
    first = version_at(BASE, here.commits["first"])
    made = [(each.path, each.commit) for each in made_of(first)]
    commits = here.commits
    assert made.count(("models/grain_boundaries/base", commits["first"])) == 1
    assert {commit for path, commit in made if path == ADAPTIVE} == {commits["first"], commits["round"]}
    assert not any("chip_cracks" in path for path, _ in made)


def test_a_version_has_every_tag_that_has_its_bytes(here):
    assert tags_of(version_at(BASE, here.commits["first"])) == ["v1", "v2"]
    assert tags_of(version_at(ADAPTIVE, here.commits["first"])) == ["v1"]
    assert tags_of(version_at(BASE)) == []


def test_commands_name_the_commit_and_quote_the_path(here):
    version = version_at(BASE)
    assert command_for(version) == f"dvc get . {BASE} --rev {here.commits['base'][:7]}"
    assert command_for(version._replace(path=f"{BASE}/a b")).count(f"'{BASE}/a b'") == 1
    assert command_for(Version(BASE, BASE, "0" * 32, "")) == ""


@pytest.mark.usefixtures("project_copy")
def test_a_lock_that_was_merged_badly_is_a_mistake():
    Path("dvc.lock").write_text("stages:\n<<<<<<< HEAD\n")
    with pytest.raises(Mistake, match=r"dvc\.lock here is not what DVC writes"):
        lock_at()


def test_without_git_there_are_hashes_and_no_commits(project_copy, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(project_copy.folder.parent))
    shutil.rmtree(".git")
    version = version_at(BASE)
    assert len(version.digest) == 36
    assert version.commit == ""
    assert read_json(version, "dataset.json")["seed"] == 9


@pytest.mark.usefixtures("project_copy")
def test_a_version_first_recorded_by_a_merge_is_found():
    old = Path("dvc.lock").read_text()
    run = ["git", "-c", "user.name=Ann", "-c", "user.email=ann@example.org"]
    subprocess.run([*run, "checkout", "--quiet", "-b", "side"], check=True)
    Path("note").write_text("side")
    for words in (["add", "note"], ["commit", "-qm", "Side"], ["checkout", "-q", "main"]):
        subprocess.run([*run, *words], check=True)
    subprocess.run([*run, "merge", "--no-ff", "--no-commit", "--quiet", "side"], check=True)
    digest = version_at(BASE).digest
    Path("dvc.lock").write_text(old.replace(digest, "7" * 32 + ".dir"))
    for words in (["add", "."], ["commit", "-qm", "Merge"]):
        subprocess.run([*run, *words], check=True)
    head = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
    assert version_at(BASE).commit == head

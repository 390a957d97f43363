"""Versions of code and data, on small repositories made for the purpose."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from micromime.mistakes import Mistake
from micromime.project.dvc_cache import expect_repository
from micromime.project.versions import TOLD, data_version, head, revision

MD5 = "0123456789abcdef0123456789abcdef.dir"
OUT = {"path": "data/grains", "hash": "md5", "md5": MD5, "size": 10}
DEP = {"path": "data/grains/all", "md5": MD5.replace("0", "1")}
LOCK = {"schema": "2.0", "stages": {"render@grains": {"deps": [DEP], "outs": [OUT]}, "freeze": {"cmd": "nothing"}}}


WHO = ["-c", "user.name=Ann", "-c", "user.email=ann@example.org", "-c", "commit.gpgsign=false"]


@pytest.fixture(autouse=True)
def own_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let nobody's settings of git count: `safe.directory = *` would hide much, and some work without it."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path.parent / f"{tmp_path.name}.gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.delenv(TOLD, raising=False)


def git(folder: Path, *words: str) -> str:
    command = ["git", "-C", str(folder), *WHO, *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def begun(folder: Path) -> Path:
    """Make a repository of one commit."""
    folder.mkdir(exist_ok=True)
    (folder / "params.yaml").write_text("seed: 0\n")
    for words in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message", "Begin"]):
        git(folder, *words)
    return folder


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(begun(tmp_path / "my project"))
    return Path.cwd()


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


def test_untracked_files_count_whatever_the_users_settings(repository):
    git(repository, "config", "status.showUntrackedFiles", "no")
    (repository / "new.py").write_text("")
    assert revision()["dirty"]


def no_repository(folder: Path) -> None:
    shutil.rmtree(folder / ".git")


def no_commit(folder: Path) -> None:
    no_repository(folder)
    git(folder, "init", "--quiet")


def another_user(folder: Path) -> None:
    if os.geteuid():
        pytest.skip("only root can give a folder to another user")
    for each in (folder, *folder.rglob("*")):
        os.chown(each, 12345, 12345)


def another_repository(folder: Path) -> None:
    """The folder lies in a repository that ignores it, and has commits."""
    no_repository(folder)
    (folder.parent / ".gitignore").write_text(f"/{folder.name}/\n")
    begun(folder.parent)


def broken(folder: Path) -> None:
    """As where the repository of a worktree or submodule has moved away."""
    no_repository(folder)
    (folder / ".git").write_text("gitdir: /nowhere\n")


WITHOUT_COMMIT = {
    no_repository: "this folder is in no git repository; `git init && git add --all && git commit --message Begin`",
    no_commit: "nothing is committed yet; `git add --all && git commit --message Begin` does it",
    another_user: "git refuses this folder, as it is another user's; `git config --global --add safe.directory "
    "'FOLDER'` has it trust that user",
    another_repository: "the repository ABOVE has nothing of this folder; `git init && git add --all && git commit "
    "--message Begin` here",
    broken: "git cannot read its repository (fatal: not a git repository: /nowhere); clone it anew",
}


@pytest.mark.parametrize("change", WITHOUT_COMMIT, ids=lambda change: change.__name__)
def test_why_there_is_no_commit_is_said_once_with_what_helps(repository, capfd, change):
    change(repository)
    why = WITHOUT_COMMIT[change].replace("FOLDER", str(repository)).replace("ABOVE", str(repository.parent))
    assert head() == ("", why)
    assert [revision(), revision()] == [{"commit": "", "dirty": False}] * 2
    assert capfd.readouterr().err == f"micromime: Runs are logged without a commit: {why}.\n"


def test_without_git_it_is_said_that_there_is_none(repository, monkeypatch, capfd):
    monkeypatch.setenv("PATH", str(repository))
    assert revision() == {"commit": "", "dirty": False}
    assert capfd.readouterr().err.endswith("without a commit: git is not installed; install it.\n")


@pytest.mark.parametrize("change", [no_repository, no_commit, another_user, another_repository])
def test_the_advice_helps(repository, change):
    """The very command that is printed, given to a shell."""
    change(repository)
    command = head()[1].split("`")[1]
    identity = "export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=b"
    subprocess.run(["sh", "-c", f"{identity}; {command}"], check=True, capture_output=True)
    assert len(head()[0]) == 40


@pytest.mark.parametrize("change", [no_repository, another_repository])
def test_dvc_is_not_begun_where_it_would_end_for_want_of_a_repository(repository, change):
    expect_repository()
    (repository / "dvc.yaml").write_text("stages: {}\n")
    (repository / ".dvc").mkdir()
    change(repository)
    with pytest.raises(
        Mistake, match=r"^DVC needs this folder to be in a repository of git.*; `git init .*` here makes"
    ):
        expect_repository()


def worktree(folder: Path) -> Path:
    git(folder, "worktree", "add", "--quiet", str(folder.parent / "tree"))
    return folder.parent / "tree"


def detached(folder: Path) -> Path:
    git(folder, "checkout", "--quiet", "--detach")
    return folder


def shallow(folder: Path) -> Path:
    git(folder.parent, "clone", "--quiet", "--depth", "1", f"file://{folder}", "shallow")
    return folder.parent / "shallow"


def submodule(folder: Path) -> Path:
    above = begun(folder.parent / "above")
    git(above, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(folder), "part")
    return above / "part"


def subfolder(folder: Path) -> Path:
    (folder / "a part").mkdir()
    (folder / "a part" / "params.yaml").write_text("")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "A part")
    return folder / "a part"


@pytest.mark.parametrize("made", [worktree, detached, shallow, submodule, subfolder])
def test_every_kind_of_checkout_has_its_commit_and_its_edits(repository, monkeypatch, made):
    monkeypatch.chdir(made(repository))
    expect_repository()
    assert revision() == {"commit": git(repository, "rev-parse", "HEAD"), "dirty": False}
    Path("params.yaml").write_text("seed: 1\n")
    assert revision()["dirty"]


def test_a_hook_that_means_another_repository_changes_nothing(repository, monkeypatch, tmp_path):
    commit, other = git(repository, "rev-parse", "HEAD"), begun(tmp_path / "other")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / ".git" / "index"))
    assert revision() == {"commit": commit, "dirty": False}


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

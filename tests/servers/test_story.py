"""The lines of docs/team.md, run word by word: what one clone has pushed the other pulls, and computes what is lost."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest
import told
from clones import IN_GIT, Ran, as_compiled, environment, git, module, ran, stages_in
from pages import blocks
from PIL import Image as Picture
from pipeline import BASE, Changed
from s3fs import S3FileSystem

pytestmark = [pytest.mark.ci, pytest.mark.xdist_group("dvc"), pytest.mark.timeout(3600)]

ARMS = ["base", "random", "adaptive", "random_2", "adaptive_2"]
GIT = {f"GIT_{who}_{what}": "a@b" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


class Story(NamedTuple):
    """Two clones of one repository, and what `make run` did in the second."""

    a: Path
    b: Path
    people: dict[str, dict[str, str]]
    page: str
    """The address of MLflow's page."""
    second: Ran
    told: list[tuple[str, str]]
    """What each command of docs/team.md, and then of docs/lineage.md, has said."""

    def does(self, who: str, *words: str) -> str:
        """Let somebody give a command of micromime."""
        return module(getattr(self, who), "micromime", *words, **self.people[who])


def lines_for_both(project: Path, site: Any) -> tuple[list[str], list[str]]:
    """The lines for both, on this machine's free ports; here a test's profile has its results in git, too."""
    (told,) = blocks(project, "sh", having="team_server.py start", page="docs/team.md")
    block = told.text
    ports = f"--port {site.port} --s3-port {site.s3_port} --inner-port {site.inner_port}"
    here = {
        "--name lab": f"--name 127.0.0.1 {ports}",
        "http://lab:8333": f"http://127.0.0.1:{site.s3_port}",
        "git add --all": f"git add --force {' '.join(IN_GIT)} && git add --all",
    }
    for theirs, ours in here.items():
        assert block.count(theirs) == 1
        block = block.replace(theirs, ours)
    lines = [line.partition("  #")[0].rstrip() for line in block.splitlines()]
    teammate = next(n for n, line in enumerate(lines) if line.startswith("micromime remote login"))
    return lines[:teammate], lines[teammate:]


SAYS = "-- what this says:"


def give(who: Path, lines: list[str], **settings: object) -> list[str]:
    """Give lines to a shell in somebody's clone, and return what each says."""
    env = environment(who, PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}", **GIT, **settings)
    pipe, both = subprocess.PIPE, subprocess.STDOUT
    each = "\n".join(f"echo '{SAYS}'\n{line}" for line in lines)
    shell = subprocess.run(
        ["bash", "-e"], input=each, cwd=who, env=env, stdout=pipe, stderr=both, text=True, check=False
    )
    assert shell.returncode == 0, shell.stdout
    return shell.stdout.split(f"{SAYS}\n")[1:]


def with_our_environment(clone: Path) -> None:
    """Let `make run` find .venv made, and newer than what it is made from."""
    (clone / ".venv").symlink_to(sys.prefix)
    (clone / ".git" / "info" / "exclude").write_text(".venv\n")
    for name in ("requirements.lock", "pyproject.toml"):
        os.utime(clone / name, (0, 0))


@pytest.fixture(scope="module")
def home(team: ModuleType) -> Iterator[Path]:
    """Somebody's home, which PostgreSQL's user may enter where root runs the tests; its server is stopped after."""
    home = Path(tempfile.mkdtemp(prefix="home-"))
    home.chmod(0o755)
    try:
        yield home
    finally:
        if (home / "team" / "settings.json").exists():
            team.stop(home / "team", patience_s=3)
        shutil.rmtree(home)


@pytest.fixture(scope="module")
def story(project, team, home, changed: Changed) -> Story:
    """A, who has trained, starts the server, commits, tags and pushes; an object is lost; B clones and runs."""
    a, site = changed.ran.clone, team.Site.on_free_ports(home / "team")
    b, origin = a.parent / "b", a.parent / "origin.git"
    as_a, as_b = lines_for_both(project, site)
    git(a, "clone", "--quiet", "--bare", ".", str(origin))
    git(a, "remote", "add", "origin", str(origin))
    with_our_environment(a)
    by_a = give(a, as_a, HOME=home)
    assert stages_in("".join(by_a)) == []
    people = {name: login(team.add_user(home / "team", person)) for name, person in (("a", "eve"), ("b", "bob"))}
    lose(a / "data/synthetic/grain_boundaries/adaptive/shard-00000/images.npy", site, people["a"])
    git(a, "clone", "--quiet", str(origin), str(b))
    as_compiled(project, b)
    with_our_environment(b)
    by_b = give(b, as_b, **people["b"])
    second = ran(b, "".join(by_b))
    (page,) = blocks(project, "sh", having="team_server.py start", page="docs/team.md")
    said = [*zip(page.commands, by_a + by_b, strict=True), *later(a, people["a"])]
    return Story(a, b, people, f"http://127.0.0.1:{site.port}", second, said)


def later(clone: Path, person: dict[str, str]) -> list[tuple[str, str]]:
    """Give the commands of docs/lineage.md, and return what each says: first those that tag an edit, then the others.

    For `dvc diff` v1.0 is the version before the experiment, which has other data.
    """
    with (clone / "params.yaml").open("a") as params:
        params.write("# Another adaptive round.\n")
    lines = [line.replace("REVISION", "HEAD") for line in told.LATER_IN_THE_TEAM]
    lines = [line.replace("v1.0 HEAD", "HEAD~2 HEAD") for line in lines]
    return [*zip(told.LATER_IN_THE_TEAM, give(clone, lines, **person), strict=True)]


def login(lines: list[str]) -> dict[str, str]:
    return dict(line.removeprefix("export ").split("=", 1) for line in lines)


def lose(file: Path, site: Any, person: dict[str, str]) -> None:
    """Remove the object that holds a file from the storage."""
    keys = {"key": person["AWS_ACCESS_KEY_ID"], "secret": person["AWS_SECRET_ACCESS_KEY"]}
    storage = S3FileSystem(**keys, endpoint_url=f"http://127.0.0.1:{site.s3_port}", use_listings_cache=False)
    name = hashlib.md5(file.read_bytes()).hexdigest()
    storage.rm(f"dvc/micromime/files/md5/{name[:2]}/{name[2:]}")


def test_a_teammate_computes_nothing_but_what_was_lost(changed, story):
    lost = [f"resample_grain_boundaries@{name}" for name in ("adaptive", "adaptive_2")]
    assert story.second.stages in (lost[:1], lost)  # the second carries it on, and DVC pulls them in any order
    assert story.second.made == changed.ran.made


def test_every_command_says_what_the_pages_promise(story):
    promised = (
        told.BY_A_TEAM | told.LATER_IN_THE_TEAM | {"micromime publish": told.AFTER_THE_CYCLE["micromime publish"]}
    )
    assert promised.keys() == {each for each, _ in story.told}
    assert not {each: words for each, said in story.told if (words := told.missing(promised, each, said))}


def test_what_commands_leave_is_nothing_that_git_would_add(story):
    assert git(story.b, "status", "--porcelain") == ""
    assert git(story.a, "status", "--porcelain") == ""


def test_no_secret_of_theirs_is_in_git(story):
    history = git(story.b, "log", "--all", "--patch")
    local = (story.b / ".dvc" / "config.local").read_text()
    secrets = [value for key, value in story.people["b"].items() if "SECRET" in key]
    assert secrets
    assert all(secret in local for secret in secrets)
    passwords = [person["MLFLOW_TRACKING_PASSWORD"] for person in story.people.values()]
    assert not [secret for secret in secrets + passwords if secret in history]


def test_the_lineage_of_a_model_names_every_ancestor_and_tag(story):
    said = story.does("b", "lineage", "models/grain_boundaries/adaptive_2/run-001")
    for name in ("base", "adaptive", "adaptive_2", "scoring"):
        assert f"data/synthetic/grain_boundaries/{name}\n" in said
    for ancestor in (f"{BASE}/run-001", "data/scores/grain_boundaries/base.parquet", "first-model", "MLflow"):
        assert ancestor in said
    assert json.loads(story.does("b", "lineage", "--json", f"{BASE}/run-001"))


def test_the_page_of_the_shared_server_shows_the_arms(story, logged_in_page, monkeypatch, tmp_path):
    from mlflow import MlflowClient

    for variable, value in story.people["a"].items():
        monkeypatch.setenv(variable, value)
    client = MlflowClient()
    experiment = client.get_experiment_by_name("grain_boundaries").experiment_id
    arms = client.search_runs([experiment], "tags.`micromime.level` = 'arm'")
    assert sorted(arm.info.run_name for arm in arms) == sorted(ARMS)
    assert {arm.data.tags["micromime.git_tag"] for arm in arms} == {"first-model"}
    ada = [story.people["a"][f"MLFLOW_TRACKING_{what}"] for what in ("USERNAME", "PASSWORD")]
    with logged_in_page(f"{story.page}/#/experiments/{experiment}/runs", *ada) as page:
        assert page.texts_with({*ARMS}) >= {*ARMS, "grain_boundaries"}
        with Picture.open(page.picture(tmp_path / "mlflow.png")) as picture:
            assert len(picture.convert("L").getcolors()) > 100

"""README's lines for a team, run word by word: what one clone has pushed the other pulls, and computes what is new.

`make story` runs this alone, prints what each does, and keeps the picture of MLflow's page.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import NamedTuple
from urllib.parse import quote

import pytest
from clones import ARMS, CRACKS, VERDICT, Ran, committed, environment, git, kept_in_git, module, working_tree
from PIL import Image as Picture

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]  # two clones run the pipeline in one fixture

KEPT = [f"metrics/tiny/{name}" for name in ("runs", "planted_gap*", "ablation.*")]
"""What git has of other profiles besides the verdicts."""

GIT = {f"GIT_{who}_{what}": "a@b" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


class Story(NamedTuple):
    """Two clones of one repository, and what `make run` did in them."""

    a: Path
    b: Path
    people: dict[str, dict[str, str]]
    page: str
    """The address of MLflow's page."""
    first: Ran
    pulled: Ran
    second: Ran

    def does(self, who: Path, *words: str) -> str:
        """Let somebody give a command of micromime."""
        return module(who, "micromime", *words, **self.people[who.name])


def readmes_lines(project: Path, site) -> list[str]:
    """README's lines, on this machine's free ports; a test's profile has its results in git, too, as others have."""
    blocks = re.findall(r"^```sh\n(.*?)^```", (project / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    (block,) = [block for block in blocks if "team_server.py start" in block]
    ports = f"--port {site.port} --s3-port {site.s3_port} --inner-port {site.inner_port}"
    results = " ".join(f"{each} {each.with_suffix('.md')}" for each in (VERDICT, CRACKS))
    here = {
        "--name lab": f"--name 127.0.0.1 {ports}",
        "http://lab:8333": f"http://127.0.0.1:{site.s3_port}",
        "git add --all": f"git add --force {' '.join(KEPT)} {results} && git add --all",
    }
    for readmes, ours in here.items():
        assert block.count(readmes) == 1
        block = block.replace(readmes, ours)
    return [line.partition("  #")[0].rstrip() for line in block.splitlines()]


def give(who: Path, lines: list[str], **settings: object) -> str:
    """Give lines to a shell in somebody's clone, and return what they say."""
    env = environment(who, PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}", **GIT, **settings)
    print("\n".join(f"{who.name}$ {line}" for line in lines), flush=True)
    began = time.monotonic()
    pipe, both = subprocess.PIPE, subprocess.STDOUT
    shell = subprocess.run(
        ["bash", "-e"], input="\n".join(lines), cwd=who, env=env, stdout=pipe, stderr=both, text=True, check=False
    )
    assert shell.returncode == 0, shell.stdout
    print(f"  {len(Ran(who, shell.stdout).stages)} stages ran; {time.monotonic() - began:.0f} s", flush=True)
    return shell.stdout


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
def story(project, team, home, tmp_path_factory) -> Story:
    """A renders and trains, commits, tags and pushes; B pulls, changes a round, and pushes; A pulls."""
    folder, site = tmp_path_factory.mktemp("story"), team.Site.on_free_ports(home / "team")
    a, b, origin = folder / "a", folder / "b", folder / "origin.git"
    lines = readmes_lines(project, site)
    working_tree(project, a)
    committed(a, "the tiny profile")
    git(a, "clone", "--quiet", "--bare", ".", str(origin))
    git(a, "remote", "add", "origin", str(origin))
    with_our_environment(a)
    first = Ran(a, give(a, lines[:8], HOME=home))

    people = {name: login(team.add_user(home / "team", person)) for name, person in (("a", "eve"), ("b", "bob"))}
    git(a, "clone", "--quiet", str(origin), str(b))
    with_our_environment(b)
    pulled = Ran(b, give(b, lines[8:], **people["b"]))
    params = (b / "params.yaml").read_text()
    assert "fraction: 0.1" in params
    (b / "params.yaml").write_text(params.replace("fraction: 0.1", "fraction: 0.5", 1))
    second = Ran(b, give(b, lines[9:], **people["b"]))
    kept_in_git(b)
    give(b, ["git add --all && git commit --quiet --message 'Another round'"])
    give(b, ["micromime tag second-model && micromime push", "git push --quiet --tags origin HEAD"], **people["b"])

    git(a, "pull", "--quiet", "--ff-only", "--tags", "origin", "HEAD")
    give(a, ["micromime pull"], **people["a"])
    return Story(a, b, people, f"http://127.0.0.1:{site.port}", first, pulled, second)


def login(lines: list[str]) -> dict[str, str]:
    return dict(line.removeprefix("export ").split("=", 1) for line in lines)


def test_a_teammate_computes_nothing_that_is_pulled(story):
    assert len(story.first.stages) == 25
    assert story.pulled.stages == []
    for verdict in (VERDICT, CRACKS):
        assert (story.b / verdict.with_suffix("") / "report.html").exists()


def test_only_what_the_round_changes_is_computed(story):
    of_round = [f"{stage}_grain_boundaries@adaptive" for stage in ("resample", "finetune", "score_rounds")]
    after = [f"{stage}_grain_boundaries" for stage in ("judge", "explain", "report")]
    assert story.second.stages[0] == "check"  # which reads all of params.yaml
    assert sorted(story.second.stages[1:]) == sorted(of_round + after)
    assert story.second.all_trained == ["adaptive: 2 of 2"]


def test_the_first_clone_has_what_the_second_has_made(story):
    assert (story.a / VERDICT).read_bytes() == (story.b / VERDICT).read_bytes()
    weights = [Ran(clone, "").weights("adaptive") for clone in (story.a, story.b)]
    assert weights[0] == weights[1]
    assert len(weights[0]) == 2
    assert "up to date" in module(story.a, "dvc", "status")


def test_no_secret_of_theirs_is_in_git(story):
    history = git(story.b, "log", "--all", "--patch")
    local = (story.b / ".dvc" / "config.local").read_text()
    secrets = [value for person in story.people.values() for key, value in person.items() if "SECRET" in key]
    assert all(secret in local for secret in secrets)
    passwords = [person["MLFLOW_TRACKING_PASSWORD"] for person in story.people.values()]
    assert not [secret for secret in secrets + passwords if secret in history]


def test_the_lineage_of_the_new_model_names_every_ancestor(story):
    model = "models/grain_boundaries/adaptive/run-001"
    said = story.does(story.a, "lineage", model)
    print(said)
    for name in ("base", "adaptive", "scoring"):
        assert f"data/synthetic/grain_boundaries/{name}\n" in said
    for ancestor in ("models/grain_boundaries/base/run-001", "data/scores/grain_boundaries/base.parquet"):
        assert ancestor in said
    for name in ("first-model", "second-model"):
        commit = git(story.a, "rev-parse", f"{name}^{{commit}}").strip()
        assert commit[:7] in said
        assert name in said
    assert "MLflow" in said
    assert json.loads(story.does(story.a, "lineage", "--json", model))


def test_the_page_of_the_shared_server_shows_the_models_of_both(story, logged_in_page, monkeypatch):
    from mlflow import MlflowClient

    for variable, value in story.people["a"].items():
        monkeypatch.setenv(variable, value)
    client = MlflowClient()
    experiment = client.get_experiment_by_name("grain_boundaries").experiment_id
    arms = client.search_runs([experiment], "tags.`micromime.level` = 'arm'")
    assert sorted(arm.info.run_name for arm in arms) == sorted([*ARMS, "adaptive"])
    assert {arm.data.tags["micromime.git_tag"] for arm in arms} == {"first-model", "second-model"}
    query = quote(f"tags.micromime.comparison = '{arms[0].data.tags['micromime.comparison']}'")
    address = f"{story.page}/#/experiments/{experiment}/runs?searchFilter={query}"
    ada = [story.people["a"][f"MLFLOW_TRACKING_{what}"] for what in ("USERNAME", "PASSWORD")]
    with logged_in_page(address, *ada) as page:
        assert page.texts_with({*ARMS}) >= {*ARMS, "grain_boundaries"}
        kept = Path(os.environ.get("MICROMIME_STORY") or story.a.parent)
        kept.mkdir(parents=True, exist_ok=True)
        with Picture.open(page.picture(kept / "mlflow.png")) as picture:
            assert len(picture.convert("L").getcolors()) > 100

"""MLflow's word for where data comes from, and the way back to the data."""

import subprocess
from pathlib import Path

import pytest

from micromime.mistakes import Mistake
from micromime.project.versions import data_version

PIPELINE = """
stages:
  render:
    cmd: mkdir -p data/grains && cp seed.txt data/grains/images.txt
    deps: [seed.txt]
    outs: [data/grains]
"""


def git(*words: str) -> str:
    person = ("-c", "user.name=Ann", "-c", "user.email=ann@example.org")
    return subprocess.run(["git", *person, *words], check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project that DVC keeps; the working directory."""
    from dvc.repo import Repo

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    git("init", "--quiet")
    Repo.init().close()
    Path("dvc.yaml").write_text(PIPELINE)
    return tmp_path


def rendered(content: str) -> str:
    from dvc.repo import Repo

    Path("seed.txt").write_text(content)
    with Repo() as repo:
        repo.reproduce()
    return data_version("train", Path("data/grains"))["digest"]


def test_it_is_read_back_as_it_was_written():
    from micromime.tracking.dvc_source import DvcSource

    source = DvcSource("data/grains", "f.dir", "c" * 40)
    assert DvcSource.from_json(source.to_json()).to_dict() == {"path": "data/grains", "md5": "f.dir", "rev": "c" * 40}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # DVC's own, of its parser
def test_it_fetches_the_version_it_names_and_no_other(project):
    from micromime.tracking.dvc_source import DvcSource

    first = rendered("one")
    git("add", ".")
    git("commit", "--quiet", "--message", "Render")
    begun_at = git("rev-parse", "HEAD")
    second = rendered("two")  # not committed yet, as while a run goes on
    assert len(first) == len(second) == 36
    for md5, content in ((first, "one"), (second, "two")):
        folder = Path(DvcSource("data/grains", md5, begun_at).load(str(project / content)))
        assert (folder / "images.txt").read_text() == content
    with pytest.raises(Mistake, match=r"has other content than f\.dir"):
        DvcSource("data/grains", "f.dir", begun_at).load()

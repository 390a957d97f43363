"""What MLflow says of a run's data brings back that very version, whatever became of it since."""

import json
import shutil
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from stores import arm_json, stored
from team.conftest import ADAPTIVE, TILES, committed, dvc_keeps, git, write_data

from micromime.mistakes import Mistake
from micromime.project.versions import data_version, lock_at
from micromime.team.history import version_at
from micromime.team.lineage import lineage
from micromime.tracking.dvc_source import DvcSource
from micromime.tracking.publish import publish_arm
from micromime.tracking.store import OFFLINE


def seed(folder):
    return json.loads(Path(folder, "dataset.json").read_text())["seed"]


def moved(out, to):
    """Move what DVC keeps, in dvc.yaml and on disk, and commit that."""
    shutil.copytree(out, to, symlinks=True)
    shutil.rmtree(out)
    yaml, file = YAML(), Path("dvc.yaml")
    stages = yaml.load(file)
    for stage in stages["stages"].values():
        for key in ("deps", "outs"):
            stage[key] = [to if each == out else each for each in stage[key]]
    yaml.dump(stages, file)
    with Path(".gitignore").open("a") as ignored:
        ignored.write(f"/{to}\n")
    dvc_keeps(*stages["stages"])
    return committed(f"{out} is {to} now")


def told(name, path, arm):
    """Tell MLflow of an arm on a data set, as a stage does; return what it says of where that comes from."""
    from mlflow.data import get_source

    said = arm_json(arm, arm) | {"data": [data_version(name, Path(path))]}
    publish_arm(said | {"revision": {"commit": git("rev-parse", "HEAD"), "dirty": True}}, {})
    (run,) = stored("arm", f" and tags.`micromime.arm` = '{arm}'")
    (used,) = run.inputs.dataset_inputs
    return get_source(used.dataset)


@pytest.fixture
def here(project_copy, empty_store, monkeypatch):
    """The project with an empty store, to be changed."""
    shutil.copy(empty_store, "mlflow.db")
    monkeypatch.setenv(OFFLINE, "")
    return project_copy


@pytest.mark.usefixtures("here")
def test_data_committed_after_the_run_are_found_when_they_have_moved_on(tmp_path):
    write_data(ADAPTIVE, 7)
    dvc_keeps("resample")
    source = told("adaptive", ADAPTIVE, "first")
    assert seed(source.load(str(tmp_path / "not committed"))) == 7
    Path(ADAPTIVE, "dataset.json").write_text('{"seed": 77}')  # and DVC has not seen it
    assert seed(source.load(str(tmp_path / "edited"))) == 7
    dvc_keeps("resample")
    shutil.rmtree(ADAPTIVE)
    write_data(ADAPTIVE, 7)
    dvc_keeps("resample")
    committed("The run and its data")
    write_data(ADAPTIVE, 8)
    dvc_keeps("resample")
    committed("Other data")
    for place in (str(tmp_path / "moved on"), None, str(tmp_path)):
        folder = source.load(place)
        assert seed(folder) == 7
        assert place is None or Path(folder).is_relative_to(place)
    git("checkout", "--quiet", "--force", "v1")
    assert seed(source.load(str(tmp_path / "another branch"))) == 7


@pytest.mark.usefixtures("here")
def test_data_that_were_moved_are_found_by_old_runs_and_by_new_ones(tmp_path):
    part, now = f"{TILES}/32", "data/cut/tiles"
    specimens = Path(part, "dataset.json").read_text()
    before = told("32", part, "before")
    assert before.to_dict()["path"] == part
    moved(TILES, now)
    after = told("32", f"{now}/32", "after")
    for number, source in enumerate((before, after, DvcSource(part, before.md5, git("rev-parse", "HEAD")))):
        assert Path(source.load(str(tmp_path / f"{number}")), "dataset.json").read_text() == specimens
    found = lineage(f"{now}/32")["runs"]
    assert {(row["arm"], row["path"]) for row in found} >= {("after", f"{now}/32")}


@pytest.mark.usefixtures("here")
def test_a_version_that_nothing_has_is_told(tmp_path):
    begun = git("rev-parse", "HEAD")
    with pytest.raises(Mistake, match=r"No dvc\.lock, here or in a commit, has data/.* with the hash f\.dir"):
        DvcSource(ADAPTIVE, "f.dir", begun).load()
    version = version_at(ADAPTIVE)
    shutil.rmtree(".dvc/cache")
    with pytest.raises(Mistake, match=rf"{version.digest}\) is neither in DVC's cache nor to be had"):
        DvcSource(ADAPTIVE, version.digest, begun).load(str(tmp_path / "gone"))
    assert lock_at().outs[ADAPTIVE] == version.digest

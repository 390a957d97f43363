import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from micromime.cli import app
from micromime.datasets import store
from micromime.datasets.render import render_dataset
from micromime.mistakes import Mistake
from micromime.scenario.scenario import Drawn, Scenario


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


COUNT = 5


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr("micromime.datasets.render.SHARD_SIZE", 2)


def rendered(grains, tmp_path, name, count=COUNT, workers=1):
    instances = [grains.draw_one(0, index) for index in range(count)]
    out = tmp_path / name
    render_dataset(instances, {"use_case": "grain_boundaries"}, out, tmp_path / f"{name}.unfinished", workers)
    return contents(out)


def test_every_instance_is_rendered_in_its_place(grains, tmp_path):
    rendered(grains, tmp_path, "out")
    samples = store.Dataset(tmp_path / "out").samples
    assert samples["id"].tolist() == [f"{index:06d}" for index in range(COUNT)]
    assert samples["seed"].tolist() == [grains.draw_one(0, index).seed for index in range(COUNT)]


def test_bytes_do_not_depend_on_the_folder_or_the_day(grains, tmp_path):
    assert rendered(grains, tmp_path, "a", 4) == rendered(grains, tmp_path / "far", "b", 4)


def test_instances_are_drawn_shard_by_shard_and_are_those_of_a_list(grains, tmp_path, monkeypatch):
    """So that memory does not grow with their number."""
    listed = rendered(grains, tmp_path, "listed")
    drawn, held = Scenario.draw_one, []

    def draw_one(self, *of):
        held.append(of[1])
        return drawn(self, *of)

    def write(folder, first, *rest):
        assert max(held) < first + 2
        store.write_shard(folder, first, *rest)

    monkeypatch.setattr(Scenario, "draw_one", draw_one)
    monkeypatch.setattr("micromime.datasets.render.write_shard", write)
    of_set = Drawn(grains, 0, "instance", range(COUNT))
    render_dataset(of_set, {"use_case": "grain_boundaries"}, tmp_path / "lazily", tmp_path / "work")
    assert held == list(range(COUNT))
    assert contents(tmp_path / "lazily") == listed
    assert [each.seed for each in of_set[1:3]] == [grains.draw_one(0, index).seed for index in (1, 2)]


def test_unfinished_work_is_gone_on_with(grains, tmp_path, monkeypatch):
    whole = rendered(grains, tmp_path, "whole")
    write, written = store.write_shard, []

    def stop_at_third(folder, *rest):
        if folder.name == "shard-00002" and len(written) < 3:
            written.append(folder.name)
            raise KeyboardInterrupt
        written.append(folder.name)
        write(folder, *rest)

    monkeypatch.setattr("micromime.datasets.render.write_shard", stop_at_third)
    with pytest.raises(KeyboardInterrupt):
        rendered(grains, tmp_path, "stopped")
    assert not (tmp_path / "stopped").exists()
    assert rendered(grains, tmp_path, "stopped") == whole
    assert written == ["shard-00000", "shard-00001", "shard-00002", "shard-00002"]


def test_unfinished_work_for_something_else_is_begun_anew(grains, tmp_path, monkeypatch):
    monkeypatch.setattr("micromime.datasets.render.write_preview", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        rendered(grains, tmp_path, "out", 2)
    monkeypatch.undo()  # of small shards, too
    other = [grains.draw_one(1, index) for index in range(3)]
    render_dataset(other, {"use_case": "grain_boundaries", "seed": 1}, tmp_path / "out", tmp_path / "out.unfinished")
    assert store.Dataset(tmp_path / "out").samples["seed"].tolist() == [each.seed for each in other]


def test_parents_are_beside_their_samples_in_every_shard(grains, tmp_path):
    instances = [grains.draw_one(0, index) for index in range(5)]
    parents = ["000030", "", "000010", "000010", "000002"]
    identities = []
    for name, given in (("varied", parents), ("other", parents[::-1]), ("fresh", ())):
        render_dataset(instances, {"use_case": name}, tmp_path / name, tmp_path / "work", parents=given)
        samples = store.Dataset(tmp_path / name).samples
        assert samples["parent"].tolist() == ([*given] or [""] * 5)
        assert samples["id"].tolist() == [f"{index:06d}" for index in range(5)]
        assert samples["seed"].tolist() == [each.seed for each in instances]
        identities.append(store.identity(tmp_path / name))
    assert len(store.shards(tmp_path / "varied")) == 3
    assert len(set(identities)) == 3


def test_the_same_data_set_has_the_same_identity(grains, tmp_path):
    for name in "ab":
        rendered(grains, tmp_path, name, 3)
    assert store.identity(tmp_path / "a") == store.identity(tmp_path / "b")


def test_unfinished_work_of_another_renderer_is_begun_anew(grains, tmp_path, monkeypatch):
    monkeypatch.setattr("micromime.datasets.render.write_preview", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        rendered(grains, tmp_path, "out", 2)
    (shard,) = store.shards(tmp_path / "out.unfinished" / "dataset")
    (shard / "note").write_text("by an older one")
    with pytest.raises(ZeroDivisionError):
        rendered(grains, tmp_path, "out", 2)
    assert (shard / "note").exists()
    monkeypatch.setattr("micromime.datasets.render.RENDERER", 10**6)
    with pytest.raises(ZeroDivisionError):
        rendered(grains, tmp_path, "out", 2)
    assert not (shard / "note").exists()


def test_what_is_there_is_not_written_over(grains, tmp_path):
    (tmp_path / "out").mkdir()
    with pytest.raises(Mistake, match="out is there already; remove it or give another folder"):
        rendered(grains, tmp_path, "out", 2)


KILLED_AT_THE_SECOND = """
import os, signal
from micromime import cli
from micromime.datasets import render
render.SHARD_SIZE, write_shard = 2, render.write_shard
def stop(folder, *rest):
    if folder.name == "shard-00001":
        os.kill(os.getpid(), signal.SIGKILL)
    write_shard(folder, *rest)
render.write_shard = stop
cli.main()
"""


def test_killed_and_run_again_by_more_workers_gives_the_same_bytes(project, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    params = (project / "params.yaml").read_text()
    Path("params.yaml").write_text(re.sub(r"(?m)^( +(rows|cols):).*", r"\1 32", params))

    def words(workers, out):
        asked = f"render grain_boundaries --count {COUNT} --seed 0 --workers {workers} --params params.yaml --out {out}"
        return asked.split()

    killed = subprocess.run([sys.executable, "-c", KILLED_AT_THE_SECOND, *words(1, "again")], capture_output=True)
    assert killed.returncode == -signal.SIGKILL
    (begun,) = tmp_path.glob(".micromime/work/render/*/dataset")
    assert [each.name for each in store.shards(begun)] == ["shard-00000"]
    assert not Path("again").exists()
    for workers, out in ((2, "again"), (1, "whole")):
        app(words(workers, out), standalone_mode=False)
    assert contents(Path("again")) == contents(Path("whole"))
    assert not list(tmp_path.glob(".micromime/work/render/*"))

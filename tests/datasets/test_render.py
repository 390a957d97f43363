import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from micromime.datasets import store
from micromime.datasets.render import render_dataset
from micromime.mistakes import Mistake


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


COUNT = 23


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr("micromime.datasets.render.SHARD_SIZE", 10)


def rendered(grains, tmp_path, name, count=COUNT, workers=1):
    instances = [grains.draw_one(0, index) for index in range(count)]
    out = tmp_path / name
    render_dataset(instances, {"use_case": "grain_boundaries"}, out, tmp_path / f"{name}.unfinished", workers)
    return contents(out)


def test_bytes_do_not_depend_on_the_workers(grains, tmp_path):
    assert rendered(grains, tmp_path, "one") == rendered(grains, tmp_path, "two", workers=2)
    assert not list(tmp_path.glob("*.unfinished"))


def test_every_instance_is_rendered_in_its_place(grains, tmp_path):
    rendered(grains, tmp_path, "out")
    samples = store.Dataset(tmp_path / "out").samples
    assert samples["id"].tolist() == [f"{index:06d}" for index in range(COUNT)]
    assert samples["seed"].tolist() == [grains.draw_one(0, index).seed for index in range(COUNT)]


def test_bytes_do_not_depend_on_the_folder_or_the_day(grains, tmp_path):
    assert rendered(grains, tmp_path, "a", 4) == rendered(grains, tmp_path / "far", "b", 4)


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
        rendered(grains, tmp_path, "out", 3)
    monkeypatch.undo()  # of small shards, too
    other = [grains.draw_one(1, index) for index in range(3)]
    render_dataset(other, {"use_case": "grain_boundaries", "seed": 1}, tmp_path / "out", tmp_path / "out.unfinished")
    assert store.Dataset(tmp_path / "out").samples["seed"].tolist() == [each.seed for each in other]


def test_parents_are_beside_their_samples_in_every_shard(grains, tmp_path, monkeypatch):
    monkeypatch.setattr("micromime.datasets.render.SHARD_SIZE", 2)
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
        rendered(grains, tmp_path, "out", 3)
    (shard,) = store.shards(tmp_path / "out.unfinished" / "dataset")
    (shard / "note").write_text("by an older one")
    with pytest.raises(ZeroDivisionError):
        rendered(grains, tmp_path, "out", 3)
    assert (shard / "note").exists()
    monkeypatch.setattr("micromime.datasets.render.RENDERER", 10**6)
    with pytest.raises(ZeroDivisionError):
        rendered(grains, tmp_path, "out", 3)
    assert not (shard / "note").exists()


def test_what_is_there_is_not_written_over(grains, tmp_path):
    (tmp_path / "out").mkdir()
    with pytest.raises(Mistake, match="out is there already; remove it or give another folder"):
        rendered(grains, tmp_path, "out", 2)


def test_killed_and_run_again_gives_the_same_bytes(project, tmp_path):
    params = (project / "params.yaml").read_text()
    (tmp_path / "params.yaml").write_text(re.sub(r"(?m)^( +(rows|cols):).*", r"\1 32", params))

    def command(out, workers="1"):
        words = ["render", "grain_boundaries", "--count", "350", "--seed", "0", "--workers", workers]
        return [sys.executable, "-m", "micromime", *words, "--params", tmp_path / "params.yaml", "--out", out]

    def begun():
        return list(tmp_path.glob(".micromime/work/render/*/dataset/shard-00000"))

    quiet = {"stderr": subprocess.DEVNULL, "start_new_session": True, "cwd": tmp_path}
    killed = subprocess.Popen(command(tmp_path / "killed", "2"), **quiet)
    end = time.monotonic() + 300
    while not begun() and killed.poll() is None and time.monotonic() < end:
        time.sleep(0.01)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    assert begun()
    assert not (tmp_path / "killed").exists()
    for out in ("killed", "whole"):
        subprocess.run(command(tmp_path / out), check=True, capture_output=True, cwd=tmp_path)
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")

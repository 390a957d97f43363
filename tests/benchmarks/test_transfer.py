"""The benchmark of DVC's transfers: one small run over a real server, and what it makes of it."""

import json
import subprocess
import sys

import pytest


@pytest.mark.slow
def test_the_benchmark_moves_both_kinds_of_data(project, tmp_path):
    pytest.importorskip("noise", reason="the tiles come from benchmarks/render.py, which needs the package noise")
    command = [sys.executable, project / "benchmarks" / "transfer.py", "--remotes", "SSH", "--tiles", "40"]
    ended = subprocess.run([*command, "--out", tmp_path / "transfer.json"], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    result = json.loads((tmp_path / "transfer.json").read_text())
    shards, png = result["records"]
    assert (shards["data"], shards["files"], png["data"], png["files"]) == ("shards", 5, "PNG", 60)
    for verb in ("add", "push", "push_again", "clone_and_pull"):
        assert result["ratios"][0][verb] == png["seconds"][verb] / shards["seconds"][verb] > 0
    assert (tmp_path / "transfer.md").read_text() in ended.stdout
    assert {file.name for file in tmp_path.iterdir()} == {"transfer.json", "transfer.md"}

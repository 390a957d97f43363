"""The benchmark of DVC's transfers: one small run over a real server, and what it makes of it."""

import pytest
import transfer


@pytest.mark.slow
def test_the_benchmark_moves_both_kinds_of_data(tmp_path):
    pytest.importorskip("noise", reason="the tiles come from benchmarks/render.py, which needs the package noise")
    result = transfer.run(40, ["SSH"], tmp_path)
    shards, png = result["records"]
    assert (shards["data"], shards["files"], png["data"], png["files"]) == ("shards", 5, "PNG", 60)
    for verb in ("add", "push", "push_again", "clone_and_pull"):
        assert result["ratios"][0][verb] == png["seconds"][verb] / shards["seconds"][verb] > 0
    assert "| PNG | SSH |" in transfer.page(result)

"""What is said of peers that are there and of those that are not; their code is fetched by nobody here."""

import pytest

pytest.importorskip("noise", reason="the tiles come from benchmarks/render.py, which needs the package noise")

import peer_workloads
import peers

from docs.speed import beside_peers
from micromime.mistakes import Mistake


def test_a_peer_that_cannot_be_had_is_a_row_that_says_why():
    def gone():
        raise Mistake("no network")

    there = peers.Peer("one", "samples", lambda: {"per_second": 6.0}, lambda: {"per_second": 2.0})
    found = peers.rows([there, there._replace(name="other", theirs=gone)], 2)
    assert found[1] == {"name": "other", "what": "samples", "not_measured": "no network"}
    first, second = beside_peers(found).splitlines()[2:]
    assert first == "| one | samples | 2 | 6 | 3 (3 to 3) |"
    assert "| other | samples | not measured |" in second


@pytest.mark.slow
def test_both_loaders_give_all_tiles_but_for_the_last_batch(tmp_path, monkeypatch):
    peers.write_classes(tmp_path, 100)
    assert sorted(each.name for each in (tmp_path / "classes").iterdir()) == ["0", "1"]
    counted = []
    monkeypatch.setattr(peer_workloads, "rate", lambda work: counted.append(work(0)) or 1)
    for load in (peer_workloads.image_folder, peer_workloads.shards):
        load(tmp_path)
    assert counted == [peer_workloads.EPOCHS * 96] * 2

"""The numbers that decide whether a finished run still counts: none changes unless its version was raised."""

import pytest
from results import answered, golden, learnt

from micromime.training import weights
from micromime.training.weights import Published, lite0_weights

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("name", golden.KINDS)
def test_numbers_change_only_with_their_version(name):
    kind = golden.kind(name)
    assert not (said := golden.wrong(name, kind.numbers(), kind.members())), said


@pytest.mark.parametrize(
    ("name", "other"), [("LITE0_SHA256", "0" * 64), ("RESNET50", Published("https://a/b", "0" * 64))]
)
def test_other_imagenet_weights_void_the_records_of_all_runs(monkeypatch, name, other):
    """No record names them; what is pinned decides, so that no record fits a run that would begin with others."""
    there = lite0_weights()
    monkeypatch.setattr(weights, "lite0_weights", lambda: there)
    assert golden.wrong("learnt", {"imagenet": learnt.imagenet()}, set()) == ""
    monkeypatch.setattr(weights, name, other)
    said = golden.wrong("learnt", {"imagenet": learnt.imagenet()}, set())
    assert "SHA-256 was" in said
    assert "raise LEARNER" in said


@pytest.mark.slow
def test_large_networks_answer_the_same():
    assert not (said := golden.wrong("answered", answered.numbers(slow=True), answered.SLOW)), said


WRITTEN = {"version": 1, "numbers": {"a": {"x": 1.0, "sha": "0f"}, "b": {"x": 2.0}}}


@pytest.mark.parametrize(
    ("version", "numbers", "said"),
    [
        (1, {"a": {"x": 1.0 + 1e-8, "sha": "0f"}, "b": {"x": 2.0}}, ""),
        (1, {"a": {"x": 1.00001, "sha": "0f"}, "b": {"x": 2.0}}, "a: x was 1.0, is 1.00001.*raise RENDERER"),
        (1, {"a": {"x": 1.0, "sha": "00"}}, "a: sha was 0f, is 00"),
        (1, {"a": {"x": 1.0}}, "a: sha was 0f, is None"),
        (1, WRITTEN["numbers"] | {"c": {}}, "c has no golden number; write it by `python"),
        (2, WRITTEN["numbers"], "RENDERER is 2, the numbers are of 1: write them by"),
    ],
)
def test_what_is_said(monkeypatch, version, numbers, said):
    monkeypatch.setattr(golden, "written", lambda: {"rendered": WRITTEN})
    monkeypatch.setattr(golden.results, "RENDERER", version)
    found = golden.wrong("rendered", numbers, set())
    assert pytest.importorskip("re").search(said, found) if said else found == ""

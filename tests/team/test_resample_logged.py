"""A round rendered from a table that a run has logged: the table of the round's own parent."""

import json
from pathlib import Path

import pytest

from micromime.mistakes import Mistake
from micromime.stages import resample as command

DRAWN = {"seed": 2, "sampler": {"random_draws": {}}}
TREE = {"grain_boundaries": {"rounds": {"second": {"parent": "first", **DRAWN}, "first": {"parent": "base", **DRAWN}}}}


@pytest.fixture
def resampled(tmp_path, monkeypatch):
    """What was resampled, from which run's file; nothing is rendered, and MLflow is not asked."""
    monkeypatch.chdir(tmp_path)
    calls = []

    def fetch_logged(run_id, name, folder):
        (folder / name).write_text(json.dumps([run_id, name]))
        return folder / name

    def render_round(tree, which, table, out, workers):
        calls.append((tree, which, json.loads(table.read_text()), out, workers))

    monkeypatch.setattr(command, "fetch_logged", fetch_logged)
    monkeypatch.setattr(command, "render_round", render_round)
    return calls


@pytest.mark.parametrize(("name", "table"), [("first", "base.parquet"), ("second", "first.parquet")])
def test_the_table_is_that_of_the_rounds_parent(resampled, name, table):
    command.resample_logged(TREE, ("grain_boundaries", name), "run7", Path("new"), 3)
    assert resampled == [(TREE, ("grain_boundaries", name), ["run7", table], Path("new"), 3)]


def test_a_round_that_params_does_not_name_is_a_mistake(resampled):
    with pytest.raises(Mistake, match=r"^grain_boundaries\.rounds: 'third' is not known; use one of: first, second\.$"):
        command.resample_logged(TREE, ("grain_boundaries", "third"), "run7", Path("new"), 3)
    assert resampled == []

"""What is timed, and how it is said; and a real step or two."""

from itertools import product

import pytest
from train_speed import Timed, combinations, table, time_settings

from micromime.scenario.parameters import read_tree
from micromime.training.settings import TrainParameters


@pytest.fixture
def now(project):
    last = {"size_px": 32, "trainable": "all", "epochs": 1, "peak_rate": 0.001, "batch_size": 4}
    written = read_tree(project / "params.yaml")["grain_boundaries"]["train"]
    tuned = {"precision": "float32", "channels_last": True, "threads": 1, "runs": 2, "phases": [last]}
    return TrainParameters.model_validate(written | tuned | {"architecture": "small_unet"})


def test_the_table_has_each_speed_as_a_multiple_of_that_of_now(now):
    other, third = (now.model_copy(update={"threads": threads}) for threads in (2, 4))
    text = table([Timed(now, 2, 10), Timed(other, 1, 15.5), Timed(third, 1, 0, "out of memory")])
    first, second, last = (line.split() for line in text.splitlines()[1:])
    assert first == ["float32", "true", "1", "2", "10.00", "1.00", "<-", "now"]
    assert second == ["float32", "true", "2", "1", "15.50", "1.55"]
    assert last == ["float32", "true", "4", "out", "of", "memory"]
    assert table([Timed(now, 2, 0, "killed"), Timed(other, 1, 15.5)]).endswith(" 0.00")


def test_combinations_hold_all_and_begin_with_those_of_now(now):
    planned = combinations(now, {1, 4})
    values = {(each.precision, each.channels_last, each.threads) for each in planned}
    assert values == set(product(("float32", "bfloat16"), (True, False), (1, 4)))
    assert (planned[0], len(planned)) == (now, 8)


@pytest.mark.slow
def test_runs_are_timed_side_by_side_and_what_fails_is_told(now, monkeypatch):
    monkeypatch.setenv("MICROMIME_WORKERS", "2")
    assert time_settings(now, 0.2, 0)[1:3] > (2, 0.0)
    failed = time_settings(now.model_copy(update={"architecture": "unet_resnet5"}), 0.2, 0)
    assert failed.failed.startswith("Mistake: architecture: 'unet_resnet5' is not known")

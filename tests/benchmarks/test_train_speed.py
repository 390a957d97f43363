"""What is proposed after timing, and how it is said; and a real step or two."""

from itertools import product

import pytest
from ruamel.yaml import YAML
from train_speed import Timed, combinations, proposal, proposed, table, time_settings

from micromime.mistakes import Mistake
from micromime.scenario.parameters import read_tree
from micromime.training.settings import TrainParameters


@pytest.fixture
def now(project):
    last = {"size_px": 32, "trainable": "all", "epochs": 1, "peak_rate": 0.001, "batch_size": 4}
    written = read_tree(project / "params.yaml")["grain_boundaries"]["train"]
    tuned = {"precision": "float32", "channels_last": True, "threads": 1, "runs": 2, "phases": [last]}
    return TrainParameters.model_validate(written | tuned | {"architecture": "small_unet"})


def timed(now, speeds):
    """Made-up speeds of a run, by precision and channels_last, all with one thread and two runs."""
    both = product(("float32", "bfloat16"), (True, False))
    tried = [now.model_copy(update={"precision": p, "channels_last": last}) for p, last in both]
    return [Timed(each, 2, s, "" if s else "out of memory") for each, s in zip(tried, speeds, strict=True)]


@pytest.mark.parametrize(
    ("speeds", "precision", "last"),
    [
        ([10, 9, 10.9, 9], "float32", True),  # not 10 % faster
        ([10, 9, 16, 9], "bfloat16", True),
        ([10, 15, 14, 16], "float32", False),  # the fastest changes more, for less than 10 %
        ([10, 12, 15.5, 18], "bfloat16", False),
        ([0, 3, 0, 2], "float32", False),
    ],
)
def test_what_is_faster_is_proposed_with_the_fewest_changes_as_yaml(now, speeds, precision, last):
    found = timed(now, speeds)
    said = YAML(typ="safe").load("\n".join(proposal(found, "grains").splitlines()[1:]))["grains"]["train"]
    assert said == {"precision": precision, "channels_last": last, "threads": 1}
    assert table(found).splitlines()[1].endswith("<- now")


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
    with pytest.raises(Mistake, match=r"nothing could be timed \(Mistake: arch"):
        proposed([Timed(now, 2, 0, failed.failed)])

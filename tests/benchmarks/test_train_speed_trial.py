"""Trials side by side: they wait for one another, and whatever ends them is told, never raised."""

import pytest
from micromime.commands.trial import LOST, Timed, Trial, time_settings

from micromime.commands import trial
from micromime.mistakes import Mistake
from micromime.scenario.parameters import read_tree
from micromime.training.settings import TrainParameters

LAST = {"size_px": 32, "trainable": "head", "epochs": 1, "peak_rate": 0.001, "batch_size": 4}


@pytest.fixture
def settings(project, monkeypatch):
    """Of three runs, of which two go side by side."""
    monkeypatch.setenv("MICROMIME_WORKERS", "2")
    written = read_tree(project / "params.yaml")["grain_boundaries"]["train"]
    plain = {"architecture": "unet_efficientnet_lite0", "precision": "float32", "runs": 3, "threads": 1}
    return TrainParameters.model_validate(written | plain | {"phases": [LAST]})


@pytest.fixture
def two(settings, tmp_path):
    return [Trial(settings, 1.0, None, tmp_path, number, 2) for number in (0, 1)]


@pytest.fixture
def ending(monkeypatch):
    """Let the trials end with given answers instead of training; gives the trials. None: ended without an answer."""
    begun = []

    def given(*answers):
        def run_tasks(_work, trials, workers, shown):
            begun.extend(trials)
            assert workers == len(trials)
            for each, answer in zip(trials, answers, strict=True):
                if answer is None:
                    raise Mistake("A worker was ended from outside.")
                each.end(*answer)
            assert shown.done() == shown.total == len(trials)

        monkeypatch.setattr(trial, "run_tasks", run_tasks)
        return begun

    return given


def test_a_mark_is_reached_when_all_have_come_to_it(two):
    first, second = two
    assert not first.reach("warm")
    assert not second.reach("timed")
    assert second.reach("warm")
    assert first.reach("warm")


def test_one_that_has_ended_is_not_waited_for(two):
    first, second = two
    second.end(0, "no memory")
    assert first.reach("warm")
    assert (second.ended, second.answer, first.ended) == (True, (0, "no memory"), False)


def test_the_speed_is_the_mean_of_the_runs_side_by_side(settings, ending):
    begun = ending((3.0,), (5.0,))
    timed = time_settings(settings, 2.0, 0, "test")
    assert timed == Timed(settings, 2, 4.0)
    assert timed.machine_speed == 8
    assert [(each.number, each.count, each.seconds, each.patience_s) for each in begun] == [
        (0, 2, 2, None),
        (1, 2, 2, None),
    ]
    assert not begun[0].folder.exists()


def test_no_more_go_side_by_side_than_there_are_runs(settings, ending):
    begun = ending((3.0,))
    assert time_settings(settings.model_copy(update={"runs": 1}), 2.0, 0, "test").runs == 1
    assert len(begun) == 1


def test_patience_is_some_steps_of_the_fastest(settings, ending):
    begun = ending((3.0,), (5.0,))
    time_settings(settings, 2.0, 16, "test")
    assert begun[0].patience_s == 15 + 4 * 2 * 4 / 16  # two runs' batches of 4 at 16 images a second


@pytest.mark.parametrize(
    ("answers", "failed"),
    [([(3.0,), (0, "no memory")], "no memory"), ([(3.0,), None], LOST), ([(0, "too slow"), None], "too slow")],
)
def test_where_one_fails_all_have(settings, ending, answers, failed):
    ending(*answers)
    assert time_settings(settings, 2.0, 0, "test") == Timed(settings, 2, 0, failed)


@pytest.mark.slow
def test_two_processes_are_timed_together(settings):
    timed = time_settings(settings, 0.2, 0, "test")
    assert (timed.runs, timed.failed) == (2, "")
    assert timed.speed > 0


@pytest.mark.slow
def test_an_exception_in_a_run_is_told(settings):
    timed = time_settings(settings.model_copy(update={"architecture": "unet_resnet5"}), 0.2, 0, "test")
    assert (timed.speed, timed.runs) == (0, 2)
    assert timed.failed.startswith("Mistake: architecture: 'unet_resnet5' is not known")


@pytest.mark.slow
def test_the_hopeless_is_given_up(settings, monkeypatch):
    monkeypatch.setattr(trial, "GRACE_S", 0.001)
    timed = time_settings(settings, 0.2, 1e9, "test")
    assert timed.failed == "given up: still warming up after 0 s"

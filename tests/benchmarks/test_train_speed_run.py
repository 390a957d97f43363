"""How fast a run trains: the stopwatch on a made-up clock, and real steps of small networks."""

import numpy as np
import pytest

from micromime.scenario.parameters import read_tree
from micromime.training.settings import TrainParameters

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]

HEAD = {"size_px": 32, "trainable": "head", "epochs": 1, "peak_rate": "find", "batch_size": 2}
LAST = {"size_px": 64, "trainable": "all", "epochs": 1, "peak_rate": 0.001, "batch_size": 4}


@pytest.fixture
def settings(project):
    def made(**changed):
        written = read_tree(project / "params.yaml")["grain_boundaries"]["train"] | {"phases": [HEAD, LAST]}
        plain = {"architecture": "unet_efficientnet_lite0", "precision": "float32"}
        return TrainParameters.model_validate(written | plain | changed)

    return made


@pytest.fixture
def stopped(monkeypatch):
    """Time steps of a given length until the stopwatch ends the training: its result, the steps and the marks."""
    from fastai.callback.core import CancelFitException

    from micromime.training import speed

    def run(step_s, seconds, others=lambda _mark, _calls: True):
        clock, marks = [100.0], []

        def reach(mark):
            marks.append(mark)
            return others(mark, marks.count(mark))

        monkeypatch.setattr(speed, "_now", lambda: clock[0])
        stopwatch = speed.Stopwatch(seconds, reach)
        stopwatch.before_fit()
        for step in range(1, 100):
            clock[0] += step_s
            try:
                stopwatch.after_batch()
            except CancelFitException:
                return stopwatch.steps_per_second, step, marks
        raise AssertionError("it never ended")

    return run


def test_two_steps_warm_up_and_as_many_as_fill_the_time_are_timed(stopped):
    assert stopped(1.5, 4) == (3 / 4.5, 2 + 3, ["begun", "warm", "timed"])


def test_slow_steps_are_warm_after_one_and_timed_once(stopped):
    assert stopped(20, 4) == (1 / 20, 2, ["begun", "warm", "timed"])


def test_it_waits_until_all_are_warm_and_goes_on_until_all_are_timed(stopped):
    speed, steps, marks = stopped(1, 4, others=lambda _, calls: calls == 3)
    assert speed == 1
    assert steps == 2 + 4 + 2
    assert marks == ["begun", *["warm"] * 3, *["timed"] * 3]


def test_images_and_masks_are_random_and_of_the_phases_size():
    from micromime.training.speed import random_pairs

    from micromime.training.settings import Phase

    pairs = random_pairs(6, Phase(**LAST))
    assert (pairs.images.shape, pairs.images.dtype) == ((6, 64, 64), np.uint8)
    assert (pairs.masks.shape, pairs.masks.dtype) == ((6, 64, 64), np.bool_)
    assert len(np.unique(pairs.images)) == 256
    assert 0.4 < pairs.masks.mean() < 0.6


@pytest.fixture
def watched(settings, monkeypatch, tmp_path):
    """Time a few real steps: the speed, the kernels before and after, and the learner."""
    from micromime.training import speed

    def run(**changed):
        seen, whole = {}, speed.learner_for

        def learner_for(batches, network, *rest):
            seen["before"] = {name: value.clone() for name, value in network.state_dict().items() if value.ndim == 4}
            seen["learner"] = whole(batches, network, *rest)
            return seen["learner"]

        monkeypatch.setattr(speed, "learner_for", learner_for)
        monkeypatch.chdir(tmp_path)
        images_per_second = speed.training_speed(settings(**changed), 0.1, lambda _: True, tmp_path)
        after = seen["learner"].model.state_dict()
        changed_kernels = {name for name, value in seen["before"].items() if not value.equal(after[name])}
        return images_per_second, changed_kernels, set(seen["before"]), seen["learner"]

    return run


@pytest.mark.parametrize("channels_last", [True, False])
def test_whole_steps_of_the_last_phase_are_made_as_in_a_run(watched, tmp_path, channels_last):
    import torch

    images_per_second, changed, kernels, learner = watched(channels_last=channels_last)
    assert images_per_second > 0
    assert changed == kernels
    assert learner.dls.train.one_batch()[0].shape == (4, 3, 64, 64)
    stem = learner.model.encoder.model.conv_stem.weight
    assert stem.is_contiguous(memory_format=torch.channels_last) == channels_last
    assert not any("bfloat16" in str(callback).lower() for callback in learner.cbs)
    assert list(tmp_path.iterdir()) == []


def test_a_head_phase_leaves_the_body_and_bfloat16_is_used_where_asked(watched):
    _, changed, kernels, learner = watched(phases=[LAST, HEAD], precision="bfloat16")
    assert changed == {name for name in kernels if not name.startswith("encoder.")}
    assert any("bfloat16" in str(callback).lower() for callback in learner.cbs)

"""What a training is watched by: metrics of masks and of classes, as fastai has them."""

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]

SCORES = [[[[0.0, 2.0, 2.0, 2.0]], [[1.0, 1.0, 1.0, 3.0]]], [[[0.0, 0.0, 5.0, 5.0]], [[1.0, 1.0, 1.0, 1.0]]]]
"""(2, 2, 1, 4): boundary, grain, grain, boundary is found, and boundary twice in the second picture."""


def watched(metric, scores, truth):
    import torch

    from micromime.training.watched import averaged

    return averaged("metric", metric).func(torch.tensor(scores), torch.tensor(truth))


def test_masks_are_compared_picture_by_picture():
    shares = {(1, 0, 0, 1): 0.25, (1, 1, 0, 0): 0.75}
    found = watched(lambda mask, _: shares[tuple(map(int, mask.ravel()))], SCORES, [[[1, 0, 0, 0]], [[1, 1, 0, 0]]])
    assert found == 0.5


def test_undecided_pixels_are_in_neither_mask():
    seen = []
    truth = [[[255, 1, 0, 255]], [[255, 0, 255, 1]]]
    watched(lambda *pair: seen.append([each.ravel().tolist() for each in pair]) or 0, SCORES, truth)
    assert seen == [
        [[False, False, False, False], [False, True, False, False]],
        [[False, True, False, False], [False, False, False, True]],
    ]


def test_classes_are_compared_all_at_once():
    wrong = watched(lambda found, true: float((found != true).mean()), [[0.1, 0.9], [0.8, 0.2]], [1, 1])
    assert wrong == 0.5

"""Losses (cross entropy, which pays no heed to undecided pixels, and soft clDice, which asks for unbroken lines), and
what is learnt of a mask: where its lines run, whatever the pen.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import distance_transform_edt

from micromime.training.settings import TrainParameters

pytestmark = pytest.mark.usefixtures("one_thread")

BAR = np.zeros((5, 7), dtype=np.float32)
BAR[1:4] = 1
"""Three of five rows: its skeleton is the middle one."""
ROW = [np.float32(np.arange(5) == n)[:, None].repeat(7, axis=1) for n in range(5)]
"""Lines of 1 px along one of five rows, 7 px long."""


def tensor(*masks):
    """(n, 1, rows, cols) of (rows, cols)."""
    import torch

    return torch.tensor(np.stack(masks)[:, None])


def cl_dice(found, truth):
    from micromime.training.losses import soft_cl_dice

    return float(soft_cl_dice(tensor(found), tensor(truth == 1).float(), tensor(truth != 255)))


def skeleton(mask):
    from micromime.training.soft_skeleton import soft_skeleton

    return soft_skeleton(tensor(mask))[0, 0].numpy()


def random_lines(seed, rows=40, cols=56):
    """Three straight lines across a picture, 3 px wide."""
    rng, mask = np.random.default_rng(seed), np.zeros((rows, cols), np.float32)
    r, c = np.mgrid[:rows, :cols]
    for angle, row, col in zip(rng.uniform(0, np.pi, 3), rng.uniform(9, 30, 3), rng.uniform(9, 46, 3), strict=True):
        mask[np.abs((r - row) * np.cos(angle) - (c - col) * np.sin(angle)) < 1.5] = 1
    return mask


def loss_of(share, finds="mask"):
    from micromime.training import losses

    return losses.loss_of(TrainParameters.model_construct(cl_dice_share=share), finds)


def scores_and_truth(rows=24, cols=40):
    """Scores (2, 2, rows, cols) of lines and noise, and masks of the lines, as a network gives and learns them."""
    import torch

    truth = torch.tensor(np.stack([random_lines(1, rows, cols), random_lines(2, rows, cols)])).long()
    noise = torch.randn((2, 2, rows, cols), generator=torch.Generator().manual_seed(0))
    noise[:, 1] += 2 * truth - 1
    return noise.requires_grad_(True), truth


def test_the_skeleton_of_a_bar_is_its_middle_row():
    assert np.array_equal(skeleton(BAR), ROW[2])
    assert np.array_equal(skeleton(ROW[3]), ROW[3])
    assert not skeleton(np.zeros((5, 7), np.float32)).any()


def test_the_skeleton_of_half_a_probability_is_half():
    assert np.allclose(skeleton(BAR / 2), ROW[2] / 2)


@given(st.integers(0, 10**9))
def test_a_skeleton_lies_within_its_lines_and_is_thin(seed):
    mask = random_lines(seed)
    thin = skeleton(mask)
    assert set(np.unique(thin)) <= {0, 1}
    assert not (thin > mask).any()
    assert 0 < thin.sum() < 0.75 * mask.sum()
    assert distance_transform_edt(thin == 0)[mask > 0].max() < 4  # broken into pieces where lines run aslant


def test_masks_with_nothing_in_common_do_not():
    left, right = np.zeros((60, 80), np.float32), np.zeros((60, 80), np.float32)
    left[:, 10:13], right[:, 60:63] = 1, 1
    assert cl_dice(left, right) == pytest.approx(1 / 61)  # each skeleton has 60 px, and 1 is added above and below


@pytest.mark.parametrize(
    ("found", "share"),
    [
        (ROW[2], 1),  # all of it in the bar, and all of the bar's skeleton in it
        (ROW[1], 2 / 9),  # precision (7 + 1) / (7 + 1), sensitivity (0 + 1) / (7 + 1)
        (ROW[4], 1 / 8),  # both (0 + 1) / (7 + 1)
        (np.float32(ROW[2] * (np.arange(7) != 3)), 14 / 15),  # a gap of 1 px: 1 and 7 / 8
        (np.float32(BAR / 2), 18 / 25),  # (3.5 + 1) / (3.5 + 1) and (3.5 + 1) / (7 + 1)
    ],
    ids=["line", "side", "beside", "gap", "half"],
)
def test_by_hand_against_a_bar(found, share):
    assert cl_dice(found, BAR) == pytest.approx(share)


def test_it_does_not_matter_how_wide_lines_are():
    wide, narrow = np.zeros((60, 80), np.float32), np.zeros((60, 80), np.float32)
    wide[25:34], narrow[28:31] = 1, 1
    assert cl_dice(wide, narrow) == pytest.approx(1)
    assert cl_dice(narrow, wide) == pytest.approx(1)


def test_what_is_found_where_nothing_is_decided_does_not_count():
    wide, line = np.float32(ROW[1] + ROW[2] + ROW[3]), ROW[2].copy()
    sides = line + 255 * (ROW[1] + ROW[3])
    assert cl_dice(wide, sides) == pytest.approx(1)
    assert cl_dice(ROW[1], sides) == pytest.approx(2 / 9)  # precision (0 + 1) / (0 + 1), sensitivity (0 + 1) / (7 + 1)
    assert cl_dice(ROW[4], sides) == pytest.approx(1 / 8)


def test_a_gap_costs_more_than_a_missing_rim():
    truth = np.zeros((60, 80), np.float32)
    truth[27:32] = 1
    broken, thinner = truth.copy(), truth.copy()
    broken[:, 38:42], thinner[27] = 0, 0
    assert cl_dice(broken, truth) < cl_dice(thinner, truth) == pytest.approx(1)


def test_the_loss_of_what_is_right_for_certain_is_0():
    import torch

    truth = torch.tensor(random_lines(3)[None]).long()
    certain = 40.0 * torch.stack([1 - truth, truth], dim=1)
    assert float(loss_of(1.0)(certain, truth)) == pytest.approx(0, abs=1e-6)
    assert float(loss_of(1.0)(-certain, truth)) > 0.5


@pytest.mark.parametrize("share", [0.2, 0.9])
def test_the_share_mixes_the_two(share):
    scores, truth = scores_and_truth()
    truth[:, ::5] = 255
    mixed, cross, topology = (loss_of(each)(scores, truth).item() for each in (share, 0.0, 1.0))
    assert mixed == pytest.approx((1 - share) * cross + share * topology, rel=1e-5)
    assert cross != pytest.approx(topology, rel=1e-2)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.9])
def test_gradients_reach_every_picture_and_lower_the_loss(share):
    import torch

    scores, truth = scores_and_truth()
    loss = loss_of(share)
    before = loss(scores, truth)
    before.backward()
    assert torch.isfinite(scores.grad).all()
    assert (scores.grad.abs().amax(dim=(2, 3)) > 0).all()
    after = loss(scores.detach() - 0.1 * scores.grad / scores.grad.norm(), truth)
    assert after.item() < before.item()


def test_cross_entropy_is_the_mean_over_the_decided_pixels():
    import torch

    scores = torch.tensor([[[[0.0, 2.0, 0.0]], [[0.0, 0.0, 5.0]]]])  # (1, 2, 1, 3)
    truth = torch.tensor([[[1, 0, 255]]])
    expected = (np.log(2) + np.log(1 + np.exp(-2))) / 2
    assert float(loss_of(0.0)(scores, truth)) == pytest.approx(expected)


def test_what_is_said_of_undecided_pixels_changes_no_cross_entropy():
    import torch

    scores, truth = scores_and_truth()
    truth[:, :, ::3] = 255
    other = scores.detach().clone()
    other[:, :, :, ::3] = torch.randn_like(other[:, :, :, ::3])
    assert loss_of(0.0)(scores, truth).item() == loss_of(0.0)(other, truth).item()


def test_the_loss_by_what_a_network_finds():
    import torch
    from fastai.losses import CrossEntropyLossFlat

    assert isinstance(loss_of(0.0), CrossEntropyLossFlat)
    classes = loss_of(0.3, "class")  # has no lines to keep whole
    assert float(classes(torch.tensor([[0.0, 0.0]]), torch.tensor([1]))) == pytest.approx(np.log(2))


def target(mask):
    import torch

    from micromime.training.losses import centre_line

    return centre_line(torch.from_numpy(mask.astype(np.uint8))).numpy()


def row_line(width, rows=40, cols=60):
    """A line about row 20 from side to side, an odd number of pixels wide."""
    mask = np.zeros((rows, cols), np.bool_)
    mask[20 - width // 2 : 21 + width // 2] = True
    return mask


@given(arrays(np.bool_, (24, 40)))
def test_a_target_is_boundary_grain_or_undecided(mask):
    from micromime.training.losses import UNDECIDED

    found, before = target(mask), mask.copy()
    assert (found.shape, found.dtype) == ((24, 40), np.uint8)
    assert set(np.unique(found)) <= {0, 1, UNDECIDED}
    assert (1 in found) == mask.any()
    assert np.array_equal(mask, before)


def test_no_line_is_all_grain():
    assert not target(np.zeros((24, 40), np.bool_)).any()


def test_by_hand_across_a_line_of_one_pixel():
    # 1 px to both sides is boundary, up to 4 px undecided, and grain beyond.
    found = target(row_line(1))[:, 30]
    assert found[14:27].tolist() == [0, 0, 255, 255, 255, 1, 1, 1, 255, 255, 255, 0, 0]


def test_by_hand_about_one_pixel():
    mask = np.zeros((24, 40), np.bool_)
    mask[10, 20] = True
    rows, cols = np.mgrid[:24, :40]
    square = (rows - 10) ** 2 + (cols - 20) ** 2
    assert np.array_equal(target(mask), np.where(square <= 1, 1, np.where(square <= 16, 255, 0)))


@pytest.mark.parametrize("width", [3, 5, 9, 13])
def test_wide_lines_ask_for_the_same_as_narrow_ones(width):
    # Away from the ends, which a skeleton shortens by half of the width.
    assert np.array_equal(target(row_line(width))[:, 15:-15], target(row_line(1))[:, 15:-15])


@given(st.integers(0, 10**9))
def test_a_line_and_the_same_line_drawn_wider_never_contradict_each_other(seed):
    rng, (rows, cols) = np.random.default_rng(seed), np.mgrid[:60, :80]
    angle, row, col = rng.uniform(0, np.pi), rng.uniform(25, 35), rng.uniform(30, 50)
    away = np.abs((rows - row) * np.cos(angle) - (cols - col) * np.sin(angle))
    narrow, wide = (target(away <= half)[15:-15, 15:-15] for half in (1, 3))
    assert not ((narrow == 1) & (wide == 0)).any()
    assert not ((narrow == 0) & (wide == 1)).any()

"""What is learnt of a mask: where its lines run, whatever the pen."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from micromime.training.settings import Augmentation, Phase

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]


def target(mask):
    import torch

    from micromime.training.targets import centre_line

    return centre_line(torch.from_numpy(mask.astype(np.uint8))).numpy()


def row_line(width, rows=40, cols=60):
    """A line about row 20 from side to side, an odd number of pixels wide."""
    mask = np.zeros((rows, cols), np.bool_)
    mask[20 - width // 2 : 21 + width // 2] = True
    return mask


@given(arrays(np.bool_, (24, 40)))
def test_a_target_is_boundary_grain_or_undecided(mask):
    from micromime.training.targets import UNDECIDED

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


def pairs(masks, wanted):
    from micromime.training.loaders import Pairs, View

    view = View(Phase.model_construct(size_px=32), Augmentation.model_construct(), target=wanted)
    images = [np.uint8(200) - 100 * np.uint8(mask) for mask in masks]
    return Pairs(SimpleNamespace(images=images, masks=masks), np.arange(len(masks), dtype=np.int32), view)


def test_a_view_decides_what_pairs_hold():
    masks = [row_line(5, 32, 32), row_line(9, 32, 32)]
    plain, lines = pairs(masks, "mask"), pairs(masks, "centre_line")
    assert np.array_equal(plain.targets.numpy(), masks)
    assert np.array_equal(lines.targets.numpy(), [target(mask) for mask in masks])
    assert np.array_equal(plain.images.numpy(), lines.images.numpy())
    assert str(lines[0][1].dtype) == "torch.uint8"


def test_lines_are_those_of_the_mask_as_it_is_seen():
    # A line of 9 px in (64, 96) is 4.5 px wide in 32 rows: its target is made at that size.
    mask = np.zeros((64, 96), np.bool_)
    mask[28:37] = True
    seen, lines = pairs([mask], "mask").targets, pairs([mask], "centre_line").targets
    assert np.array_equal(lines[0].numpy(), target(seen[0].numpy()))
    assert (lines[0].numpy()[:, 16] == 1).sum() == 3

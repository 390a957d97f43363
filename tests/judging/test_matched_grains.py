import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from micromime.judging.matched_grains import match_grains

LABELS = arrays(np.uint16, (7, 11), elements=st.integers(0, 5))


def chessboard(rows=3, cols=4, height=5, width=8):
    """Rectangles, numbered row by row."""
    numbers = np.arange(1, rows * cols + 1, dtype=np.uint16).reshape(rows, cols)
    return numbers.repeat(height, axis=0).repeat(width, axis=1)


def test_what_is_the_same_matches():
    board = chessboard()
    assert match_grains(board, board) == {
        "n_found": 12,
        "n_true": 12,
        "n_matched": 12,
        "recall": 1,
        "precision": 1,
        "f1": 1,
        "matched_iou": 1,
    }


def test_two_grains_taken_for_one_match_none():
    merged = chessboard()
    merged[merged == 2] = 1
    matched = match_grains(merged, chessboard())
    assert (matched["n_found"], matched["n_true"], matched["n_matched"]) == (11, 12, 10)
    assert matched["recall"] == 10 / 12
    assert matched["precision"] == 10 / 11
    assert matched["f1"] == pytest.approx(2 * 10 / (11 + 12))
    assert matched["matched_iou"] == 1


@pytest.mark.parametrize(("shift", "ious"), [(1, [7 / 8, 8 / 9]), (3, [5 / 8, 8 / 11]), (4, [8 / 12]), (7, [8 / 15])])
def test_a_boundary_aside_lowers_the_iou(shift, ious):
    truth = chessboard(1, 2, 6, 8)
    found = np.ones_like(truth)
    found[:, 8 - shift :] = 2
    matched = match_grains(found, truth)
    assert matched["n_matched"] == len(ious)
    assert matched["matched_iou"] == pytest.approx(np.mean(ious))


def test_half_is_not_enough():
    truth = np.ones((2, 8), dtype=np.uint16)
    found = chessboard(1, 2, 2, 4)
    assert match_grains(found, truth)["n_matched"] == 0
    assert match_grains(found, truth)["matched_iou"] is None


def test_maps_without_grains():
    none, board = np.zeros((15, 32), dtype=np.uint16), chessboard()
    assert [match_grains(none, none)[key] for key in ("recall", "precision", "f1")] == [1, 1, 1]
    for pair in ((none, board), (board, none)):
        assert [match_grains(*pair)[key] for key in ("recall", "precision", "f1")] == [0, 0, 0]


@given(labels=LABELS)
def test_a_map_matches_itself(labels):
    assert match_grains(labels, labels.copy())["f1"] == 1


@given(found=LABELS, truth=LABELS, numbers=st.permutations(range(1, 60)))
def test_other_numbers_change_nothing(found, truth, numbers):
    renumbered = np.array([0, *numbers], dtype=np.uint16)
    assert match_grains(renumbered[found], truth) == pytest.approx(match_grains(found, truth))


@given(found=LABELS, truth=LABELS)
def test_scores_are_shares_and_change_sides_with_the_maps(found, truth):
    one, other = match_grains(found, truth), match_grains(truth, found)
    assert all(0 <= one[key] <= 1 for key in ("recall", "precision", "f1"))
    assert one["recall"] == other["precision"]
    assert one["f1"] == other["f1"]
    assert one["matched_iou"] is None or 0.5 < one["matched_iou"] <= 1
    assert one["n_matched"] <= min(one["n_found"], one["n_true"])


@given(found=LABELS, truth=LABELS)
def test_pairs_of_masks_find_the_same_slowly(found, truth):
    pairs = [(found == a, truth == b) for a in range(1, 6) for b in range(1, 6)]
    ious = [(a & b).sum() / (a | b).sum() for a, b in pairs if (a | b).any()]
    assert match_grains(found, truth)["n_matched"] == sum(iou > 0.5 for iou in ious)


def test_other_shapes_are_refused():
    with pytest.raises(ValueError, match="cannot match"):
        match_grains(chessboard(), chessboard().T)

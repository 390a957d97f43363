import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import gaussian_filter, label
from skimage.morphology import dilation

from micromime.judging.grain_size import grain_size, label_intercept_px
from micromime.judging.grains import LEAST_GRAIN_PX, ClosedGrains, close_grains, grains_of_mask, match_grains
from micromime.scenario.parameters import read_tree
from micromime.scenario.scenario import Scenario
from micromime.use_cases import instance_kind

SETTINGS = ClosedGrains()
LABELS = arrays(np.uint16, (7, 11), elements=st.integers(0, 5))


def network(width=3):
    """3 x 4 grains between lines, on 90 x 160 pixels."""
    mask = np.zeros((90, 160), dtype=bool)
    for offset in range(width):
        mask[[30 + offset, 60 + offset]] = True
        mask[:, [40 + offset, 80 + offset, 120 + offset]] = True
    return mask


def found(mask, rng=None):
    """What a network may make of a mask: soft lines, and noise if there is an rng."""
    soft = gaussian_filter(0.9 * mask.astype(np.float32), 1)
    return soft if rng is None else np.clip(soft + gaussian_filter(rng.normal(0, 0.1, mask.shape), 2), 0, 1)


def sides(labels):
    """The size of each grain's largest part that is connected through sides, as a share of the grain."""
    parts = [label(labels == number)[0] for number in np.unique(labels[labels > 0])]
    return [np.bincount(part.ravel())[1:].max() / (part > 0).sum() for part in parts]


@pytest.mark.parametrize("width", [1, 3, 10])
def test_grains_of_a_mask_meet_at_centre_lines_whatever_their_width(width):
    labels = grains_of_mask(network(width))
    assert (labels.shape, labels.dtype) == ((90, 160), np.uint16)
    assert sorted(np.unique(labels)) == list(range(1, 13))
    assert np.flatnonzero(np.diff(labels[10]))[1] == pytest.approx(80 + width / 2 - 1, abs=0.6)


def test_grains_of_a_mask_by_hand():
    mask = np.zeros((8, 17), dtype=bool)
    mask[:, 7:10] = True
    labels = grains_of_mask(mask)
    assert (labels[:, :8] == 1).all()
    assert (labels[:, 9:] == 2).all()
    assert set(labels[:, 8]) <= {1, 2}


@pytest.mark.parametrize(("rows", "kind"), [(1, np.uint16), (261, np.uint32)])
def test_a_picture_may_have_more_grains_than_16_bits_number(rows, kind):
    """Networks find as many in large pictures, and so do scratches: nothing may end over it after all training."""
    truth = np.ones((rows * 6, 252 * 6 + 1), dtype=bool)
    for row in range(5):
        for col in range(5):
            truth[row::6, col : 252 * 6 : 6] = False
    grains = grains_of_mask(truth)
    assert grains.dtype == kind
    assert grains.max() == rows * 252
    closed = close_grains(ClosedGrains(sigma_px=0), truth.astype(np.float32))
    assert match_grains(closed, grains)["f1"] == 1
    assert closed.dtype == kind
    assert grain_size(closed)["grains"] == rows * 252


@given(mask=arrays(np.bool_, (14, 22)))
def test_a_mask_has_the_grains_that_are_counted_elsewhere(mask):
    labels = grains_of_mask(mask)
    regions = np.bincount(label(~mask)[0][~mask])
    assert labels.max() == np.count_nonzero(regions >= LEAST_GRAIN_PX)
    assert (labels > 0).all() == (labels > 0).any()


def test_pockets_in_a_line_go_to_the_grains_beside_it():
    mask = network(12)
    mask[10:14, 82:88] = False
    assert (~mask[:20, 80:92]).sum() == LEAST_GRAIN_PX - 1
    assert grains_of_mask(mask).max() == 12


@pytest.mark.parametrize("make", [found, lambda mask: found(mask, np.random.default_rng(3))])
def test_lines_with_gaps_are_closed(make):
    broken = network()
    broken[45:50, 30:50] = broken[20:70, 98:102] = False
    closed = close_grains(SETTINGS, make(broken))
    assert grains_of_mask(broken).max() < 12
    assert match_grains(closed, grains_of_mask(network()))["n_matched"] == closed.max() == 12


def test_a_scratch_that_ends_in_a_grain_makes_no_grain():
    scratched = network()
    scratched[14:16, 58:66] = True
    assert close_grains(SETTINGS, found(scratched)).max() == 12


def test_no_boundary_or_nothing_else_is_one_grain():
    for value in (0, 0.3, 1):
        assert (close_grains(SETTINGS, np.full((20, 30), value, dtype=np.float32)) == 1).all()
    assert (grains_of_mask(np.zeros((20, 30), dtype=bool)) == 1).all()
    assert not grains_of_mask(np.ones((20, 30), dtype=bool)).any()
    assert not close_grains(SETTINGS, np.zeros((4, 6), dtype=np.float32)).any()


@given(probability=arrays(np.float32, (14, 22), elements=st.floats(0, 1, width=32)), sigma=st.sampled_from([0, 1, 3]))
def test_every_pixel_belongs_to_a_grain_that_is_large_and_hangs_together(probability, sigma):
    kept = probability.copy()
    labels = close_grains(ClosedGrains(sigma_px=sigma, least_grain_px=9), probability)
    assert (probability == kept).all()
    assert (labels > 0).all() == (labels > 0).any()
    assert set(np.unique(labels)) - {0} == set(range(1, labels.max() + 1))
    assert (np.bincount(labels.ravel())[1:] >= 9).all()
    assert all(share == 1 for share in sides(labels))


def test_more_depth_keeps_fewer_grains():
    probability = found(network(), np.random.default_rng(5))
    counts = [close_grains(ClosedGrains(sigma_px=1, depth=depth), probability).max() for depth in (0.002, 0.3, 0.85)]
    assert counts[0] > counts[1] == 12 > counts[2]


@pytest.mark.parametrize("ripple", [1e-12, 1e-6, 0.02])
def test_a_ripple_between_two_equal_depths_parts_no_grain(ripple):
    probability = found(network())
    probability[:, 20] += ripple
    assert close_grains(ClosedGrains(sigma_px=0), probability).max() == 12


@pytest.fixture(scope="module")
def samples(project):
    content = read_tree(project / "params.yaml")["grain_boundaries"]["scenario"] | {"rows": 144, "cols": 192}
    scenario = Scenario.read(instance_kind("grain_boundaries"), content, "scenario")
    return [scenario.draw_one(4, index).render() for index in range(12)]


def test_grains_of_rendered_masks_are_those_of_their_label_map(samples):
    """But for what lines cover at the border: those that leave room for a grain beside their lines."""
    matched = [match_grains(grains_of_mask(sample.mask), sample.labels) for sample in samples]
    visible = [np.count_nonzero(np.bincount(each.labels[~each.mask]) >= LEAST_GRAIN_PX) for each in samples]
    assert np.abs(np.subtract([each["n_found"] for each in matched], visible)).max() <= 1
    assert sum(each["n_matched"] for each in matched) >= 0.95 * sum(visible)
    assert np.mean([each["matched_iou"] for each in matched]) > 0.9


def test_soft_lines_of_rendered_masks_close_to_their_grains(samples):
    """Also where a tenth of the lines is missing, so that grains of the mask at a threshold run together."""
    rng, scores = np.random.default_rng(8), []
    for sample in samples:
        gaps = dilation(rng.random(sample.mask.shape) < 0.002, np.ones((7, 7)))
        probability, truth = found(sample.mask & ~gaps), grains_of_mask(sample.mask)
        masked, closed = grains_of_mask(probability > 0.5), close_grains(SETTINGS, probability)
        ratio = label_intercept_px(closed) / label_intercept_px(truth)
        scores.append((match_grains(masked, truth)["f1"], match_grains(closed, truth)["f1"], ratio))
    at_threshold, closed, ratio = np.mean(scores, axis=0)
    assert closed > 0.85
    assert at_threshold < closed - 0.2
    assert ratio == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize(
    "wrong", [np.zeros((3, 4, 5)), np.zeros((3, 4), dtype=np.uint8), np.full((3, 4), np.nan), np.full((3, 4), 1.1)]
)
def test_what_is_no_probability_is_refused(wrong):
    with pytest.raises(ValueError, match="probabilit"):
        close_grains(SETTINGS, wrong)


def test_a_mask_of_greys_is_refused():
    with pytest.raises(ValueError, match="must be boolean, not uint8"):
        grains_of_mask(np.full((20, 30), 255, dtype=np.uint8))


def chessboard(rows=3, cols=4, height=5, width=8):
    """Rectangles, numbered row by row."""
    numbers = np.arange(1, rows * cols + 1, dtype=np.uint16).reshape(rows, cols)
    return numbers.repeat(height, axis=0).repeat(width, axis=1)


def test_two_grains_taken_for_one_match_none():
    merged = chessboard()
    merged[merged == 2] = 1
    assert match_grains(merged, chessboard()) == {
        "n_found": 11,
        "n_true": 12,
        "n_matched": 10,
        "recall": 10 / 12,
        "precision": 10 / 11,
        "f1": pytest.approx(2 * 10 / (11 + 12)),
        "matched_iou": 1,
    }


@pytest.mark.parametrize(("shift", "ious"), [(1, [7 / 8, 8 / 9]), (3, [5 / 8, 8 / 11]), (4, [8 / 12]), (7, [8 / 15])])
def test_a_boundary_aside_lowers_the_iou(shift, ious):
    truth = chessboard(1, 2, 6, 8)
    moved = np.ones_like(truth)
    moved[:, 8 - shift :] = 2
    matched = match_grains(moved, truth)
    assert matched["n_matched"] == len(ious)
    assert matched["matched_iou"] == pytest.approx(np.mean(ious))


def test_half_is_not_enough():
    matched = match_grains(chessboard(1, 2, 2, 4), np.ones((2, 8), dtype=np.uint16))
    assert (matched["n_matched"], matched["matched_iou"]) == (0, None)


def test_maps_without_grains():
    none, board = np.zeros((15, 32), dtype=np.uint16), chessboard()
    assert [match_grains(none, none)[key] for key in ("recall", "precision", "f1")] == [1, 1, 1]
    for pair in ((none, board), (board, none)):
        assert [match_grains(*pair)[key] for key in ("recall", "precision", "f1")] == [0, 0, 0]


@given(prediction=LABELS, truth=LABELS, numbers=st.permutations(range(1, 60)))
def test_matches_are_found_slowly_too_change_sides_with_the_maps_and_do_not_care_for_numbers(
    prediction, truth, numbers
):
    one, other = match_grains(prediction, truth), match_grains(truth, prediction)
    pairs = [(prediction == a, truth == b) for a in range(1, 6) for b in range(1, 6)]
    ious = [(a & b).sum() / (a | b).sum() for a, b in pairs if (a | b).any()]
    assert one["n_matched"] == sum(iou > 0.5 for iou in ious)
    assert all(0 <= one[key] <= 1 for key in ("recall", "precision", "f1"))
    assert (one["recall"], one["f1"]) == (other["precision"], other["f1"])
    assert match_grains(truth, truth.copy())["f1"] == 1
    assert match_grains(np.array([0, *numbers], dtype=np.uint16)[prediction], truth) == pytest.approx(one)


def test_other_shapes_are_refused():
    with pytest.raises(ValueError, match="cannot match"):
        match_grains(chessboard(), chessboard().T)

"""The plain filling as an oracle of itself: where the answer is known, it finds it, and it copies and nothing else."""

import numpy as np
import plain_criminisi as plain
import pytest
from scipy.ndimage import binary_dilation

from micromime.partial_models.cracks.crack import Course, Crack, lost_light
from micromime.partial_models.surface.dictionary import Dictionary
from micromime.scenario.scenario import Scenario
from micromime.scenario.streams import stream
from micromime.use_cases.chip_cracks import ChipTile

SIDE, SEED, PATCH = 40, 12, 9
MIDDLE = np.s_[14:26, 14:26]


def test_it_copies_pixels_where_they_stand_in_a_patch_and_keeps_the_seed_patch():
    """Every pixel of every patch has a grey of its own, which says where in which patch it was."""
    count = 50
    patches = np.arange(PATCH * PATCH * count, dtype=np.float32).reshape(PATCH, PATCH, count)
    seed = -1 - stream(0, "seed").integers(9, size=(SEED, SEED)).astype(np.float32)
    tile = plain.plain_fill(seed, patches, SIDE)
    assert tile.shape == (SIDE, SIDE)
    assert (tile[MIDDLE] == seed).all()
    rows, cols = np.nonzero(tile >= 0)
    assert len(rows) == SIDE**2 - SEED**2  # so none is left as it was, and none was made up: all are whole numbers
    assert (tile == np.rint(tile)).all()
    assert tile.max() < patches.size
    down, right, patch = np.unravel_index(tile[rows, cols].astype(int), patches.shape)
    corners = np.stack([rows - down, cols - right])
    assert corners.min() >= -(PATCH // 2)
    assert corners.max() < SIDE - PATCH // 2
    laid = np.unique(np.stack([*corners, patch]), axis=1)
    assert len(np.unique(laid[:2], axis=1).T) == len(laid.T)  # one patch at a place


def test_a_picture_that_repeats_goes_on_as_it_is():
    row, col = np.indices((SIDE + 7, SIDE + 7))
    picture = (10 * (row % 5) + 50 * (col % 3) + (row % 5) * (col % 3)).astype(np.float32)
    patches = np.stack([picture[r : r + PATCH, c : c + PATCH] for r in range(5) for c in range(3)], axis=-1)
    tile = plain.plain_fill(picture[MIDDLE], patches, SIDE)
    np.testing.assert_array_equal(tile, picture[:SIDE, :SIDE])


def test_the_best_fit_is_over_the_pixels_that_are_there():
    patches = np.array([[[0, 9], [4, 9]], [[0, 1], [200, 0]]], dtype=np.float32)  # (2, 2, 2)
    wanted = np.array([[9, 9], [0, 0]], dtype=np.float32)
    assert plain.best_fit(patches, wanted, np.array([[True, True], [False, False]])) == 1
    wanted = np.array([[0, 4], [1, 7]], dtype=np.float32)
    assert plain.best_fit(patches, wanted, np.array([[True, True], [True, False]])) == 0


def test_edges_that_meet_the_front_come_first():
    """Half of what is known is dark, half bright: the line between them goes on, upright to a level front."""
    known, tile = np.zeros((30, 30), dtype=np.bool_), np.zeros((30, 30), dtype=np.float32)
    known[5:15, 5:25] = True
    tile[5:15, 15:25] = 255
    rows, cols = np.full(20, 15), np.arange(5, 25)
    data = plain.data_term(tile, known, rows, cols, 4)
    near = np.abs(cols - 14.5) < 5  # the line is in the window
    np.testing.assert_array_equal(data, np.where(near, 0.5, 0))
    row, col, trust = plain.most_urgent(tile, known.astype(float), known, ~known, 4)
    assert row in (4, 15)
    assert near[col - 5]
    assert trust == pytest.approx(36 / 81)


def test_the_line_lies_on_that_of_the_package():
    crack = Crack(
        segments=6,
        segment_px=14,
        segment_spread=0.5,
        bend_deg=19,
        bend_spread=0.5,
        return_share=0.7,
        direction_deg=20,
        width_px=5,
        depth=0.4,
        depth_spread=0,
        depth_correlation_px=13,
        taper_px=0,
    )
    corners = plain.plain_corners(crack, stream(1, "crack"))
    corners += [20, 5]
    assert len(corners) == 7
    width, depth = (np.full(7, each) for each in (crack.width_px, crack.depth))
    _, mask = lost_light(Course(corners, width, depth), 70, 96)
    line = plain.plain_line(corners, 5, 70, 96)
    assert mask.sum() > 200
    assert not (line & ~binary_dilation(mask, iterations=2)).any()
    assert not (mask & ~binary_dilation(line, iterations=2)).any()


def test_the_benchmarks_tiles_render_plainly(tmp_path):
    render = pytest.importorskip("render", reason="needs the package noise, which needs a compiler")
    rng = stream(0, "exemplars")
    patches, seeds, whole = (
        rng.integers(150, 200, size, np.uint8) for size in ((60, 17, 17), (2, 32, 32), (1, 64, 64))
    )
    gain = np.ones((64, 33), dtype=np.float32)
    Dictionary(patches, seeds, gain, whole).write(tmp_path / "dictionary.npz")
    content = {
        "rows": 64,
        "cols": 64,
        "exemplar_texture": {"dictionary": str(tmp_path / "dictionary.npz")},
        "crack": render.CRACK,
        "illumination": {},
    }
    scenario = Scenario.read(ChipTile, content, "scenario")
    intact, cracked = (plain.render_plain(scenario.draw_one(0, n), stream(n, "plain")) for n in range(2))
    assert intact[0].shape == cracked[0].shape == (64, 64)
    assert intact[0].min() >= 150
    assert not intact[1].any()
    assert cracked[1].any()
    assert cracked[0][cracked[1]].mean() < 0.9 * cracked[0][~cracked[1]].mean()

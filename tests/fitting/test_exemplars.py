import dataclasses

import numpy as np
import pytest

from micromime.fitting.exemplars import cut_dictionary
from micromime.mistakes import Mistake


def marked(tiles):
    """The tiles, but in which every pixel says where in the photograph it lies, and cracks are white."""
    grey = np.random.default_rng(0).integers(0, 250, (512, 512), np.uint8)
    seen = []
    for tile in tiles:
        rows, cols = tile.image.shape
        image = grey[tile.row : tile.row + rows, tile.col : tile.col + cols].copy()
        seen.append(dataclasses.replace(tile, image=np.where(tile.mask, 255, image).astype(np.uint8)))
    return seen, grey


def test_no_pixel_of_a_seed_patch_is_in_a_patch_though_tiles_overlap(gravel_tiles):
    tiles, grey = marked(gravel_tiles(10))
    cut = cut_dictionary(tiles, 400, np.random.default_rng(1))
    taken = np.zeros(grey.shape, dtype=bool)
    view = np.lib.stride_tricks.sliding_window_view(grey, (4, 4))
    places = {
        bytes(np.ascontiguousarray(view[r, c])): (r, c) for r in range(view.shape[0]) for c in range(view.shape[1])
    }
    for seed in cut.seeds:
        row, col = places[bytes(np.ascontiguousarray(seed[:4, :4]))]
        assert np.array_equal(grey[row : row + 32, col : col + 32], seed)
        taken[row : row + 32, col : col + 32] = True
    for patch in cut.patches:
        row, col = places[bytes(np.ascontiguousarray(patch[:4, :4]))]
        assert not taken[row : row + 17, col : col + 17].any()


def test_nothing_is_cut_from_a_crack_and_backgrounds_are_the_intact_tiles(gravel_tiles):
    tiles, _ = marked(gravel_tiles(10))
    cut = cut_dictionary(tiles, 400, np.random.default_rng(1))
    assert cut.patches.max() < 255
    assert cut.seeds.max() < 255
    assert np.array_equal(cut.backgrounds, [tile.image for tile in tiles if tile.label == "intact"])
    assert (cut.patches.shape, cut.gain.shape) == ((400, 17, 17), (128, 65))
    assert (cut.gain == 1).all()


def test_the_same_generator_cuts_the_same(gravel_tiles):
    one, other = (cut_dictionary(gravel_tiles(4), 100, np.random.default_rng(3)) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_without_an_intact_tile_there_is_no_surface(gravel_tiles):
    with pytest.raises(Mistake, match="No tile is without a crack"):
        cut_dictionary(gravel_tiles(4)[1::2], 100, np.random.default_rng(0))


def test_tiles_that_are_too_small_are_told(gravel_tiles):
    small = [
        dataclasses.replace(tile, image=tile.image[:30, :30], mask=tile.mask[:30, :30]) for tile in gravel_tiles(2)
    ]
    with pytest.raises(Mistake, match="no room for a seed patch"):
        cut_dictionary(small, 100, np.random.default_rng(0))

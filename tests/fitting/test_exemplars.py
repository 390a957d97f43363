import dataclasses

import numpy as np
import PIL.Image
import pytest

from micromime.fitting import exemplars
from micromime.fitting.exemplars import calibrated, cut_dictionary, spectrum, tiles_of, whole_photographs
from micromime.mistakes import Mistake
from micromime.partial_models.surface.dictionary import Dictionary
from micromime.partial_models.surface.exemplar_texture import Filler, strengthened
from micromime.stages.tile import write_tiles


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


@pytest.fixture(scope="module")
def dictionary(dictionary_file):
    return Dictionary.read(dictionary_file)


@pytest.fixture(scope="module")
def found(dictionary):
    """The calibrated dictionary, and another made the same way; of fewer tiles than in earnest."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exemplars, "TILES", 48)
        return [calibrated(dictionary, seed=0) for _ in range(2)]


def finished(dictionary, first):
    raw = Filler(dictionary).fill([np.random.default_rng(first + n) for n in range(60)])
    return np.stack([np.clip(np.rint(strengthened(tile, dictionary.gain)), 0, 255) for tile in raw])


def test_finished_tiles_have_the_spectrum_of_the_exemplars(dictionary, found):
    wanted = spectrum(dictionary.backgrounds.astype(float), 2.0)
    before, after = (np.log(spectrum(finished(each, 1000), 2.0) / wanted) for each in (dictionary, found[0]))
    assert np.abs(after).mean() < 0.5 * np.abs(before).mean()
    assert np.abs(after.mean()) < 0.25


def test_only_the_gain_changes_and_the_same_seed_gives_the_same(dictionary, found):
    found, same = found
    assert all(np.array_equal(a, b) for a, b in zip(found[:2], dictionary[:2], strict=True))
    assert found.gain.shape == dictionary.gain.shape
    assert found.gain.dtype == np.float32
    assert found.gain[0, 0] == 1  # the mean stays
    assert 0.25 <= found.gain.min() < found.gain.max() <= 4
    assert np.array_equal(same.gain, found.gain)


def test_the_spectrum_of_white_noise_is_flat_and_grows_with_its_square():
    noise = np.random.default_rng(0).standard_normal((200, 32, 48))
    flat, doubled = spectrum(noise, 1.0), spectrum(2 * noise, 1.0)
    assert flat.shape == (32, 25)
    assert flat[4:-4, 4:-4].std() / flat[4:-4, 4:-4].mean() < 0.1
    assert np.allclose(doubled, 4 * flat)


def test_tiles_come_back_as_they_were_written(gravel_tiles, tmp_path):
    write_tiles(gravel_tiles(6), tmp_path / "all", {"use_case": "chip_cracks", "classes": ["intact", "crack"]})
    for read, tile in zip(tiles_of(tmp_path / "all"), gravel_tiles(6), strict=True):
        one, other = (dataclasses.replace(each, image=None, mask=None) for each in (read, tile))
        assert one == other
        assert np.array_equal(read.image, tile.image)
        assert np.array_equal(read.mask, tile.mask)


def test_photographs_of_test_specimens_are_not_looked_at(tmp_path, gravel_tiles):
    write_tiles(gravel_tiles(4), tmp_path / "test", {"use_case": "chip_cracks"})  # part_00 and part_01
    lines = ["image,mask,group"]
    for n in range(4):
        PIL.Image.fromarray(np.full((30, 40), n, np.uint8)).save(tmp_path / f"{n}.png")
        lines.append(f"{n}.png,,part_{n:02d}")
    (tmp_path / "images.csv").write_text("\n".join(lines))
    kept = whole_photographs(tmp_path, tmp_path / "test")
    assert [int(image[0, 0]) for image, _ in kept] == [2, 3]

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from micromime.mistakes import Mistake
from micromime.partial_models.surface.dictionary import PATCH_PX, SEED_PX, Dictionary
from micromime.partial_models.surface.exemplar_texture import (
    MEAN_WEIGHT,
    SD_WEIGHT,
    ExemplarTexture,
    Filler,
    steps,
    strengthened,
    surfaces,
)


@pytest.fixture(scope="module")
def dictionary(dictionary_file) -> Dictionary:
    return Dictionary.read(dictionary_file)


@pytest.fixture(scope="module")
def filler(dictionary) -> Filler:
    return Filler(dictionary)


def rngs(*seeds: int) -> list[np.random.Generator]:
    return [np.random.default_rng(seed) for seed in seeds]


@pytest.mark.parametrize("side", [32, 33, 56, 57, 100, 128])
def test_every_pixel_is_laid_once_and_compared_only_where_something_lies(side):
    laid, canvas = steps(side)
    known = np.zeros((canvas, canvas), dtype=bool)
    first = (canvas - SEED_PX) // 2
    known[first : first + SEED_PX, first : first + SEED_PX] = True
    for step in laid:
        window = known[step.row : step.row + PATCH_PX, step.col : step.col + PATCH_PX]
        assert step.compared.any()
        assert not (step.compared & ~window).any()
        assert (step.weight[~window] == 1).all()
        window[:] = True
    assert known.all()
    assert side <= canvas < side + 24


def test_the_seed_patch_stays_in_the_middle(filler, dictionary):
    tile = filler.fill(rngs(3))[0]
    middle = tile[48 + 6 : 80 - 6, 48 + 6 : 80 - 6] + 128  # what patches do not overlap
    seeds = dictionary.seeds[:, 6:-6, 6:-6].astype(float)
    assert (seeds == middle).all(axis=(1, 2)).any()


@settings(max_examples=5)
@given(st.lists(st.integers(0, 10**9), min_size=2, max_size=7, unique=True))
def test_a_tile_alone_equals_the_same_tile_in_any_batch(filler, seeds):
    together = filler.fill(rngs(*seeds))
    backwards = filler.fill(rngs(*reversed(seeds)))[::-1]
    alone = np.concatenate([filler.fill(rngs(seed)) for seed in seeds])
    assert np.array_equal(together, alone)
    assert np.array_equal(together, backwards)
    assert np.array_equal(together, np.rint(together))


def plain_best(filler, block, tiles, step, wanted, earlier):
    """Return what `Filler._best` does: every patch of the block compared pixel by pixel, in whole numbers."""
    first, last = filler._ends[block : block + 2]
    patches = filler.dictionary.patches[first:last].astype(np.int64) - 128
    there = tiles[:, step.row : step.row + PATCH_PX, step.col : step.col + PATCH_PX].astype(np.int64)
    differences = ((patches[None] - there[:, None]) ** 2)[:, :, step.compared].sum(axis=2)
    moments = ((filler._moments[first:last][None] - wanted[:, None]).astype(np.int64) ** 2) @ (MEAN_WEIGHT, SD_WEIGHT)
    costs = (differences + moments).astype(float)
    for n in range(len(tiles)):
        costs[n, earlier[:, n] - first] = np.inf
    return first + costs.argmin(axis=1)


def texture(kind: str, count: int, side: int, rng: np.random.Generator):
    """Return (count, side, side) greys: smooth ones, as of surfaces, the worst there are, or hardly any, all alike."""
    noise = rng.standard_normal((count, side, side))
    if kind == "smooth":
        return np.clip(np.rint(150 + 60 * gaussian_filter(noise, (0, 1.5, 2.5))), 0, 255).astype(np.uint8)
    return np.where(noise > 0, 255, 0).astype(np.uint8) if kind == "worst" else np.where(noise > 2.5, 9, 8).astype("u1")


@pytest.mark.parametrize("kind", ["smooth", "worst", "alike"])
@pytest.mark.parametrize("count", [1, 7, 300, 4100])
def test_the_best_patch_is_that_of_comparing_every_pixel_of_every_patch(kind, count):
    rng = np.random.default_rng(count)
    patches, seeds = (texture(kind, *size, rng) for size in ((count, PATCH_PX), (8, SEED_PX)))
    filler = Filler(Dictionary(patches, seeds, np.ones((64, 33), np.float32), np.zeros((1, 64, 64), np.uint8)))
    tiles = texture(kind, 8, 80, rng).astype(np.float32) - 128
    wanted = filler._moments[rng.integers(count, size=8)]
    for number, step in enumerate(steps(64)[0][:40:3]):
        block = number % filler._blocks
        first, last = filler._ends[block : block + 2]
        earlier = np.zeros((0, 8), dtype=int)
        for _ in range(min(3, last - first)):  # the second best, and the third, without those before them
            found = filler._best(block, tiles, step, wanted, earlier)
            assert np.array_equal(found, plain_best(filler, block, tiles, step, wanted, earlier))
            earlier = np.concatenate([earlier, found[None]])


def test_a_tile_of_the_worst_greys_is_the_same_alone():
    rng = np.random.default_rng(0)
    patches, seeds = (texture("worst", *size, rng) for size in ((300, PATCH_PX), (2, SEED_PX)))
    filler = Filler(Dictionary(patches, seeds, np.ones((64, 33), np.float32), np.zeros((1, 64, 64), np.uint8)))
    assert np.array_equal(filler.fill(rngs(0, 1))[1], filler.fill(rngs(1))[0])


def test_the_best_patch_is_that_of_least_squared_difference(dictionary):
    filler, (laid, canvas) = Filler(dictionary), steps(128)
    step = laid[0]
    tiles = np.zeros((1, canvas, canvas), dtype=np.float32)
    wanted_patch = dictionary.patches[123].astype(np.float32) - 128
    tiles[0, step.row : step.row + PATCH_PX, step.col : step.col + PATCH_PX] = wanted_patch
    none = np.zeros((0, 1), dtype=int)
    found = filler._best(0, tiles, step, filler._moments[[123]], none)
    assert np.array_equal(dictionary.patches[found[0]][step.compared], dictionary.patches[123][step.compared])
    again = filler._best(0, tiles, step, filler._moments[[123]], np.array([[found[0]]]))
    assert again[0] != found[0]  # no patch comes twice in a tile


def test_no_patch_comes_twice_in_a_tile(dictionary, monkeypatch):
    filler, chosen = Filler(dictionary), []
    best = filler._best
    monkeypatch.setattr(filler, "_best", lambda *asked: chosen.append(best(*asked)) or chosen[-1])
    filler.fill(rngs(5))
    taken = [int(each[0]) for each in chosen]
    assert len(set(taken)) == len(taken) == len(steps(128)[0])


def test_a_gain_of_one_changes_nothing_and_the_mean_always_stays(filler):
    tile = filler.fill(rngs(1))[0]
    assert np.allclose(strengthened(tile, np.ones((128, 65), np.float32)), tile + 128, atol=1e-3)
    doubled = np.full((128, 65), 2, np.float32)
    doubled[0, 0] = 1
    stronger = strengthened(tile, doubled)
    assert stronger.mean() == pytest.approx(tile.mean() + 128, abs=1e-3)
    assert stronger.std() == pytest.approx(2 * tile.std(), rel=1e-4)


@pytest.mark.parametrize("way", ["filled", "phase_randomised", "white_noise", "cut"])
def test_every_way_gives_a_surface_like_the_exemplars(way, dictionary_file, dictionary):
    models = [ExemplarTexture(dictionary=str(dictionary_file), way=way)] * 12
    made = np.stack(surfaces(models, rngs(*range(12))))
    assert made.shape == (12, 128, 128)
    assert made.mean() == pytest.approx(dictionary.backgrounds.mean(), abs=8)
    assert made.std() == pytest.approx(dictionary.backgrounds.std(), rel=0.3)
    assert not np.array_equal(made[0], made[1])


def test_neighbours_of_other_ways_change_nothing(dictionary_file):
    filled, noise = (ExemplarTexture(dictionary=str(dictionary_file), way=way) for way in ("filled", "white_noise"))
    mixed = surfaces([noise, filled, noise], rngs(1, 2, 3))
    assert np.array_equal(mixed[1], surfaces([filled], rngs(2))[0])
    assert np.array_equal(mixed[2], surfaces([noise], rngs(3))[0])


def test_a_cut_surface_is_an_exemplar_as_it_is(dictionary_file, dictionary):
    (cut,) = surfaces([ExemplarTexture(dictionary=str(dictionary_file), way="cut")], rngs(0))
    assert (dictionary.backgrounds == cut).all(axis=(1, 2)).any()


def test_a_missing_dictionary_is_one_sentence(tmp_path):
    with pytest.raises(Mistake, match=r"nothing\.npz is not there; make it with `make run`"):
        surfaces([ExemplarTexture(dictionary=str(tmp_path / "nothing.npz"))], rngs(0))

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from micromime.mistakes import Mistake
from micromime.use_cases.chip_cracks import ChipTile


def digest(sample):
    return [hashlib.sha256(each.tobytes()).hexdigest() for each in (sample.image, sample.mask)]


@settings(max_examples=8)
@given(st.integers(0, 10**9))
def test_only_tiles_with_a_crack_have_a_mask(chips, seed):
    instances = [chips.draw_one(seed, index) for index in range(6)]
    assert [each.label for each in instances] == ["intact", "crack"] * 3
    for instance, sample in zip(instances, ChipTile.render_all(instances), strict=True):
        assert sample.image.dtype == np.uint8
        assert sample.image.shape == sample.mask.shape == (96, 112)
        assert sample.mask.any() == (instance.label == "crack")


def test_a_tile_is_the_same_alone_in_a_batch_and_from_its_row(chips):
    instances = [chips.draw_one(0, index) for index in range(8)]
    together = [digest(each) for each in ChipTile.render_all(instances)]
    assert [digest(each.render()) for each in instances] == together
    assert [digest(each) for each in ChipTile.render_all(instances[::-1])] == together[::-1]
    assert digest(ChipTile.from_row(instances[3].row()).render()) == together[3]


def test_a_crack_takes_light_from_the_very_surface_of_the_intact_tile(chips):
    cracked = chips.draw_one(0, 1)
    intact = cracked.model_copy(update={"label": "intact"})
    (with_crack, mask), without = (lambda s: (s.image.astype(int), s.mask))(cracked.render()), intact.render().image
    assert (with_crack <= without).all()
    assert (without[mask] - with_crack[mask]).min() >= 0
    assert (without[mask] - with_crack[mask]).mean() > 20
    far = np.ones_like(mask)
    far[np.flatnonzero(mask.any(axis=1)).min() - 16 : np.flatnonzero(mask.any(axis=1)).max() + 17] = False
    assert np.array_equal(with_crack[far], without[far])


def test_without_a_turn_the_class_is_drawn(chips):
    rng = np.random.default_rng(0)
    labels = [chips.draw(rng).label for _ in range(40)]
    assert 8 < labels.count("crack") < 32


def test_a_tile_larger_than_the_exemplars_is_told(chips):
    with pytest.raises(Mistake, match="A tile of 200 x 112 px is larger than the exemplars, 128 x 128 px"):
        chips.draw_one(0, 0).model_copy(update={"rows": 200}).render()


def test_a_crack_alone_is_the_one_on_the_tile(chips):
    cracked = chips.draw_one(0, 1)
    intact = cracked.model_copy(update={"label": "intact"})
    lost, mask = cracked.crack_alone()
    assert np.array_equal(mask, cracked.render().mask)
    left = intact.render().image * (1 - lost)
    assert np.abs(cracked.render().image - left).max() <= 1  # both are rounded
    assert not any(each.any() for each in intact.crack_alone())

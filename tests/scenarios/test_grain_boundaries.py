import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from micromime.mistakes import Mistake
from micromime.partial_models.white_noise import WhiteNoise
from micromime.scenarios.grain_boundaries import GrainMicrograph, numbered


def digest(sample):
    return [hashlib.sha256(each.tobytes()).hexdigest() for each in (sample.image, sample.mask, sample.labels)]


@given(st.integers(0, 10**9))
def test_a_sample_is_whole(grains, seed):
    sample = grains.draw_one(seed, 0).render()
    assert (sample.image.dtype, sample.mask.dtype, sample.labels.dtype) == (np.uint8, np.bool_, np.uint16)
    assert sample.image.shape == sample.mask.shape == sample.labels.shape == (72, 96)
    count = sample.labels.max()
    assert np.array_equal(np.unique(sample.labels), np.arange(1, count + 1))


@given(st.integers(0, 10**9))
def test_the_same_instance_gives_the_same_bytes(grains, seed):
    instance = grains.draw_one(seed, 3)
    before = instance.model_dump_json()
    assert digest(instance.render()) == digest(instance.render())
    assert instance.model_dump_json() == before


def test_another_noise_leaves_geometry_alone(grains):
    quiet = grains.draw_one(0, 0).model_copy(update={"white_noise": WhiteNoise(sd_grey=0)})
    loud = quiet.model_copy(update={"white_noise": WhiteNoise(sd_grey=40)})
    assert digest(quiet.render())[1:] == digest(loud.render())[1:]
    assert not np.array_equal(quiet.render().image, loud.render().image)


def test_boundaries_are_darker_than_grains(grains):
    darker = []
    for index in range(20):
        sample = grains.draw_one(1, index).render()
        darker.append(sample.image[sample.mask].mean() < sample.image[~sample.mask].mean())
    assert all(darker)


def test_the_frame_cannot_be_seen(grains):
    # Over many images, the outermost pixels are as bright and as often boundary as those inside.
    samples = [grains.draw_one(2, index).render() for index in range(300)]
    for stack in (np.mean([s.mask for s in samples], axis=0), np.mean([s.image for s in samples], axis=0)):
        inside = stack[12:-12, 12:-12]
        rims = [stack[0], stack[-1], stack[:, 0], stack[:, -1]]
        wide = 0.12 * inside.mean()  # light falls towards the rim, and a mean over 300 images varies
        assert all(abs(rim.mean() - inside.mean()) < wide for rim in rims)


def test_the_pixels_stay_what_they_were():
    # Data sets are rebuilt from their rows: a change here is a new version of micromime, and goes into CHANGELOG.md.
    fixed = GrainMicrograph(
        rows=60,
        cols=84,
        seed=0,
        grain_structure={"diameter_px": 22, "relaxation_steps": 2, "size_spread": 0.3},
        grain_boundaries={"waviness": 0.07, "thickness_px": 3.3, "darkness": 0.7, "darkness_spread": 0.1},
        grain_shades={"mean_grey": 160, "contrast_grey": 20},
        perlin_texture={"amplitude_grey": 20, "wavelength": 0.4},
        illumination={"gradient": 0.1, "direction_deg": 30, "vignette": 0.2},
        white_noise={"sd_grey": 9},
        gaussian_blur={"kernel_px": 5},
    )
    assert [each[:12] for each in digest(fixed.render())] == ["6e4484ed9fa8", "aff48a5844f6", "cca0449e28dd"]


def test_more_grains_than_labels_is_said():
    crowded = np.arange(70_000, dtype=np.int32).reshape(200, 350)
    with pytest.raises(Mistake, match="would hold 70000 grains; 65535 fit a label map: use larger grains"):
        numbered(crowded, 70_000)


def test_grains_are_numbered_without_gaps_in_the_order_of_their_nuclei():
    assert numbered(np.array([[7, 7, 2], [9, 2, 2]], np.int32), 12).tolist() == [[2, 2, 1], [3, 1, 1]]

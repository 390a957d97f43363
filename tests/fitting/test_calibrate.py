import numpy as np
import pytest

from micromime.fitting.exemplars import calibrated, spectrum
from micromime.partial_models.surface.dictionary import Dictionary
from micromime.partial_models.surface.exemplar_texture import Filler, strengthened


@pytest.fixture(scope="module")
def dictionary(dictionary_file):
    return Dictionary.read(dictionary_file)


@pytest.fixture(scope="module")
def found(dictionary):
    return calibrated(dictionary, seed=0)


def finished(dictionary, first):
    raw = Filler(dictionary).fill([np.random.default_rng(first + n) for n in range(60)])
    return np.stack([np.clip(np.rint(strengthened(tile, dictionary.gain)), 0, 255) for tile in raw])


def test_finished_tiles_have_the_spectrum_of_the_exemplars(dictionary, found):
    wanted = spectrum(dictionary.backgrounds.astype(float), 2.0)
    before, after = (np.log(spectrum(finished(each, 1000), 2.0) / wanted) for each in (dictionary, found))
    assert np.abs(after).mean() < 0.5 * np.abs(before).mean()
    assert np.abs(after.mean()) < 0.25


def test_only_the_gain_changes_and_the_same_seed_gives_the_same(dictionary, found):
    assert all(np.array_equal(a, b) for a, b in zip(found[:2], dictionary[:2], strict=True))
    assert found.gain.shape == dictionary.gain.shape
    assert found.gain.dtype == np.float32
    assert found.gain[0, 0] == 1  # the mean stays
    assert 0.25 <= found.gain.min() < found.gain.max() <= 4
    assert np.array_equal(calibrated(dictionary, seed=0).gain, found.gain)


def test_the_spectrum_of_white_noise_is_flat_and_grows_with_its_square():
    noise = np.random.default_rng(0).standard_normal((200, 32, 48))
    flat, doubled = spectrum(noise, 1.0), spectrum(2 * noise, 1.0)
    assert flat.shape == (32, 25)
    assert flat[4:-4, 4:-4].std() / flat[4:-4, 4:-4].mean() < 0.1
    assert np.allclose(doubled, 4 * flat)

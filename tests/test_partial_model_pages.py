"""What the pages of partial models say of one; test_extending.py has a new one's, and `make docs` makes all."""

import pytest

from docs.partial_models import Scene, Stage, kinds, page, picture, scenes_of, strips, unit, values_of
from micromime.partial_models.camera.gaussian_blur import GaussianBlur
from micromime.partial_models.camera.sensor import Sensor
from micromime.partial_models.grains.anisotropy import Anisotropy
from micromime.use_cases import instance_kind, use_cases


@pytest.fixture(scope="module")
def scenes(tmp_path_factory) -> list[Scene]:
    return scenes_of("grain_boundaries", tmp_path_factory.mktemp("work"))


@pytest.fixture
def stage(scenes):
    return lambda name, kind: Stage("grain_boundaries", name, kind, scenes)


def test_every_partial_model_of_every_use_case_has_a_page():
    assert {*kinds()} == {kind for name in use_cases() for kind in instance_kind(name).partial_models().values()}


def test_units_stand_in_names():
    names = ["width_px", "angle_deg", "sd_grey", "per_10000_px", "share"]
    assert [unit(name) for name in names] == ["px", "degrees", "grey levels", "per 10,000 px", ""]


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ("gamma", [0.525, 1.31, 2.1]),  # 0.8 to 1.3 in params.yaml, less than 2 to 1: to half and double of 1.05
        ("read_noise_grey", [0, 24, 48]),  # as in params.yaml
        ("black_grey", [0, 20, 40]),  # 0 to 20 of at most 120: three times as wide, but not below 0
        ("shot_noise", [0, 2, 4]),  # never drawn: the bounds
        ("jpeg_quality", [40, 70, 100]),
    ],
)
def test_values_are_those_that_are_drawn_or_can_be_seen(stage, key, shown):
    assert values_of(stage("sensor", Sensor), key, (0, 0.5, 1)) == pytest.approx(shown, abs=0.01)


def test_a_kernel_is_odd(stage):
    (strip,) = strips(stage("gaussian_blur", GaussianBlur))
    assert strip.values == [1, 5, 9]
    assert not strip.masks_alone
    assert picture(strip).size == (3 * 160 + 2 * 6, 160 + 18)


def test_a_hidden_parameter_is_shown_with_what_hides_it_raised_and_a_full_turn_not_at_its_ends(stage):
    given = stage("anisotropy", Anisotropy)
    stretch, direction = strips(given)
    assert (stretch.values, stretch.fixed) == ([1, 1.9, 2.8], Anisotropy())
    assert direction.values == [30, 90, 150]
    assert direction.fixed.stretch == 2.8
    assert "Here `stretch` is 2.8." in page(given, [given], [stretch, direction])

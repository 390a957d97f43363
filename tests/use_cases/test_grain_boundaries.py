import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from micromime.mistakes import Mistake
from micromime.partial_models.camera.white_noise import WhiteNoise
from micromime.scenario.parameters import read_tree
from micromime.scenario.scenario import Scenario
from micromime.use_cases.grain_boundaries import GrainMicrograph, numbered

FIXED = {
    **{"rows": 60, "cols": 84, "seed": 0},
    "grain_structure": {"diameter_px": 22, "relaxation_steps": 2, "size_spread": 0.3},
    "grain_boundaries": {"waviness": 0.07, "thickness_px": 3.3, "darkness": 0.7, "darkness_spread": 0.1},
    "grain_shades": {"mean_grey": 160, "contrast_grey": 20},
    "perlin_texture": {"amplitude_grey": 20, "wavelength": 0.4},
    "illumination": {"gradient": 0.1, "direction_deg": 30, "vignette": 0.2},
    "white_noise": {"sd_grey": 9},
    "gaussian_blur": {"kernel_px": 5},
}
"""An instance of the paper's partial models."""

OFF = {
    "anisotropy": {"stretch": 1, "direction_deg": 77},
    "merged_cells": {"share": 0, "most_cells": 9},
    "boundary_contrast": {"faint_share": 0, "faintness": 1},
    "twins": {"share": 0, "most_bands": 9, "contrast_grey": 99, "line_darkness": 1, "labelled": 1},
    "etch_residue": {"width": 0, "grey": 0, "raggedness_px": 9},
    "inclusions": {"per_10000_px": 0, "radius_px": 8, "darkness": 1},
    "scratches": {"per_100000_px": 0, "width_px": 6, "depth_grey": 99},
    "stains": {"sd_grey": 0, "wavelength_px": 20},
    "sensor": {"black_grey": 0, "white_grey": 255, "gamma": 1, "jpeg_quality": 100},
    "annotation": {"width_px": 0, "jitter_px": 0, "jitter_length_px": 9},
}
"""Every partial model beside the paper's, left out by its one parameter that says how much, whatever the others say."""

STYLES = ["clean_etch", "heavy_etch", "faint_lines", "shades_only", "twinned", "plain"]


@pytest.fixture(scope="module")
def of_style(project):
    """What gives the scenario of params.yaml with one of its styles alone, or with none: as in the paper."""
    content = read_tree(project / "params.yaml")["grain_boundaries"]["scenario"]

    def read(style, rows=72, cols=96):
        styles = {style: content["styles"][style] | {"weight": 1}} if style else {}
        return Scenario.read(GrainMicrograph, content | {"rows": rows, "cols": cols, "styles": styles}, "scenario")

    return read


def digest(sample):
    return [hashlib.sha256(each.tobytes()).hexdigest() for each in (sample.image, sample.mask, sample.labels)]


def rendered(**sections):
    """The sample of FIXED with these sections beside it, or in the place of some."""
    return GrainMicrograph(**FIXED | sections).render()


@given(st.integers(0, 10**9))
def test_a_sample_is_whole(grains, seed):
    sample = grains.draw_one(seed, 0).render()
    assert (sample.image.dtype, sample.mask.dtype, sample.labels.dtype) == (np.uint8, np.bool_, np.uint16)
    assert sample.image.shape == sample.mask.shape == sample.labels.shape == (72, 96)
    count = sample.labels.max()
    assert np.array_equal(np.unique(sample.labels), np.arange(1, count + 1))


def test_another_noise_leaves_geometry_alone(grains):
    quiet = grains.draw_one(0, 0).model_copy(update={"white_noise": WhiteNoise(sd_grey=0)})
    loud = quiet.model_copy(update={"white_noise": WhiteNoise(sd_grey=40)})
    assert digest(quiet.render())[1:] == digest(loud.render())[1:]
    assert not np.array_equal(quiet.render().image, loud.render().image)


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
    assert [each[:12] for each in digest(rendered())] == ["f8c1949224bf", "2b2762931b56", "9da7ad2759f1"]


@pytest.mark.parametrize("name", OFF)
def test_what_is_left_out_does_exactly_nothing(name):
    assert digest(rendered(**{name: {}})) == digest(rendered())
    assert digest(rendered(**{name: OFF[name]})) == digest(rendered())


def test_all_left_out_together_is_the_paper(of_style):
    drawn = of_style("").draw_one(3, 0)
    assert digest(rendered(**OFF)) == digest(rendered())
    assert set(OFF) == drawn.partial_models().keys() - FIXED.keys()
    assert all(getattr(drawn, name) == kind() for name, kind in drawn.partial_models().items() if name in OFF)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("boundary_contrast", {"faint_share": 0.5, "bright_share": 0.3, "fading": 0.5, "broken": 0.2}),
        ("twins", {"share": 1, "line_darkness": 0.5}),
        ("etch_residue", {"width": 0.3}),
        ("inclusions", {"per_10000_px": 20}),
        ("scratches", {"per_100000_px": 90}),
        ("stains", {"sd_grey": 20}),
        ("sensor", {"read_noise_grey": 9}),
    ],
)
def test_what_lies_on_the_grains_changes_nothing_but_the_picture(name, values):
    plain, changed = rendered(), rendered(**{name: values})
    assert digest(changed)[1:] == digest(plain)[1:]
    assert not np.array_equal(changed.image, plain.image)
    assert digest(changed) == digest(rendered(**{name: values}))


def test_annotation_changes_nothing_but_the_mask():
    plain, changed = rendered(), rendered(annotation={"width_px": 6, "jitter_px": 1})
    assert digest(changed)[::2] == digest(plain)[::2]
    assert changed.mask.mean() > 1.4 * plain.mask.mean()
    hidden = rendered(annotation={"least_contrast_grey": 60}, grain_shades={"mean_grey": 50, "contrast_grey": 9})
    assert not hidden.mask.any()  # no boundary takes away more than 60 of 50 grey levels
    assert hidden.labels.max() == plain.labels.max()


def test_merged_grains_are_whole_cells_without_a_boundary_within():
    plain, merged = rendered(), rendered(merged_cells={"share": 0.6, "most_cells": 3})
    pairs = np.unique(np.stack([plain.labels.ravel(), merged.labels.ravel()]), axis=1)
    assert pairs.shape[1] == plain.labels.max() > merged.labels.max()
    assert np.bincount(pairs[1]).max() <= 3
    gone = (plain.mask != merged.mask) & plain.mask
    assert gone.any()
    assert not (merged.mask & ~plain.mask).any()


@pytest.mark.parametrize("share", [0, 0.7])
def test_neighbours_differ_by_the_contrast_also_where_grains_are_merged(share):
    given = FIXED | {"merged_cells": {"share": share}, "perlin_texture": {"amplitude_grey": 0}}
    section = GrainMicrograph(**given)._section(60, 84)
    edges = section.boundaries.edges
    assert np.abs(section.shades[edges.left] - section.shades[edges.right]).mean() == pytest.approx(20)
    assert np.array_equal(section.grey, section.shades.astype(np.float32)[section.grains])


def test_labelled_twins_are_grains_with_boundaries_of_the_pens_width():
    twins = {"share": 1, "width": 0.3, "line_px": 2}
    plain = rendered(twins=twins)
    found = rendered(twins=twins | {"labelled": 1}, annotation={"width_px": 7})
    pairs = np.unique(np.stack([plain.labels.ravel(), found.labels.ravel()]), axis=1)
    assert pairs.shape[1] == found.labels.max() > plain.labels.max()  # each lies in one grain
    narrow = rendered(twins=twins | {"labelled": 1})
    pen = rendered(twins=twins, annotation={"width_px": 7})
    assert (found.mask & ~pen.mask).sum() > 2 * (narrow.mask & ~plain.mask & ~pen.mask).sum()
    assert digest(found)[0] == digest(narrow)[0] == digest(pen)[0] == digest(plain)[0]


@pytest.mark.parametrize(("least", "darkness", "drawn"), [(20, 0.1, False), (20, 0.5, True), (1, 0.1, True)])
def test_twins_whose_sides_hardly_differ_are_missing_in_the_mask(least, darkness, drawn):
    twins = {"share": 1, "contrast_grey": 0, "line_darkness": darkness, "labelled": 1}
    given = {"annotation": {"least_contrast_grey": least}, "grain_shades": {"mean_grey": 100, "contrast_grey": 0}}
    with_sides, without = (rendered(twins=twins | {"share": share}, **given) for share in (1, 0))
    assert (with_sides.mask.sum() > 1.2 * without.mask.sum()) == drawn


@pytest.mark.parametrize("section", [{}, {"twins": {"share": 1, "labelled": 1}}, {"anisotropy": {"stretch": 3}}])
@given(seed=st.integers(0, 10**9))
def test_labels_change_only_at_the_mask(section, seed):
    sample = rendered(seed=seed, **section)
    labels, mask = sample.labels, sample.mask
    assert not ((labels[:, 1:] != labels[:, :-1]) & ~(mask[:, 1:] | mask[:, :-1])).any()
    assert not ((labels[1:] != labels[:-1]) & ~(mask[1:] | mask[:-1])).any()


@pytest.mark.parametrize("style", STYLES)
def test_every_style_looks_alive(of_style, style):
    for index in range(4):
        instance = of_style(style, 120, 160).draw_one(7, index)
        sample = instance.render()
        assert instance.style == style
        assert sample.image.std() > 5
        assert 0.02 < sample.mask.mean() < 0.6
        assert sample.labels.max() > 2
        assert np.array_equal(np.unique(sample.labels), np.arange(1, sample.labels.max() + 1))


@pytest.mark.parametrize("style", STYLES)
def test_a_style_gives_the_same_bytes_again_also_from_its_row(of_style, style):
    instance = of_style(style).draw_one(7, 0)
    assert digest(instance.render()) == digest(GrainMicrograph.from_row(instance.row()).render())


def test_more_grains_than_labels_is_said():
    crowded = np.arange(70_000, dtype=np.int32).reshape(200, 350)
    with pytest.raises(Mistake, match="would hold 70000 grains; 65535 fit a label map: use larger grains"):
        numbered(crowded)


def test_grains_are_numbered_without_gaps_in_the_order_of_their_nuclei():
    assert numbered(np.array([[7, 7, 2], [9, 2, 2]], np.int32)).tolist() == [[2, 2, 1], [3, 1, 1]]

"""Stretch and jitter: how far they reach, along which axis, and that masks go with their images."""

from types import SimpleNamespace

import numpy as np
import pytest

from micromime.training.settings import Augmentation

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]

ASKED = {"rotation_deg": 45, "zoom": 1.3, "lighting": 0.3, "stretch": 1.3, "jitter_px": 1.5}
ROWS, COLS = 24, 72


@pytest.fixture(scope="module")
def drawn():
    """4,000 stretches by up to 1.5 as they are drawn: scale and shift along columns (0) and rows (1), and matrices."""
    import torch
    from fastai.torch_core import TensorImage, set_seed

    from micromime.training.augmentation import stretch_mat

    set_seed(0)
    matrices = stretch_mat(TensorImage(torch.zeros(4000, 1, 3, 5)), 1.5).numpy()
    return SimpleNamespace(scale=matrices[:, [0, 1], [0, 1]], shift=matrices[:, :2, 2], matrices=matrices)


def places(count):
    """A batch of images that hold the row (red) and the column (green) of every pixel, px."""
    import torch
    from fastai.torch_core import TensorImage

    rows, cols = torch.meshgrid(torch.arange(ROWS), torch.arange(COLS), indexing="ij")
    return TensorImage(torch.stack([rows, cols]).float().expand(count, 2, ROWS, COLS))


def moved(images, split_idx=0, seed=0, **settings):
    """Images and masks (the columns, whole numbers) after AffineCoordTfm, as numpy arrays."""
    from fastai.torch_core import TensorMask, set_seed
    from fastai.vision.augment import AffineCoordTfm

    set_seed(seed)
    masks = TensorMask(images[:, 1].long())
    out = AffineCoordTfm(align_corners=True, **settings)((images, masks), split_idx=split_idx)
    return tuple(np.asarray(each) for each in out)


def jittered(largest_px, **given):
    from micromime.training.augmentation import Jitter

    return moved(places(40), coord_fs=Jitter(largest_px), **given)


def test_a_stretch_is_of_one_axis_up_to_the_largest_about_a_quarter_has_none(drawn):
    ratio = 1 / drawn.scale
    assert ratio.min() >= 1 - 1e-6
    assert ratio.max(axis=0) == pytest.approx([1.5, 1.5], abs=0.01)
    stretched = ratio > 1
    assert not stretched.all(axis=1).any()
    assert stretched.mean(axis=0) == pytest.approx([0.375, 0.375], abs=0.025)
    mean = ratio[stretched].mean()
    assert mean == pytest.approx(1.25, abs=0.01)


def test_a_stretch_takes_no_pixel_from_beyond_the_image(drawn):
    reach = abs(drawn.scale) + abs(drawn.shift)  # where the outermost pixels, at -1 and 1, are taken from
    assert reach.max() <= 1 + 1e-6
    share = drawn.shift[drawn.scale < 1] / (1 - drawn.scale[drawn.scale < 1])
    assert np.histogram(share, 4, (-1, 1))[0] / len(share) == pytest.approx([0.25] * 4, abs=0.03)


def test_a_stretch_shifts_no_axis_that_it_leaves_and_neither_turns_nor_shears(drawn):
    assert not drawn.shift[drawn.scale == 1].any()
    assert not drawn.matrices[:, [0, 1], [1, 0]].any()
    assert (drawn.matrices[:, 2] == [0, 0, 1]).all()


def test_rows_and_columns_are_stretched_apart_on_an_image_that_is_not_square():
    from micromime.training.augmentation import stretch_mat

    images, _ = moved(places(40), aff_fs=lambda batch: stretch_mat(batch, 2), pad_mode="zeros")
    rows, cols = images[:, 0], images[:, 1]
    of_rows, of_cols = np.diff(rows, axis=1), np.diff(cols, axis=2)  # 1 px from pixel to pixel, less if enlarged
    np.testing.assert_allclose(of_rows, of_rows[:, :1, :1].repeat(ROWS - 1, 1).repeat(COLS, 2), atol=1e-3)
    np.testing.assert_allclose(of_cols, of_cols[:, :1, :1].repeat(ROWS, 1).repeat(COLS - 1, 2), atol=1e-3)
    enlarged = [1 / of_rows[:, 0, 0], 1 / of_cols[:, 0, 0]]
    assert all(1.8 < each.max() < 2.001 and each.min() > 0.999 for each in enlarged)
    assert (np.minimum(*enlarged) < 1.001).all()


def test_a_jitter_moves_pixels_up_to_the_largest_along_each_axis():
    images, _ = jittered(2.0)
    away = abs(images - np.asarray(places(40)))
    assert away.max(axis=(0, 2, 3)) == pytest.approx([2, 2], abs=0.1)
    assert away.max() <= 2
    moves = away[away.max(axis=(1, 2, 3)) > 0.01][:, :, 3:-3, 3:-3]  # nearer to the border they are reflected
    assert moves.mean(axis=(0, 2, 3)) == pytest.approx([1, 1], abs=0.05)
    assert 4 <= 40 - len(moves) <= 16


def test_neighbours_and_images_are_jittered_apart():
    images, _ = jittered(2.0)
    moves = (images - np.asarray(places(40)))[:, :, 3:-3, 3:-3]
    some = moves[abs(moves).max(axis=(1, 2, 3)) > 0.01]
    for one, other in ((some[:-1], some[1:]), (some[..., :-1], some[..., 1:]), (some[:, 0], some[:, 1])):
        assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.05


@pytest.mark.parametrize("largest_px", [0.4, 3.0])
def test_masks_are_jittered_with_their_images(largest_px):
    images, masks = jittered(largest_px)
    decided = abs(images[:, 1] % 1 - 0.5) > 0.01
    assert np.array_equal(masks[decided], np.rint(images[:, 1][decided]))
    assert (masks != np.arange(COLS)).any() == (largest_px > 0.5)


def test_in_validation_nothing_is_moved():
    from fasttransform import Pipeline

    from micromime.training.augmentation import augmentations

    images, masks = jittered(2.0, split_idx=1)
    np.testing.assert_allclose(images, places(40), atol=1e-4)
    assert (masks == np.arange(COLS)).all()
    images = places(4) / COLS
    left = Pipeline(augmentations(Augmentation(**ASKED)), split_idx=1)(images)
    np.testing.assert_allclose(left, images, atol=1e-5)


def square(count=8):
    import torch
    from fastai.torch_core import TensorImage

    return TensorImage(torch.rand(count, 3, 32, 32, generator=torch.Generator().manual_seed(1)))


def augmented(transforms):
    from fastai.torch_core import set_seed
    from fasttransform import Pipeline

    set_seed(0)
    return np.asarray(Pipeline(transforms, split_idx=0)(square()))


def test_without_stretch_and_jitter_it_is_fastais_own_list():
    from fastai.vision.augment import aug_transforms

    from micromime.training.augmentation import augmentations

    own = aug_transforms(flip_vert=True, max_rotate=45, max_zoom=1.3, max_lighting=0.3, max_warp=0)
    plain = augmented(augmentations(Augmentation(**ASKED | {"stretch": 1, "jitter_px": 0})))
    assert np.array_equal(plain, augmented(own))
    for changed in ({"stretch": 1}, {"jitter_px": 0}):
        assert not np.array_equal(plain, augmented(augmentations(Augmentation(**ASKED | changed))))


def test_all_that_moves_pixels_is_sampled_once():
    from fastai.vision.augment import AffineCoordTfm

    from micromime.training.augmentation import augmentations

    transforms = augmentations(Augmentation(**ASKED))
    assert [isinstance(each, AffineCoordTfm) for each in transforms] == [True, False]
    assert (transforms[0].mode, transforms[0].mode_mask) == ("bilinear", "nearest")
    assert len(transforms[0].aff_fs) == 4  # flips and quarter turns, rotation, zoom, stretch
    assert len(transforms[0].coord_fs) == 1

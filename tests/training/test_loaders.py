"""Batches: resized by areas, images and masks changed alike, validation left as it is; stretch and jitter by hand."""

from types import SimpleNamespace

import numpy as np
import pytest

from micromime.training.settings import Augmentation, Phase, TrainParameters

pytestmark = pytest.mark.usefixtures("one_thread")

MEAN, SD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
"""Of ImageNet's red, green and blue, as torchvision documents them."""

PLAIN = {"rotation_deg": 0, "zoom": 1, "lighting": 0, "stretch": 1, "jitter_px": 0}
STRONG = {"rotation_deg": 45, "zoom": 1.5, "lighting": 0, "stretch": 1, "jitter_px": 0}
EIGHT = np.arange(8, dtype=np.int32)


@pytest.fixture(scope="module")
def blobs():
    """Eight pictures of (72, 96) that are their own masks: a disc, a bar and a rim, none of them symmetric."""
    rows, cols = np.mgrid[:72, :96]
    pictures = []
    for n in range(8):
        disc = (rows - 20 - 2 * n) ** 2 + (cols - 60 + 3 * n) ** 2 < (10 + n) ** 2
        pictures.append(disc | (abs(cols - 15 - n) < 5) | (rows > 64))
    return SimpleNamespace(images=[np.uint8(255) * each for each in pictures], masks=pictures)


def made(dataset, asked, training=EIGHT, validation=EIGHT, batch_size=4, seed=1):
    """The loaders of one phase, with everything random begun anew."""
    import torch
    from fastai.torch_core import set_seed

    from micromime.training.loaders import loaders

    phase = Phase(size_px=64, trainable="all", epochs=1, peak_rate=0.1, batch_size=batch_size)
    set_seed(seed)
    settings = TrainParameters.model_construct(architecture="small_unet", augmentation=Augmentation(**asked))
    return loaders(dataset, (training, validation), settings, phase, torch.device("cpu"))


def batches(loader):
    """All images as greys from 0 to 1, (n, 3, rows, cols), and all masks, of one pass."""
    passed = [(images.numpy(), masks.numpy()) for images, masks in loader]
    images, masks = (np.concatenate(each) for each in zip(*passed, strict=True))
    return images * SD[:, None, None] + MEAN[:, None, None], masks


def pairs(dataset, indices, size_px, target="mask"):
    from micromime.training.loaders import Pairs

    settings = TrainParameters.model_construct(architecture="small_unet", target=target)
    return Pairs(dataset, np.array(indices, dtype=np.int32), settings, size_px)


def test_pixels_that_fall_together_are_averaged():
    image = np.array([[10, 20, 30, 40, 0, 0], [50, 60, 70, 80, 0, 9]], dtype=np.uint8).repeat(2, axis=0)
    dataset = SimpleNamespace(images=[image * 0, image], masks=[image > 0, image > 0])
    small = pairs(dataset, [1], 2)
    assert small.images.tolist() == [[[20, 13], [60, 30]]]  # means of 2 x 3 pixels: 20, 13.3, 60, 29.7
    assert str(small.images.dtype) == str(small.targets.dtype) == "torch.uint8"


def test_a_pixel_of_a_mask_is_true_from_half_of_its_area_on():
    mask = np.zeros((4, 6), dtype=bool)
    mask[0, :3] = True  # 3 of 6 pixels
    mask[0, 3:5] = True  # 2 of 6
    mask[2:, 4:] = True  # 4 of 6
    dataset = SimpleNamespace(images=[mask.astype(np.uint8)], masks=[mask])
    assert pairs(dataset, [0], 2).targets.tolist() == [[[1, 0], [0, 1]]]


def test_lines_to_learn_are_those_of_the_mask_as_it_is_seen():
    from micromime.training.losses import centre_line

    mask = np.zeros((64, 96), np.bool_)
    mask[28:37] = True  # a line of 9 px is 4.5 px wide in 32 rows
    dataset = SimpleNamespace(images=[np.uint8(200) - 100 * np.uint8(mask)], masks=[mask])
    seen, lines = (pairs(dataset, [0], 32, target) for target in ("mask", "centre_line"))
    assert np.array_equal(lines.targets[0], centre_line(seen.targets[0]))
    assert (lines.targets[0][:, 16] == 1).sum() == 3
    assert np.array_equal(lines.images, seen.images)


def test_pairs_are_the_samples_asked_for_untouched_where_they_fit():
    rng = np.random.default_rng(5)
    images = list(rng.integers(0, 256, (3, 32, 32), dtype=np.uint8))
    kept = pairs(SimpleNamespace(images=images, masks=[image > 99 for image in images]), [2, 0], 32)
    assert len(kept) == 2
    image, mask = kept[0]
    assert image.shape == (1, 32, 32)
    assert np.array_equal(image.numpy()[0], images[2])
    assert np.array_equal(mask.numpy(), images[2] > 99)
    assert np.array_equal(kept[1][0].numpy()[0], images[0])


def test_batches_have_one_size_and_two_classes(blobs):
    images, masks = next(iter(made(blobs, STRONG).train))
    assert (tuple(images.shape), str(images.dtype)) == ((4, 3, 64, 64), "torch.float32")
    assert (tuple(masks.shape), str(masks.dtype)) == ((4, 64, 64), "torch.int64")
    assert masks.unique().tolist() == [0, 1]


def test_augmentation_moves_masks_with_their_images(blobs):
    dls = made(blobs, STRONG)
    images, masks = (np.concatenate(each) for each in zip(*(batches(dls.train) for _ in range(4)), strict=True))
    decided = (images[:, 0] < 0.01) | (images[:, 0] > 0.99)  # elsewhere images hold means of both sides of an edge
    assert decided.mean() > 0.8
    assert np.array_equal(masks[decided], images[:, 0][decided] > 0.5)
    plain = pairs(blobs, EIGHT, 64).targets.numpy()
    left = [any(np.array_equal(mask, each) for each in plain) for mask in masks]
    assert sum(left) < len(left) / 4


def test_channels_stay_alike(blobs):
    images, _ = batches(made(blobs, STRONG | {"lighting": 0.5}).train)
    np.testing.assert_allclose(images, images[:, :1].repeat(3, axis=1), atol=1e-5)


def test_flips_alone_only_move_pixels(blobs):
    images, masks = batches(made(blobs, PLAIN, training=EIGHT[:4]).train)
    plain = pairs(blobs, EIGHT[:4], 64)
    greys, before = np.sort(images[:, 0].reshape(4, -1)), np.sort(plain.images.numpy().reshape(4, -1) / 255)
    np.testing.assert_allclose(np.sort(greys, axis=0), np.sort(before, axis=0), atol=1e-3)
    assert sorted(masks.sum((1, 2))) == sorted(plain.targets.numpy().sum((1, 2)))


def test_lighting_changes_images_and_leaves_masks(blobs):
    grey = SimpleNamespace(images=[np.uint8(100) + np.uint8(40) * each for each in blobs.masks], masks=blobs.masks)
    unlit, lit = (batches(made(grey, PLAIN | {"lighting": lighting}).train) for lighting in (0, 0.8))
    assert abs(unlit[0].mean((1, 2, 3)) - lit[0].mean((1, 2, 3))).max() > 0.05
    assert set(np.unique(lit[1])) == {0, 1}
    assert sorted(lit[1].sum((1, 2))) == sorted(unlit[1].sum((1, 2)))


@pytest.mark.parametrize("asked", [PLAIN, STRONG, PLAIN | {"lighting": 0.8}], ids=["flips", "turns", "light"])
def test_validation_is_every_image_as_it_is_in_order(blobs, asked):
    dls = made(blobs, asked, validation=EIGHT[:7])
    batches(dls.train)
    images, masks = batches(dls.valid)
    plain = pairs(blobs, EIGHT[:7], 64)
    np.testing.assert_allclose(images[:, 0], plain.images.numpy() / 255, atol=1e-5)
    assert np.array_equal(masks, plain.targets.numpy())


def test_a_network_that_is_asked_sees_a_picture_as_in_validation(blobs):
    import torch

    from micromime.inference.networks import probability

    torch.manual_seed(7)
    network = torch.nn.Conv2d(3, 2, 7, padding=3).eval()
    pictures = [np.random.default_rng(n).integers(0, 256, (64, 64), np.uint8) for n in range(2)]
    drawn = SimpleNamespace(images=pictures * 4, masks=blobs.masks)
    batch, _ = next(iter(made(drawn, PLAIN).valid))
    with torch.inference_mode():
        scores = network(torch.as_tensor(batch))
    for picture, expected in zip(pictures, scores.softmax(dim=1)[:2, 1].numpy(), strict=True):
        np.testing.assert_allclose(probability(network, picture), expected, atol=2e-4)  # summed in another order


def test_training_images_come_in_another_order_each_time_and_in_full_batches(blobs):
    flat = SimpleNamespace(images=[mask * np.uint8(0) + np.uint8(20 * n) for n, mask in enumerate(blobs.masks)])
    flat.masks = blobs.masks
    dls = made(flat, PLAIN, batch_size=3)
    orders = [np.rint(batches(dls.train)[0].mean((1, 2, 3)) * 255 / 20).astype(int).tolist() for _ in range(3)]
    assert [len(order) for order in orders] == [6] * 3
    assert all(len(set(order)) == 6 for order in orders)
    assert orders[0] != orders[1] != orders[2]


def test_a_seed_gives_the_same_batches_again(blobs):
    first, again, other = (batches(made(blobs, STRONG, seed=seed).train)[0] for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


ASKED = {"rotation_deg": 45, "zoom": 1.3, "lighting": 0.3, "stretch": 1.3, "jitter_px": 1.5}
ROWS, COLS = 24, 72


@pytest.fixture(scope="module")
def drawn():
    """4,000 stretches by up to 1.5 as they are drawn: scale and shift along columns (0) and rows (1), and matrices."""
    import torch
    from fastai.torch_core import TensorImage, set_seed

    from micromime.training.loaders import stretch_mat

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
    from micromime.training.loaders import Jitter

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
    from micromime.training.loaders import stretch_mat

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

    from micromime.training.loaders import augmentations

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

    from micromime.training.loaders import augmentations

    own = aug_transforms(flip_vert=True, max_rotate=45, max_zoom=1.3, max_lighting=0.3, max_warp=0)
    plain = augmented(augmentations(Augmentation(**ASKED | {"stretch": 1, "jitter_px": 0})))
    assert np.array_equal(plain, augmented(own))
    for changed in ({"stretch": 1}, {"jitter_px": 0}):
        assert not np.array_equal(plain, augmented(augmentations(Augmentation(**ASKED | changed))))


def test_all_that_moves_pixels_is_sampled_once():
    from fastai.vision.augment import AffineCoordTfm

    from micromime.training.loaders import augmentations

    transforms = augmentations(Augmentation(**ASKED))
    assert [isinstance(each, AffineCoordTfm) for each in transforms] == [True, False]
    assert (transforms[0].mode, transforms[0].mode_mask) == ("bilinear", "nearest")
    assert len(transforms[0].aff_fs) == 4  # flips and quarter turns, rotation, zoom, stretch
    assert len(transforms[0].coord_fs) == 1

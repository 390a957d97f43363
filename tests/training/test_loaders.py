"""Batches: resized by areas, images and masks changed alike, validation left as it is."""

from types import SimpleNamespace

import numpy as np
import pytest

from micromime.training.settings import Augmentation, Phase

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]

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

    from micromime.training.loaders import View, loaders

    phase = Phase(size_px=64, trainable="all", epochs=1, peak_rate=0.1, batch_size=batch_size)
    set_seed(seed)
    view = View(phase, Augmentation(**asked))
    return loaders(dataset, (training, validation), view, torch.device("cpu"))


def batches(loader):
    """All images as greys from 0 to 1, (n, 3, rows, cols), and all masks, of one pass."""
    passed = [(images.numpy(), masks.numpy()) for images, masks in loader]
    images, masks = (np.concatenate(each) for each in zip(*passed, strict=True))
    return images * SD[:, None, None] + MEAN[:, None, None], masks


def pairs(dataset, indices, size_px):
    from micromime.training.loaders import Pairs, View

    phase = Phase.model_construct(size_px=size_px)
    return Pairs(dataset, np.array(indices, dtype=np.int32), View(phase, Augmentation.model_construct()))


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


def test_pairs_are_the_samples_asked_for_untouched_where_they_fit():
    rng = np.random.default_rng(5)
    images = list(rng.integers(0, 256, (3, 32, 32), dtype=np.uint8))
    kept = pairs(SimpleNamespace(images=images, masks=[image > 99 for image in images]), [2, 0], 32)
    assert len(kept) == 2
    image, mask = kept[0]
    assert image.shape == (3, 32, 32)
    assert all(np.array_equal(channel, images[2]) for channel in image.numpy())
    assert np.array_equal(mask.numpy(), images[2] > 99)
    assert np.array_equal(kept[1][0].numpy()[1], images[0])


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

"""A network on disk, and what it says of pictures of any size."""

import json
import pickle

import numpy as np
import pytest

from micromime.mistakes import Mistake

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]

DESCRIPTION = {"architecture": "unet_efficientnet_lite0", "classes": ["inside", "boundary"], "run": 1}
MEAN, SD = (np.array(each)[None, :, None, None] for each in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
"""Of ImageNet's red, green and blue, as torchvision documents them."""
TOLERANCE = 2e-4
"""Sums of float32 in another order, as other shapes and layouts in memory bring about."""


@pytest.fixture(scope="module")
def network():
    """A network that has learnt nothing, but whose batch norms are not the identity."""
    import torch

    from micromime.training.architectures import build

    torch.manual_seed(7)
    made = build("unet_efficientnet_lite0", pretrained=False)
    with torch.inference_mode():
        made.train()(torch.randn(4, 3, 64, 64))
    return made.eval()


@pytest.fixture
def folder(network, tmp_path):
    from micromime.training.networks import save_network

    save_network(network, DESCRIPTION, tmp_path / "run-001")
    return tmp_path / "run-001"


def picture(rows, cols):
    return np.random.default_rng(rows + cols).integers(0, 256, (rows, cols), dtype=np.uint8)


def asked(network, image):
    from micromime.inference.networks import probability

    return probability(network, image)


def directly(network, image):
    """What the network says of an image with sides that are multiples of 32, by the definition of softmax."""
    import torch

    channels = (np.repeat(image[None, None] / 255, 3, axis=1) - MEAN) / SD
    with torch.inference_mode():
        inside, boundary = network(torch.from_numpy(channels.astype(np.float32)))[0].numpy().astype(np.float64)
    return 1 / (1 + np.exp(inside - boundary))


def test_a_network_comes_back_as_it_was(network, folder):
    import torch

    from micromime.training.networks import load_network

    back = load_network(folder)
    weights = network.state_dict()
    assert list(back.state_dict()) == list(weights)
    assert all(torch.equal(value, weights[name]) for name, value in back.state_dict().items())
    assert not any(module.training for module in back.modules())
    image = picture(72, 96)
    np.testing.assert_allclose(asked(back, image), asked(network, image), atol=TOLERANCE)
    assert np.array_equal(asked(back, image), asked(load_network(folder), image))


def test_its_files_are_a_description_and_plain_numbers(folder):
    assert sorted(file.name for file in folder.iterdir()) == ["model.json", "weights.safetensors"]
    assert json.loads((folder / "model.json").read_text()) == DESCRIPTION
    content = (folder / "weights.safetensors").read_bytes()
    length = int.from_bytes(content[:8], "little")  # of the JSON text that follows; the rest is numbers
    header = json.loads(content[8 : 8 + length])
    ends = [each["data_offsets"][1] for name, each in header.items() if name != "__metadata__"]
    assert max(ends) == len(content) - 8 - length


def test_loading_unpickles_nothing_and_needs_no_imagenet_weights(folder, monkeypatch):
    from micromime.training import weights as lite0_weights
    from micromime.training.networks import load_network

    for place, name in ((pickle, "load"), (pickle, "loads"), (pickle, "Unpickler")):
        monkeypatch.setattr(place, name, lambda *_, **__: pytest.fail("it was unpickled"))
    monkeypatch.setattr("torch.load", lambda *_, **__: pytest.fail("it was unpickled"))
    monkeypatch.setattr(lite0_weights, "lite0_weights", lambda: pytest.fail("they were asked for"))
    load_network(folder)


def test_probability_is_the_softmax_of_the_second_class(network):
    image = picture(64, 96)
    found = asked(network, image)
    assert (found.shape, found.dtype) == ((64, 96), np.float32)
    np.testing.assert_allclose(found, directly(network, image), atol=TOLERANCE)
    assert found.std() > 0.001


@pytest.mark.parametrize(("rows", "cols"), [(70, 50), (33, 97), (129, 64)])
def test_other_sizes_are_mirrored_outward_and_cropped(network, rows, cols):
    image = picture(rows, cols)
    mirrored = np.pad(image, ((0, -rows % 32), (0, -cols % 32)), mode="reflect")
    np.testing.assert_allclose(asked(network, image), directly(network, mirrored)[:rows, :cols], atol=TOLERANCE)


@pytest.mark.parametrize(("rows", "cols"), [(32, 32), (32, 33), (31, 97), (200, 8), (20, 25), (1, 40), (1, 1)])
def test_small_and_narrow_pictures_keep_their_size(network, rows, cols):
    found = asked(network, picture(rows, cols))
    assert (found.shape, found.dtype) == ((rows, cols), np.float32)
    assert np.isfinite(found).all()
    assert found.min() >= 0
    assert found.max() <= 1


def test_an_image_is_left_as_it_is(network):
    image = picture(40, 70)
    before = image.copy()
    image.flags.writeable = False
    asked(network, image)
    assert np.array_equal(image, before)


def test_a_picture_is_seen_as_in_validation(network):
    import torch

    from micromime.training.loaders import View, loaders
    from micromime.training.settings import Augmentation, Phase

    images = [picture(64, 64), picture(64, 64)[::-1]]
    dataset = type("Drawn", (), {"images": images, "masks": [image > 128 for image in images]})
    phase = Phase(size_px=64, trainable="all", epochs=1, peak_rate=0.1, batch_size=2)
    both = np.arange(2, dtype=np.int32)
    augmentation = Augmentation(rotation_deg=0, zoom=1, lighting=0, stretch=1, jitter_px=0)
    batch, _ = next(iter(loaders(dataset, (both, both), View(phase, augmentation), torch.device("cpu")).valid))
    with torch.inference_mode():
        scores = network(torch.as_tensor(batch))
    for image, expected in zip(images, scores.softmax(dim=1)[:, 1].numpy(), strict=True):
        np.testing.assert_allclose(asked(network, image), expected, atol=TOLERANCE)


@pytest.mark.parametrize("name", ["model.json", "weights.safetensors"])
def test_a_missing_file_is_named(folder, name):
    from micromime.training.networks import load_network

    (folder / name).unlink()
    with pytest.raises(Mistake, match=rf"run-001/{name} is missing; .*run-001 is no folder of a trained network"):
        load_network(folder)


@pytest.mark.parametrize("name", ["model.json", "weights.safetensors"])
def test_a_file_that_is_cut_off_is_named(folder, name):
    from micromime.training.networks import load_network

    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(Mistake, match=r"run-001 .*damaged"):
        load_network(folder)


def test_a_folder_that_is_not_there_is_said(tmp_path):
    from micromime.training.networks import load_network

    with pytest.raises(Mistake, match="nowhere is no folder of a trained network"):
        load_network(tmp_path / "nowhere")

"""What a network says of pictures of any size, and how one comes back from disk."""

import json
import pickle

import numpy as np
import pytest

from micromime.mistakes import Mistake

pytestmark = pytest.mark.usefixtures("one_thread")

DESCRIPTION = {"architecture": "small_unet", "classes": ["inside", "boundary"], "run": 1, "size_px": 24}
MEAN, SD = (np.array(each)[None, :, None, None] for each in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
"""Of ImageNet's red, green and blue, as torchvision documents them."""
TOLERANCE = 2e-4
"""Sums of float32 in another order, as other shapes and layouts in memory bring about."""


@pytest.fixture(scope="module")
def network():
    """One convolution for each class, and what is seen at a place is a matter of 3 px around it."""
    import torch

    torch.manual_seed(7)
    return torch.nn.Conv2d(3, 2, 7, padding=3).eval()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    import torch

    from micromime.training.architectures import build
    from micromime.training.networks import save_network

    torch.manual_seed(7)
    made = tmp_path_factory.mktemp("networks") / "run-001"
    save_network(build("small_unet", pretrained=False), DESCRIPTION, made)
    return made


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


@pytest.mark.parametrize(("rows", "cols"), [(64, 96), (70, 50), (33, 97), (129, 64)])
def test_probability_is_the_softmax_of_the_second_class_of_the_picture_mirrored_outward(network, rows, cols):
    image = picture(rows, cols)
    before = image.copy()
    image.flags.writeable = False
    found = asked(network, image)
    assert (found.shape, found.dtype) == ((rows, cols), np.float32)
    mirrored = np.pad(image, ((0, -rows % 32), (0, -cols % 32)), mode="reflect")
    np.testing.assert_allclose(found, directly(network, mirrored)[:rows, :cols], atol=TOLERANCE)
    assert found.std() > 0.001
    assert np.array_equal(image, before)


@pytest.mark.parametrize(("rows", "cols"), [(32, 32), (32, 33), (31, 97), (200, 8), (1, 40), (1, 1)])
def test_small_and_narrow_pictures_keep_their_size(network, rows, cols):
    found = asked(network, picture(rows, cols))
    assert (found.shape, found.dtype) == ((rows, cols), np.float32)
    assert 0 <= found.min() <= found.max() <= 1


def test_a_network_from_disk_answers_about_masks_and_in_batches_about_classes(folder):
    import torch

    from micromime.inference.networks import class_probabilities, predictor, probability
    from micromime.training.networks import load_network

    loaded, image = load_network(folder), picture(70, 96)
    assert not any(module.training for module in loaded.modules())
    assert np.array_equal(predictor(folder)(image), probability(loaded, image))
    mean = torch.nn.Sequential(torch.nn.Conv2d(3, 2, 3), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
    colours = np.repeat(np.stack([picture(40, 40), *[picture(40, 41)[:, :40]] * 16])[:, None], 3, axis=1)
    found = class_probabilities(mean, colours, 24)
    assert (found.shape, found.dtype) == ((17,), np.float32)
    assert np.array_equal(found[::-1], class_probabilities(mean, colours[::-1], 24))  # none depends on its batch
    assert len(set(found.tolist())) == 2


def test_its_files_are_a_description_and_plain_numbers(folder, monkeypatch):
    from micromime.training.networks import load_network

    assert sorted(file.name for file in folder.iterdir()) == ["model.json", "weights.safetensors"]
    assert json.loads((folder / "model.json").read_text()) == DESCRIPTION
    content = (folder / "weights.safetensors").read_bytes()
    length = int.from_bytes(content[:8], "little")  # of the JSON text that follows; the rest is numbers
    header = json.loads(content[8 : 8 + length])
    ends = [each["data_offsets"][1] for name, each in header.items() if name != "__metadata__"]
    assert max(ends) == len(content) - 8 - length
    for place, name in ((pickle, "load"), (pickle, "loads"), (pickle, "Unpickler")):
        monkeypatch.setattr(place, name, lambda *_, **__: pytest.fail("it was unpickled"))
    monkeypatch.setattr("torch.load", lambda *_, **__: pytest.fail("it was unpickled"))
    load_network(folder)


@pytest.mark.parametrize("name", ["model.json", "weights.safetensors"])
def test_a_file_that_is_missing_or_cut_off_is_named(folder, tmp_path, name):
    from micromime.training.networks import load_network

    copy = tmp_path / "run-001"
    copy.mkdir()
    with pytest.raises(Mistake, match="run-001 is no folder of a trained network"):
        load_network(copy)
    for file in folder.iterdir():
        (copy / file.name).write_bytes(file.read_bytes()[: None if file.name != name else file.stat().st_size // 2])
    with pytest.raises(Mistake, match=r"run-001 .*damaged"):
        load_network(copy)
    (copy / name).unlink()
    with pytest.raises(Mistake, match=rf"run-001/{name} is missing"):
        load_network(copy)

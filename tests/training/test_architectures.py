"""Every architecture: sizes, parts, and ImageNet weights under the right names."""

import functools
import hashlib
import subprocess
import sys

import pytest

from micromime.mistakes import Mistake
from micromime.training.architectures import architectures, asking_bytes, build, finds, parts

pytestmark = pytest.mark.usefixtures("one_thread")

LARGE = {"resnet50", "unet_resnet50"}
"""The first has 25 million parameters, the second 339 million: it takes 15 s to build, and has one test of its own."""

FROM_SCRATCH = {"small_unet"}
"""Architectures that nobody has trained on ImageNet."""

SIZES = [(32, 32), (64, 96), (96, 64), (32, 160)]

NAMES = [
    pytest.param(name, marks=[pytest.mark.slow] if name in LARGE else [])
    for name in architectures()
    if name != "unet_resnet50"
]
every = pytest.mark.parametrize("name", NAMES)


@pytest.fixture(scope="module")
def resnet50_file(tmp_path_factory):
    """Random weights in the place and under the name of torchvision's, whose hash they are given; 100 MB."""
    import torch
    from torchvision.models import resnet50

    from micromime.training.architectures import resnet50 as architecture

    file = tmp_path_factory.mktemp("weights") / "resnet50-0676ba61.pth"
    torch.save(resnet50().state_dict(), file)
    pinned = architecture.RESNET50._replace(sha256=hashlib.sha256(file.read_bytes()).hexdigest())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MICROMIME_WEIGHTS", str(file.parent))
        patch.setattr(architecture, "RESNET50", pinned)
        yield file
    file.unlink()


@pytest.fixture(scope="module")
def untrained():
    """Give the network of an architecture without ImageNet weights, each built once."""
    return functools.cache(functools.partial(build, pretrained=False))


@every
@pytest.mark.parametrize("size", SIZES)
def test_every_network_scores_two_classes_of_each_pixel_or_of_each_picture(untrained, name, size):
    import torch

    with torch.inference_mode():
        scores = untrained(name).eval()(torch.zeros(2, 3, *size))
    assert scores.shape == ((2, 2, *size) if finds(name) == "mask" else (2, 2))
    assert scores.dtype == torch.float32


@every
def test_every_network_answers_the_same_after_it_was_stored(untrained, name, tmp_path):
    import torch

    from micromime.training.networks import load_network, save_network

    save_network(untrained(name), {"architecture": name}, tmp_path / "run")
    images = torch.rand(1, 3, 64, 96)
    with torch.inference_mode():
        expected = untrained(name).eval()(images)
        loaded = load_network(tmp_path / "run").to(memory_format=torch.contiguous_format)
        assert torch.equal(loaded(images), expected)


@every
def test_body_and_head_hold_every_parameter_once(untrained, name):
    whole_and_in_parts(name, untrained(name))


def whole_and_in_parts(name, network):
    body, head = ([each for module in part for each in module.parameters()] for part in parts(name, network))
    assert body
    assert head
    assert sorted(map(id, body + head)) == sorted(map(id, network.parameters()))


@every
def test_imagenet_weights_are_in_the_body_and_nowhere_else(request, name):
    import torch

    if name in LARGE:
        request.getfixturevalue("resnet50_file")
    networks = []
    for pretrained in (False, True):
        torch.manual_seed(3)
        networks.append(build(name, pretrained=pretrained))
    (body, head), (trained_body, trained_head) = (parts(name, network) for network in networks)
    kernels = [
        [each for module in part for each in module.parameters() if each.ndim == 4] for part in (body, trained_body)
    ]
    for one, other in zip(*kernels, strict=True):
        assert torch.equal(one, other) == (name in FROM_SCRATCH)
    for one, other in zip(head, trained_head, strict=True):
        for key, value in one.state_dict().items():
            assert torch.equal(value, other.state_dict()[key]), key


def test_every_architecture_finds_one_kind_of_thing(one_conv):
    assert {one_conv, "small_unet", "unet_resnet50"} < set(architectures("mask"))
    assert sorted(architectures("mask") + architectures("class")) == architectures()
    assert all(finds(name) == kind for kind in ("mask", "class") for name in architectures(kind))


@pytest.mark.usefixtures("one_conv")
def test_another_process_finds_what_is_registered_here():
    code = "from micromime.training.architectures import finds; print(finds('one_conv'), finds('one_conv_classes'))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "mask class\n"


@pytest.mark.slow
def test_the_unet_on_resnet50_is_fastais_and_its_body_holds_the_files_weights(resnet50_file):
    import torch
    from fastai.vision.learner import model_meta
    from torchvision.models import resnet50

    network = build("unet_resnet50", pretrained=True)
    whole_and_in_parts("unet_resnet50", network)
    first, deep, head = model_meta[resnet50]["split"](network)
    ours = [[each for module in part for each in module.parameters()] for part in parts("unet_resnet50", network)]
    assert [list(map(id, part)) for part in ours] == [list(map(id, part)) for part in ([*first, *deep], head)]
    stored = list(torch.load(resnet50_file, weights_only=True).items())
    for (name, value), kept in zip(stored, network[0].state_dict().values(), strict=False):  # but for its classifier
        assert torch.equal(value, kept), name
    with torch.inference_mode():
        assert network.eval()(torch.zeros(1, 3, 64, 96)).shape == (1, 2, 64, 96)  # it is built with 64 x 64


@pytest.mark.parametrize(("name", "other"), [("resnet50", "efficientnet_l"), ("unet_resnet50", "unet_efficientnet_l")])
def test_without_its_weights_a_resnet50_names_another_architecture(tmp_path, monkeypatch, name, other):
    monkeypatch.setenv("MICROMIME_WEIGHTS", str(tmp_path))
    (tmp_path / "resnet50-0676ba61.pth").write_bytes(b"torchvision's, but cut off")
    with pytest.raises(Mistake, match=rf"resnet50-0676ba61\.pth is not the .* or choose architecture {other}"):
        build(name, pretrained=True)


def test_unknown_architectures_are_told_the_known_ones():
    with pytest.raises(Mistake, match=r"architecture: 'resnet' is not known; use one of: .*unet_efficientnet_lite0"):
        build("resnet", pretrained=False)


def test_the_small_unet_has_some_ten_thousand_parameters(untrained):
    assert sum(each.numel() for each in untrained("small_unet").parameters()) == 30_744


def test_the_small_unet_learns_a_mask_of_single_pixels():
    """Its sides are halved at once: each of the four pixels of a place must still have an answer of its own."""
    import torch
    from torch.nn.functional import cross_entropy

    torch.manual_seed(0)
    images = torch.zeros(4, 3, 16, 24)
    images[:, :, ::5, ::3] = 1
    network = build("small_unet", pretrained=False).train()
    optimiser = torch.optim.Adam(network.parameters(), lr=0.02)
    for _ in range(60):
        optimiser.zero_grad()
        cross_entropy(network(images), images[:, 0].long()).backward()
        optimiser.step()
    assert torch.equal(network(images).argmax(dim=1), images[:, 0].long())


ASKED = """
import sys
from pathlib import Path
import numpy as np, torch
from micromime.inference.networks import probability
from micromime.training.architectures import build
network = build(sys.argv[1], pretrained=False).to(memory_format=torch.channels_last).eval()
torch.set_num_threads(1)
probability(network, np.zeros((int(sys.argv[2]), 1000), np.uint8))
lines = Path("/proc/self/status").read_text().splitlines()
print(next(line.split()[1] for line in lines if line.startswith("VmHWM")))  # ru_maxrss would be no less than our own
"""


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("small_unet", 2000),
        pytest.param("light_unet", 2000, marks=pytest.mark.ci),
        pytest.param("unet_efficientnet_lite0", 1000, marks=pytest.mark.ci),
        pytest.param("unet_resnet50", 100, marks=pytest.mark.slow),
    ],
)
def test_asking_takes_the_memory_that_the_architecture_says_and_no_more(name, rows):
    command = [sys.executable, "-c", ASKED, name, str(rows)]
    said = subprocess.check_output(command, text=True, stderr=subprocess.DEVNULL)
    taken = 1024 * int(said.splitlines()[-1])
    assert 0.5 < taken / asking_bytes(name, rows * 1000) <= 1


def test_of_an_architecture_that_says_nothing_much_is_assumed(one_conv):
    assert asking_bytes(one_conv, 10) == 2**30 + 15_000

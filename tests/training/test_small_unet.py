"""The small U-Net: small, from scratch, and with a sharp eye for single pixels."""

import pytest

from micromime.training.architectures import architectures, build

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]


def test_it_is_an_architecture_for_masks():
    assert "small_unet" in architectures("mask")


def test_it_has_some_ten_thousand_parameters():
    assert sum(each.numel() for each in build("small_unet", pretrained=False).parameters()) == 30_744


def test_it_begins_at_random_also_where_imagenet_weights_are_asked_for():
    import torch

    networks = []
    for pretrained in (False, True):
        torch.manual_seed(3)
        networks.append(build("small_unet", pretrained=pretrained).state_dict())
    assert all(torch.equal(value, networks[1][key]) for key, value in networks[0].items())


def test_it_learns_a_mask_of_single_pixels():
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

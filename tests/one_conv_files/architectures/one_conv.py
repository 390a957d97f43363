"""A body of one convolution and a head of one: finds masks of what is bright or dark."""

from torch import nn

FINDS = "mask"


def build(pretrained):  # noqa: ARG001 - nobody has trained it
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 2, 1))


def parts(network):
    return [network[0]], [network[1]]

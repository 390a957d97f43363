"""A U-Net small enough to be trained from scratch in seconds on one core: for experiments with many networks."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

FINDS = "mask"
ASKING_MIB, BYTES_PER_PX = 700, 150

WIDTHS = (8, 16, 32)
"""Channels at a half, a quarter and an eighth of the picture's side."""

PLACES = 4
"""Pixels of the picture, 2 x 2, for each of the finest features."""


class SmallUnet(nn.Module):
    """U-Net (Ronneberger et al. 2015) of three levels, 31 thousand parameters.

    Its first convolution halves the sides, and its last one answers for four pixels at once (a sub-pixel convolution,
    Shi et al. 2016, doi:10.1109/CVPR.2016.207): most of a U-Net's time is spent at the full size.
    """

    def __init__(self) -> None:
        """Begin with random weights."""
        super().__init__()
        fine, middle, coarse = WIDTHS
        stem = nn.Sequential(nn.Conv2d(3, fine, 4, 2, 1, bias=False), nn.BatchNorm2d(fine), nn.ReLU(inplace=True))
        self.body = nn.ModuleList(
            [
                nn.Sequential(stem, _block(fine, fine)),
                nn.Sequential(nn.MaxPool2d(2), _block(fine, middle)),
                nn.Sequential(nn.MaxPool2d(2), _block(middle, coarse)),
            ]
        )
        self.up = nn.ModuleList([_block(coarse + middle, middle), _block(middle + fine, fine)])
        self.answer = nn.Sequential(nn.Conv2d(fine, 2 * PLACES, 1), nn.PixelShuffle(2))

    def forward(self, images: Tensor) -> Tensor:
        """Return (n, 2, rows, cols) class scores of (n, 3, rows, cols); sides must be multiples of 8."""
        levels = []
        for level in self.body:
            images = level(images)
            levels.append(images)
        found = levels.pop()
        for block in self.up:
            found = block(torch.cat([interpolate(found, scale_factor=2.0, mode="nearest"), levels.pop()], dim=1))
        return self.answer(found)


def _block(before: int, after: int) -> nn.Sequential:
    """Return two 3 x 3 convolutions, each with batch norm and ReLU."""
    layers: list[nn.Module] = []
    for channels in (before, after):
        layers += [nn.Conv2d(channels, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


def build(pretrained: bool) -> nn.Module:  # noqa: ARG001 - nobody has trained it on ImageNet
    """Return the U-Net with random weights, also where ImageNet's are asked for: there are none."""
    return SmallUnet()


def parts(network: Any) -> tuple[list[nn.Module], list[nn.Module]]:
    """Return the modules of the body and of the head."""
    return [network.body], [network.up, network.answer]

"""A U-Net made for speed on a CPU: the first five stages of EfficientNet-Lite0, and the last step sub-pixel."""

from typing import Any

from segmentation_models_pytorch.decoders.unet.decoder import UnetDecoder
from torch import Tensor, nn

from micromime.training.architectures.light_classifier import CHANNELS, light_body

FINDS = "mask"

WIDTHS = (64, 32, 16)
"""Channels of the decoder at an eighth, a quarter and a half of the picture's side."""

PLACES = 4
"""Pixels of the picture, 2 x 2, for each of the finest features."""


class LightUnet(nn.Module):
    """U-Net (Ronneberger et al. 2015) with output stride 16 whose last convolution answers for four pixels at once.

    That is a sub-pixel convolution (Shi et al. 2016, doi:10.1109/CVPR.2016.207): nothing is computed at full size,
    where most of a U-Net's time is spent.
    """

    def __init__(self, body: nn.Module) -> None:
        """Begin with a body that has its weights, and a head with random ones."""
        super().__init__()
        self.body = body
        self.decoder = UnetDecoder((3, *CHANNELS), WIDTHS, n_blocks=len(WIDTHS))
        self.answer = nn.Sequential(nn.Conv2d(WIDTHS[-1], 2 * PLACES, 3, padding=1), nn.PixelShuffle(2))

    def forward(self, images: Tensor) -> Tensor:
        """Return (n, 2, rows, cols) class scores of (n, 3, rows, cols); sides must be multiples of 16."""
        return self.answer(self.decoder([images, *self.body(images)]))


def build(pretrained: bool) -> nn.Module:
    """Return the U-Net (0.9 million parameters)."""
    return LightUnet(light_body(pretrained))


def parts(network: Any) -> tuple[list[nn.Module], list[nn.Module]]:
    """Return the modules of the body and of the head."""
    return [network.body], [network.decoder, network.answer]

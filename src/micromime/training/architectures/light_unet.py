"""A U-Net made for speed on a CPU: the first five stages of EfficientNet-Lite0, and the last step sub-pixel."""

from itertools import pairwise
from typing import Any

from segmentation_models_pytorch.decoders.unet.decoder import UnetDecoder
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from micromime.training.architectures.light_classifier import CHANNELS, light_body

FINDS = "mask"
ASKING_MIB, BYTES_PER_PX = 1250, 170

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
    return LightUnet(_without_norms(light_body(pretrained)))


def _without_norms(body: nn.Module) -> nn.Module:
    """Put each batch norm into the convolution before it; its activation is left in its place.

    Means and variances stay those of ImageNet. Where batches are small that is faster, and better: networks of the demo
    found more of the grains in pictures that they had not seen.
    """
    body.eval()
    for module in list(body.modules()):
        for (name, one), (next_name, other) in pairwise(list(module.named_children())):
            if isinstance(one, nn.Conv2d) and isinstance(other, nn.BatchNorm2d):
                setattr(module, name, fuse_conv_bn_eval(one, other))
                setattr(module, next_name, other.act)
    return body.train().requires_grad_(True)


def parts(network: Any) -> tuple[list[nn.Module], list[nn.Module]]:
    """Return the modules of the body and of the head."""
    return [network.body], [network.decoder, network.answer]

"""U-Net on the body of EfficientNet-Lite0: light enough for a CPU."""

from typing import Any

import segmentation_models_pytorch as smp
from torch import nn

from micromime.training.weights import COUNTER, lite0_weights

FINDS = "mask"
ASKING_MIB, BYTES_PER_PX = 1024, 450


def build(pretrained: bool) -> nn.Module:
    """Return the U-Net (Ronneberger et al. 2015) of segmentation-models-pytorch; sides must be multiples of 32."""
    network: Any = smp.Unet("tu-tf_efficientnet_lite0", encoder_weights=None, in_channels=3, classes=2)
    if pretrained:
        weights = {f"model.{name}": value for name, value in lite0_weights().items()}
        wanted = network.encoder.state_dict().items()
        network.encoder.load_state_dict({name: v if name.endswith(COUNTER) else weights[name] for name, v in wanted})
    return network


def parts(network: Any) -> tuple[list[nn.Module], list[nn.Module]]:
    """Return the modules of the body and of the head."""
    return [network.encoder], [network.decoder, network.segmentation_head]

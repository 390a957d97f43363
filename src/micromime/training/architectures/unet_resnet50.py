"""U-Net on the body of ResNet50, as fastai's `unet_learner` builds it: the network of Trampert et al. 2021."""

from functools import partial
from typing import Any

from fastai.vision.learner import create_unet_model
from torch import nn

from micromime.training.architectures.resnet50 import WITHOUT_POOLING_AND_CLASSIFIER, whole

FINDS = "mask"
ASKING_MIB, BYTES_PER_PX = 2600, 4500


def build(pretrained: bool) -> nn.Module:
    """Return fastai's DynamicUnet (339 million parameters, 1.4 GB); sides must be multiples of 32.

    Raises Mistake where ImageNet weights are asked for and cannot be had.
    """
    classifier, cut = partial(whole, instead="unet_efficientnet_lite0"), WITHOUT_POOLING_AND_CLASSIFIER
    # fastai sends an image of 64 px through while it builds, to see where sizes halve: it decides no weight's shape.
    return create_unet_model(classifier, 2, (64, 64), pretrained=pretrained, cut=cut)


def parts(network: Any) -> tuple[list[nn.Module], list[nn.Module]]:
    """Return the modules of the body and of the head: fastai's own splitter parts the body into two once more."""
    return [network[0]], [network[1:]]

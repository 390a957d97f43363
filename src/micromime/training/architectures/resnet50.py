"""ResNet50 with fastai's head: the classifier of Trampert et al. 2021 (section 2.2, Figure 2)."""

from typing import Any

import torchvision.models
from fastai.vision.learner import create_head
from torch import nn

from micromime.training.weights import RESNET50, imagenet_weights

FINDS = "class"

WITHOUT_POOLING_AND_CLASSIFIER = -2


def build(pretrained: bool) -> nn.Module:
    """Return the body under fastai's head, as its `vision_learner` builds it: the paper's "custom part".

    Raises Mistake where ImageNet weights are asked for and cannot be had.
    """
    body = list(whole(pretrained, instead="efficientnet_lite0").children())[:WITHOUT_POOLING_AND_CLASSIFIER]
    return nn.Sequential(nn.Sequential(*body), create_head(2048, 2))  # features of the body's last layer


def parts(network: Any) -> tuple[list[nn.Module], list[nn.Module]]:
    """Return the modules of the body and of the head."""
    return [network[0]], [network[1]]


def whole(pretrained: bool, instead: str) -> nn.Module:
    """Return torchvision's ResNet50; its own loading would read files it has not checked.

    `instead` is an architecture for whom the ImageNet weights cannot be had.
    """
    network: nn.Module = torchvision.models.resnet50()
    if pretrained:
        network.load_state_dict(imagenet_weights(RESNET50, f"choose architecture {instead}"))
    return network

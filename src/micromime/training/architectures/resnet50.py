"""ResNet50 with fastai's head: the classifier of Trampert et al. 2021 (section 2.2, Figure 2)."""

from typing import Any

from fastai.vision.learner import create_head
from torch import nn
from torchvision.models import resnet50

from micromime.training.imagenet_weights import RESNET50, imagenet_weights

FINDS = "class"

FEATURES = 2048
"""Of the body's last layer."""

WITHOUT_POOLING_AND_CLASSIFIER = -2


def build(pretrained: bool) -> nn.Module:
    """Return the body under fastai's head, as its `vision_learner` builds it: the paper's "custom part".

    Raises Mistake where ImageNet weights are asked for and cannot be had.
    """
    whole = resnet50()
    if pretrained:
        whole.load_state_dict(imagenet_weights(RESNET50, instead="choose architecture efficientnet_lite0"))
    body = nn.Sequential(*list(whole.children())[:WITHOUT_POOLING_AND_CLASSIFIER])
    return nn.Sequential(body, create_head(FEATURES, 2))


def parts(network: Any) -> tuple[list[nn.Module], list[nn.Module]]:
    """Return the modules of the body and of the head."""
    return [network[0]], [network[1]]

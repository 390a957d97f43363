"""A classifier on the body of EfficientNet-Lite0: light enough for a CPU."""

from typing import Any

from fastai.vision.learner import create_head
from timm import create_model
from torch import nn

from micromime.training.weights import lite0_weights

FINDS = "class"


def build(pretrained: bool) -> nn.Module:
    """Return the body under fastai's head: both poolings, dropout and two linear layers, to two classes."""
    body = create_model("tf_efficientnet_lite0", pretrained=False, num_classes=0, global_pool="")
    head = create_head(1280, 2)  # features of the body's last layer
    if pretrained:
        weights = {name: value for name, value in lite0_weights().items() if not name.startswith("classifier.")}
        body.load_state_dict(weights, strict=False)  # batch norms' counters begin at 0
    return nn.Sequential(body, head)


def parts(network: Any) -> tuple[list[nn.Module], list[nn.Module]]:
    """Return the modules of the body and of the head."""
    return [network[0]], [network[1]]

"""A classifier made for speed on a CPU: fastai's head on the first five stages of EfficientNet-Lite0."""

from typing import Any

from fastai.vision.learner import create_head
from timm import create_model
from torch import Tensor, nn
from torch.random import fork_rng

from micromime.training.weights import lite0_weights

FINDS = "class"

CHANNELS = (16, 24, 40, 112)
"""Of the body's features at a half, a quarter, an eighth and a sixteenth of the picture's side."""

EPSILON = 1e-3
"""What TensorFlow, where the weights come from, adds to a variance."""


class Coarsest(nn.Module):
    """The last of the features that a body finds."""

    def __init__(self, body: nn.Module) -> None:
        """Ask this body."""
        super().__init__()
        self.body = body

    def forward(self, images: Tensor) -> Tensor:
        """Return (n, 112, rows / 16, cols / 16) features of (n, 3, rows, cols)."""
        return self.body(images)[-1]


def light_body(pretrained: bool) -> nn.Module:
    """Return what finds features of four sizes, the finest first; stages that come after are left out.

    Convolutions with a stride are padded on all sides, and not on two as TensorFlow does, which takes longer: what
    they see lies half a pixel off.
    """
    body: Any = create_model("efficientnet_lite0", features_only=True, out_indices=range(len(CHANNELS)), bn_eps=EPSILON)
    del body.blocks[max(body._stage_out_idx) :]  # timm would compute them, too
    if pretrained:
        with fork_rng(devices=[]):  # what a head begins with does not depend on its body
            weights = lite0_weights()
        body.load_state_dict({name: weights.get(name, value) for name, value in body.state_dict().items()})
    return body


def build(pretrained: bool) -> nn.Module:
    """Return the body under fastai's head: both poolings, dropout and two linear layers, to two classes."""
    return nn.Sequential(Coarsest(light_body(pretrained)), create_head(CHANNELS[-1], 2))


def parts(network: Any) -> tuple[list[nn.Module], list[nn.Module]]:
    """Return the modules of the body and of the head."""
    return [network[0]], [network[1]]

"""The compiled soft skeleton against torch's own operations, forth and back."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

pytestmark = pytest.mark.usefixtures("one_thread")

QUARTERS = st.integers(0, 4).map(lambda n: np.float32(n / 4))
"""So that many neighbours are equal: a gradient then goes where torch's goes."""
PICTURES = arrays(np.float32, array_shapes(min_dims=3, max_dims=3, max_side=9), elements=QUARTERS)


def both_ways(pictures, weights):
    """Skeleton and gradient of (n, rows, cols) pictures, by the compiled passes and by torch."""
    import torch

    from micromime.training.soft_skeleton import soft_skeleton, soft_skeleton_by_torch

    for way in (soft_skeleton, soft_skeleton_by_torch):
        lines = torch.tensor(pictures[:, None], requires_grad=True)
        thin = way(lines)
        (thin[:, 0] * torch.tensor(weights)).sum().backward()
        yield thin.detach().numpy(), lines.grad.numpy()


def assert_equal(pictures, seed=0):
    weights = np.random.default_rng(seed).normal(size=pictures.shape).astype(np.float32)
    (fast, fast_back), (slow, slow_back) = both_ways(pictures, weights)
    assert np.array_equal(fast, slow)
    assert fast_back == pytest.approx(slow_back, abs=2e-6)  # sums of a pixel's gradients, in another order
    return slow_back


@given(PICTURES)
@example(np.ones((1, 1, 1), np.float32))
@example(np.eye(9, dtype=np.float32)[None])
def test_it_is_what_torch_computes(pictures):
    assert_equal(pictures)


@pytest.mark.parametrize("shape", [(2, 40, 56), (1, 64, 17), (3, 1, 30)])
def test_also_of_larger_pictures(shape):
    assert np.abs(assert_equal(np.random.default_rng(1).random(shape, np.float32))).max() > 0.1


def test_a_truth_needs_no_gradient():
    import torch

    from micromime.training.soft_skeleton import soft_skeleton

    lines = torch.ones(1, 1, 5, 7)
    assert not soft_skeleton(lines).requires_grad
    assert torch.equal(lines, torch.ones(1, 1, 5, 7))

"""The soft skeleton of lines (Shit et al. 2021, doi 10.1109/CVPR46437.2021.01629), with its gradient.

By torch's own operations where that pays, on a GPU. On a processor most of the time of a loss was spent in them: there
the same numbers come from two compiled passes, one forth and one back.
"""

from typing import Any

import numpy as np
import torch
from numba import njit
from torch import Tensor
from torch.nn.functional import max_pool2d

THINNINGS = 6
"""Steps of thinning: lines up to twice as many pixels wide become thin."""


def soft_skeleton(lines: Tensor) -> Tensor:
    """Return (n, 1, rows, cols) float32, the soft skeleton of lines: at each thinning, what an opening would take away.

    Values from 0 to 1 for such values; gradients flow as through minima and maxima.
    """
    return soft_skeleton_by_torch(lines) if lines.is_cuda else _SoftSkeleton.apply(lines)


def soft_skeleton_by_torch(lines: Tensor) -> Tensor:
    """Return the same by torch's operations alone."""
    thinner = _eroded(lines)
    skeleton = torch.relu(lines - max_pool2d(thinner, 3, 1, 1))
    for _ in range(THINNINGS):
        lines, thinner = thinner, _eroded(thinner)
        lost = torch.relu(lines - max_pool2d(thinner, 3, 1, 1))
        skeleton = skeleton + torch.relu(lost - skeleton * lost)
    return skeleton


def _eroded(lines: Tensor) -> Tensor:
    down, across = -max_pool2d(-lines, (3, 1), 1, (1, 0)), -max_pool2d(-lines, (1, 3), 1, (0, 1))
    return torch.minimum(down, across)


class _SoftSkeleton(torch.autograd.Function):
    """What torch is told of the two passes."""

    @staticmethod
    def forward(ctx: Any, lines: Tensor) -> Tensor:
        """Return the skeleton, and keep of every thinning what is left, what is lost, and the skeleton."""
        pictures = lines.detach()[:, 0].contiguous().numpy()
        levels = np.empty((3, THINNINGS + 1, *pictures.shape), np.float32)
        _thin(pictures, *levels)
        if ctx.needs_input_grad[0]:
            ctx.kept = pictures, levels
        return torch.from_numpy(levels[2, -1])[:, None]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        """Return the gradient of the lines."""
        pictures, levels = ctx.kept
        wanted = np.zeros_like(pictures)
        _thin_back(pictures, levels, gradients[0][:, 0].contiguous().numpy().copy(), wanted)
        return torch.from_numpy(wanted)[:, None]


@njit(cache=True)
def _thin(pictures: Any, thinner: Any, lost: Any, skeleton: Any) -> None:
    """Fill what is left, what is lost and the skeleton after each thinning, (thinnings + 1, n, rows, cols).

    The skeleton before all others is what is lost first. Loops throughout, as whole arrays take seconds to compile.
    """
    for n in range(len(pictures)):
        _erode(pictures[n], thinner[0, n])
        _lose(pictures[n], thinner[0, n], lost[0, n])
        for step in range(1, len(thinner)):
            _erode(thinner[step - 1, n], thinner[step, n])
            _lose(thinner[step - 1, n], thinner[step, n], lost[step, n])
            _grow(skeleton[step - 1, n] if step > 1 else lost[0, n], lost[step, n], skeleton[step, n])


@njit(cache=True)
def _erode(lines: Any, left: Any) -> None:
    """Fill the least of each pixel and its four neighbours."""
    rows, last = lines.shape[0], lines.shape[1] - 1
    for r in range(rows):
        above, here, below, out = lines[max(r - 1, 0)], lines[r], lines[min(r + 1, rows - 1)], left[r]
        out[0] = min(min(above[0], here[0]), min(below[0], here[min(1, last)]))
        for c in range(1, last):
            out[c] = min(min(min(above[c], here[c]), below[c]), min(here[c - 1], here[c + 1]))
        out[last] = min(min(above[last], here[last]), min(below[last], here[max(last - 1, 0)]))


@njit(cache=True)
def _lose(lines: Any, left: Any, lost: Any) -> None:
    """Fill by how much each pixel of the lines exceeds the largest of the nine about it in what is left."""
    rows, last = lines.shape[0], lines.shape[1] - 1
    most = np.empty(last + 1, np.float32)
    for r in range(rows):
        above, here, below = left[max(r - 1, 0)], left[r], left[min(r + 1, rows - 1)]
        for c in range(last + 1):
            most[c] = max(max(above[c], here[c]), below[c])
        line, out, none = lines[r], lost[r], np.float32(0)
        out[0] = max(line[0] - max(most[0], most[min(1, last)]), none)
        for c in range(1, last):
            out[c] = max(line[c] - max(max(most[c - 1], most[c]), most[c + 1]), none)
        out[last] = max(line[last] - max(most[last], most[max(last - 1, 0)]), none)


@njit(cache=True)
def _grow(before: Any, gone: Any, skeleton: Any) -> None:
    """Fill the skeleton with what was there and what is lost that was not there."""
    for r in range(gone.shape[0]):
        for c in range(gone.shape[1]):
            skeleton[r, c] = before[r, c] + max(gone[r, c] - before[r, c] * gone[r, c], np.float32(0))


@njit(cache=True)
def _thin_back(pictures: Any, levels: Any, given: Any, wanted: Any) -> None:
    """Add to `wanted` the gradient of the pictures for that of their skeleton, `given`, which is used up."""
    thinner, lost, skeleton = levels
    rows, cols = wanted.shape[1:]
    of_gone, of_left = np.empty((rows, cols), np.float32), np.empty((rows, cols), np.float32)
    of_lines = np.empty((rows, cols), np.float32)
    for n in range(len(pictures)):
        _clear(of_left)
        for step in range(len(thinner) - 1, 0, -1):
            _clear(of_lines)
            _grow_back(skeleton[step - 1, n] if step > 1 else lost[0, n], lost[step, n], given[n], of_gone)
            _lose_back(thinner[step, n], lost[step, n], of_gone, of_lines, of_left)
            _erode_back(thinner[step - 1, n], of_left, of_lines)
            of_left, of_lines = of_lines, of_left
        _lose_back(thinner[0, n], lost[0, n], given[n], wanted[n], of_left)
        _erode_back(pictures[n], of_left, wanted[n])


@njit(cache=True)
def _clear(values: Any) -> None:
    for r in range(values.shape[0]):
        for c in range(values.shape[1]):
            values[r, c] = 0


@njit(cache=True)
def _grow_back(before: Any, gone: Any, given: Any, of_gone: Any) -> None:
    """Fill the gradient of what is lost, and leave that of the skeleton before in `given`."""
    for r in range(gone.shape[0]):
        for c in range(gone.shape[1]):
            grows = gone[r, c] - before[r, c] * gone[r, c] > 0
            of_gone[r, c] = np.float32(given[r, c] * (1.0 - before[r, c])) if grows else np.float32(0)
            given[r, c] = np.float32(given[r, c] * (1.0 - gone[r, c])) if grows else given[r, c]


@njit(cache=True)
def _lose_back(left: Any, lost: Any, given: Any, of_lines: Any, of_left: Any) -> None:
    """Add the gradients of `_lose`: of the nine about a pixel, that of the first largest one."""
    rows, cols = left.shape
    for r in range(rows):
        for c in range(cols):
            if lost[r, c] <= 0 or given[r, c] == 0:
                continue
            of_lines[r, c] += given[r, c]
            top, side = max(r - 1, 0), max(c - 1, 0)
            for near_r in range(max(r - 1, 0), min(r + 2, rows)):
                for near_c in range(max(c - 1, 0), min(c + 2, cols)):
                    if left[near_r, near_c] > left[top, side]:
                        top, side = near_r, near_c
            of_left[top, side] -= given[r, c]


@njit(cache=True)
def _erode_back(lines: Any, given: Any, of_lines: Any) -> None:
    """Add the gradient of `_erode`: of the first least one of a column of three, and of a row of three.

    Where these are equal, each has half, as torch has it.
    """
    rows, cols = lines.shape
    for r in range(rows):
        for c in range(cols):
            if given[r, c] == 0:
                continue
            down, across = max(r - 1, 0), max(c - 1, 0)
            for near in range(r, min(r + 2, rows)):
                down = near if lines[near, c] < lines[down, c] else down
            for near in range(c, min(c + 2, cols)):
                across = near if lines[r, near] < lines[r, across] else across
            share = np.float32(0.5) if lines[down, c] == lines[r, across] else np.float32(1)
            of_lines[down, c] += share * given[r, c] if lines[down, c] <= lines[r, across] else np.float32(0)
            of_lines[r, across] += share * given[r, c] if lines[r, across] <= lines[down, c] else np.float32(0)

"""Indirect inference (Gourieroux, Monfort and Renault 1993, doi 10.1002/jae.3950080507).

Parameters are sought with which simulations give the statistics that were measured, though what measuring does to them
is known from simulations alone.
"""

from typing import NamedTuple

import numpy as np

from micromime.scenario.arrays import Reals

PRIOR_SD = 0.2
"""Parameters are thought to lie within about a factor exp(0.2) of those expected beforehand, where they stay if
measurements say little."""
MOST_MOVED = 0.4
"""Most that a step moves any parameter: a factor of 1.5."""


class Sensitivity(NamedTuple):
    """How statistics answer to parameters, and how certain they are."""

    jacobian: Reals
    """(statistics, parameters)"""
    covariance: Reals
    """(statistics, statistics): of measured minus simulated ones."""


def step(of: Sensitivity, difference: Reals, moved: Reals) -> Reals:
    """Return the change of the parameters, all as logarithms or log odds, that makes simulations alike.

    A Gauss-Newton step of generalised least squares: `difference` (statistics,) is measured minus simulated, and
    `moved` (parameters,) how far the parameters are from those expected, about which a weak prior holds them.
    """
    root = np.linalg.cholesky(of.covariance)
    count = len(moved)
    rows = np.vstack([np.linalg.solve(root, of.jacobian), np.eye(count) / PRIOR_SD])
    wanted = np.concatenate([np.linalg.solve(root, difference), -moved / PRIOR_SD])
    change: Reals = np.linalg.lstsq(rows, wanted, rcond=None)[0]
    return change * min(1.0, MOST_MOVED / max(float(np.abs(change).max()), 1e-12))

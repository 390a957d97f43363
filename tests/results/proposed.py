"""Numbers of what samplers ask for: where one changes, PROPOSING in project/results.py must be raised.

The samples of a round follow from the scores of the networks before, which its identity names, and from its sampler.
"""

from typing import Any

import numpy as np
from results.rendered import STYLED

from micromime.datasets.store import sample_id
from micromime.sampling.sampler import Scored
from micromime.sampling.samplers import read_sampler, samplers
from micromime.scenario.scenario import Scenario
from micromime.scenario.streams import stream
from micromime.use_cases import instance_kind

VERSION, RTOL = "PROPOSING", 1e-6

VARIED: dict[str, Any] = {
    "keep_seed": False,
    "within": {"grain_shades": {"mean_grey": {"share": 0.3}}, "grain_structure": {"diameter_px": 9}},
}
CLUSTERED = VARIED | {"clusters": 3}
NUISANCE = ["grain_boundaries.thickness_px"]
SETTINGS: dict[str, dict[str, Any]] = {
    "adversarial_draws": CLUSTERED | {"rate": 2},
    "learning_progress": CLUSTERED | {"tries": 1, "even_share": 0.2, "largest_share": 0.4, "stop_below": -0.1},
    "stratified": CLUSTERED | {"tries": 2, "by": ["style", *NUISANCE]},
    "worst_fraction": VARIED | {"fraction": 0.25},
    "worst_residual": VARIED | {"fraction": 0.25, "nuisance": NUISANCE, "stop_below": 0},
}
"""Of samplers that must be told something."""


def numbers() -> dict[str, dict[str, float]]:
    scenario = Scenario.read(instance_kind("grain_boundaries"), STYLED, "scenario")
    drawn = [scenario.draw_one(7, index, "scoring") for index in range(40)]
    rng = np.random.default_rng(4)
    bright = np.array([each.grain_shades.mean_grey for each in drawn])
    scores = 0.9 - bright / 600 + 0.1 * rng.random(len(drawn))
    scored = Scored([sample_id(n) for n in range(len(drawn))], drawn, scores, scores - 0.2 * rng.random(len(drawn)))
    return {name: asked(scenario, name, scored) for name in samplers()}


def members() -> set[str]:
    """What must have numbers."""
    return set(samplers())


def asked(scenario: Any, name: str, scored: Scored) -> dict[str, float]:
    sampler = read_sampler({name: SETTINGS.get(name, {})}, "sampler")
    proposed = sampler.propose(scenario, scored, 12, stream(9, "resample"))
    rows = [each.instance.row() for each in proposed]
    places = [float(each.parent or -1) for each in proposed]
    columns = ("seed", "grain_structure.diameter_px", "grain_shades.mean_grey", "grain_boundaries.thickness_px")
    found = {key: float(np.mean([float(row[key]) for row in rows])) for key in columns}
    return found | {"count": len(proposed), "parents": float(np.dot(places, 1 + np.arange(len(places)) / 7))}

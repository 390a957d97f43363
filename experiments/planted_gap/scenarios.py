"""What the four experiments of the planted gap draw from: part of what was fixed beforehand, so no setting.

gap     a mode, bright boundaries instead of dark ones, is 2 % of what is trained on and 30 % of the test
no_gap  the same mode is 30 % of both
trap    as gap, and 15 % of what is trained on is hopeless: noise, and next to no boundary in it
hidden  the mode is no parameter of its own: it looks much like that of gap, but is a corner of three wide distributions
        of fifteen, low or high together; 2 % of what is trained on lie there, and 30 % of the test
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from micromime.scenario.distributions import Value
from micromime.scenario.parameters import distributions
from micromime.scenario.scenario import Instance, Scenario
from micromime.use_cases import instance_kind

USE_CASE = "grain_boundaries"
SIDE_PX = 64

Content = dict[str, Any]
"""As in params.yaml."""

COMMON: Content = {
    "rows": SIDE_PX,
    "cols": SIDE_PX,
    "grain_structure": {"diameter_px": {"uniform": [16, 32]}, "relaxation_steps": {"integers": [1, 3]}},
    "grain_boundaries": {
        "control_points": 1,
        "waviness": {"uniform": [0.02, 0.08]},
        "thickness_px": {"uniform": [2, 4]},
        "thickness_spread": 0.1,
        "darkness": {"uniform": [0.2, 0.7]},
        "darkness_spread": 0.1,
    },
    "grain_shades": {"mean_grey": {"uniform": [90, 160]}, "contrast_grey": {"uniform": [3, 40]}},
    "perlin_texture": {"amplitude_grey": {"uniform": [5, 35]}, "wavelength": {"uniform": [0.2, 0.667]}},
    "illumination": {"gradient": {"uniform": [0, 0.1]}, "direction_deg": {"uniform": [0, 360]}},
    "white_noise": {"sd_grey": {"log_uniform": [3, 20]}},
    "gaussian_blur": {"kernel_px": {"choice": [1, 3]}},
}

BRIGHT: Content = {"boundary_contrast": {"bright_share": 1}}

HOPELESS: Content = {"white_noise": {"sd_grey": 60}, "grain_boundaries": {"darkness": {"uniform": [0.05, 0.1]}}}

WIDE: Content = {
    "grain_shades": {"mean_grey": {"uniform": [80, 200]}, "contrast_grey": {"uniform": [3, 20]}},
    "perlin_texture": {"amplitude_grey": {"uniform": [5, 25]}, "wavelength": {"uniform": [0.2, 0.667]}},
    "white_noise": {"sd_grey": {"log_uniform": [3, 15]}},
    "etch_residue": {
        "width": {"log_uniform": [0.0005, 0.3]},
        "unevenness": 0.1,
        "raggedness_px": 0.3,
        "grey": {"uniform": [0, 200]},
        "roughness_grey": 5,
        "speck_px": 2,
    },
}
"""Where the hidden gap is planted: residue of any grey lies on the boundaries, mostly too narrow to be seen."""

CORNER: Content = {
    "grain_shades": {"mean_grey": {"uniform": [80, 126]}},
    "etch_residue": {"width": {"log_uniform": [0.127, 0.3]}, "grey": {"uniform": [124, 200]}},
}
"""Broad residue, brighter than the grains, hides the dark lines: each alone is in 38 %, 13 % and 38 % of the images."""

USUAL, MODE, HOPELESS_STYLE = "usual", "mode", "hopeless"
IN_TEST = 0.3
"""Share of the mode in every test."""


@dataclass(frozen=True)
class Experiment:
    """What one experiment trains on, what it tests on, and what makes an instance one of the mode."""

    training: Content
    test: Content
    mode: Content

    @property
    def scenarios(self) -> tuple[Scenario[Any], Scenario[Any]]:
        """The scenario of training and that of the test."""
        kind = instance_kind(USE_CASE)
        training, test = (Scenario.read(kind, each, "planted_gap") for each in (self.training, self.test))
        return training, test

    def of_mode(self, instance: Instance) -> bool:
        """Return whether an instance lies where the mode's style draws from, whichever style or sampler it is from."""
        row = instance.row()
        return all(min(limits) <= row[name] <= max(limits) for name, limits in self._limits.items())

    @cached_property
    def _limits(self) -> dict[str, tuple[Value, ...]]:
        laws = {
            f"{name}.{key}": law for name, each in self.mode.items() for key, law in distributions(each, name).items()
        }
        return {name: law.limits() for name, law in laws.items()}


def _styles(common: Content, mode: Content, share: float, hopeless: float = 0.0) -> Content:
    styles: Content = {USUAL: {"weight": 1 - share - hopeless}, MODE: {"weight": share, **mode}}
    if hopeless > 0:
        styles[HOPELESS_STYLE] = {"weight": hopeless, **HOPELESS}
    return common | {"styles": styles}


_TEST = _styles(COMMON, BRIGHT, IN_TEST)

EXPERIMENTS = {
    "gap": Experiment(_styles(COMMON, BRIGHT, 0.02), _TEST, BRIGHT),
    "no_gap": Experiment(_TEST, _TEST, BRIGHT),
    "trap": Experiment(_styles(COMMON, BRIGHT, 0.02, hopeless=0.15), _TEST, BRIGHT),
    "hidden": Experiment(COMMON | WIDE, _styles(COMMON | WIDE, CORNER, IN_TEST), CORNER),
}
"""By name, in the order of every table."""

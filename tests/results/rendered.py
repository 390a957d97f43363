"""Numbers of rendered pictures and of draws: where one changes, RENDERER in project/results.py must be raised.

The pictures are of instances kept beside this file, so that no change of params.yaml changes a number: one of each
style that the project began with, and for each partial model one in which that alone is moved away from where it was.
"""

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError
from scipy.ndimage import gaussian_filter

from micromime.partial_models.surface.dictionary import PATCH_PX, SEED_PX, Dictionary
from micromime.scenario.distributions import KINDS, distribution
from micromime.scenario.partial_model import PartialModel
from micromime.scenario.scenario import Instance, Scenario
from micromime.scenario.streams import stream
from micromime.use_cases import instance_kind

VERSION, RTOL = "RENDERER", 1e-6

INSTANCES = Path(__file__).with_name("instances.json")

PLAIN = {"grain_boundaries": "plain", "chip_cracks": "chip"}
"""The instance of each use case in which partial models are moved, one by one."""

LAWS: dict[str, Any] = {
    "uniform": [2, 5],
    "log_uniform": [0.5, 8],
    "integers": [1, 9],
    "normal": {"mean": 3, "sd": 2, "low": 1, "high": 9},
    "lognormal": {"median": 3, "sigma": 0.5, "low": 1, "high": 9},
    "gamma": {"mean": 3, "shape": 2, "low": 1, "high": 9},
    "weibull": {"scale": 3, "shape": 1.5, "low": 1, "high": 9},
    "negative_binomial": {"mean": 4, "size": 2, "low": 1, "high": 30},
    "choice": {"values": [1, 3, 5], "weights": [1, 2, 1]},
}
"""A law of each kind."""

STYLED: dict[str, Any] = {
    **{"rows": 40, "cols": 56, "illumination": {"gradient": {"uniform": [0, 0.2]}}, "perlin_texture": {}},
    "grain_structure": {"diameter_px": {"lognormal": LAWS["lognormal"] | {"median": 30, "low": 10, "high": 90}}},
    "grain_boundaries": {"thickness_px": {"gamma": LAWS["gamma"]}, "darkness": {"uniform": [0.3, 0.9]}},
    "grain_shades": {"mean_grey": {"integers": [90, 200]}, "contrast_grey": 9},
    **{"gaussian_blur": {"kernel_px": {"choice": [1, 3, 5]}}, "white_noise": {}},
    "styles": {"bright": {"weight": 1, "grain_shades": {"mean_grey": 220}}, "dark": {"weight": 2}},
}


def numbers() -> dict[str, dict[str, float]]:
    found = {f"law {name}": quantiles(name) for name in KINDS if name in LAWS} | {"draws": draws()}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "dictionary.npz"
        made_up_dictionary().write(file)
        for name, (use_case, written) in kept().items():
            written["exemplar_texture"] = written.get("exemplar_texture", {}) | {"dictionary": str(file)}
            models = {key: written[key] for key in instance_kind(use_case).model_fields if key in written}
            found[name] = described(instance_kind(use_case).model_validate(models))
    return found


def members() -> set[str]:
    """What must have numbers."""
    models = {f"{use_case}: {key}" for use_case in PLAIN for key in instance_kind(use_case).partial_models()}
    return models | {f"law {name}" for name in KINDS}


def kept() -> dict[str, tuple[str, dict[str, Any]]]:
    """Use case and values of the instances beside this file, by name; what they leave out is as in the plain one."""
    written = json.loads(INSTANCES.read_text())
    return {name: (use_case, written[PLAIN[use_case]][1] | own) for name, (use_case, own) in written.items()}


def keep_new() -> None:
    """Add an instance for each partial model that has none."""
    written = json.loads(INSTANCES.read_text())
    for use_case, name in PLAIN.items():
        plain = instance_kind(use_case).model_validate(written[name][1])
        for key in plain.partial_models():
            written.setdefault(f"{use_case}: {key}", [use_case, {key: moved(getattr(plain, key)).model_dump()}])
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(each)}" for name, each in written.items())
    INSTANCES.write_text(f"{{\n{lines}\n}}\n")


def described(instance: Instance) -> dict[str, float]:
    sample = instance.render()
    objects = 0 if sample.labels is None else int(sample.labels.max())
    image = sample.image
    edge = float(np.abs(np.diff(image.astype(float), axis=1)).mean())
    return {
        **{"mean": float(image.mean()), "sd": float(image.std()), "change": edge},
        **{"mask": float(sample.mask.mean()), "objects": objects},
    }


def moved(model: PartialModel) -> PartialModel:
    """The model with every number at three tenths between its bounds."""
    values: dict[str, Any] = {}
    for key, field in type(model).model_fields.items():
        if field.annotation not in (int, float):
            continue
        low, high = (
            next(float(getattr(bound, end)) for bound in field.metadata for end in ends if hasattr(bound, end))
            for ends in (("ge", "gt"), ("le", "lt"))
        )
        place = low + 0.3 * (high - low)
        values[key] = round(place) if field.annotation is int else place
    try:
        return type(model).model_validate(model.model_dump() | values)
    except ValidationError:  # whole numbers that must be odd
        odd = {key: value + 1 if isinstance(value, int) else value for key, value in values.items()}
        return type(model).model_validate(model.model_dump() | odd)


def quantiles(name: str) -> dict[str, float]:
    law = distribution({name: LAWS[name]})
    return {f"at {u}": float(law.at(u)) for u in (0.05, 0.5, 0.9)}


def draws() -> dict[str, float]:
    scenario = Scenario.read(instance_kind("grain_boundaries"), STYLED, "scenario")
    drawn = [scenario.draw_one(7, index) for index in range(6)]
    within: Mapping[str, Any] = {"grain_shades": {"mean_grey": {"share": 0.3}}, "grain_structure": {"diameter_px": 9}}
    varied = [each.varied(within, False, stream(5, "vary", n)) for n, each in enumerate(drawn)]
    found = {}
    for name, instances in (("drawn", drawn), ("varied", varied)):
        rows = [each.row() for each in instances]
        columns = ["seed", *(key for key in scenario.dimensions if key != "style")]
        found |= {f"{name} {key}": float(np.mean([float(row[key]) for row in rows])) for key in columns}
        found[f"{name} dark"] = sum(row["style"] == "dark" for row in rows)
    return found


def made_up_dictionary(side: int = 96) -> Dictionary:
    """Smooth noise cut into patches."""
    noise = gaussian_filter(np.random.default_rng(3).standard_normal((400, 400)), 1.5)
    grey = np.clip(170 + 20 * noise / noise.std(), 0, 255).astype(np.uint8)

    def cut(count: int, px: int) -> Any:
        corners = np.random.default_rng(px).integers(0, 400 - px, (count, 2))
        return np.stack([grey[row : row + px, col : col + px] for row, col in corners])

    gain = np.ones((side, side // 2 + 1), np.float32)
    gain[1:9] = 1.2
    return Dictionary(cut(400, PATCH_PX), cut(5, SEED_PX), gain, cut(3, side))

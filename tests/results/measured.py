"""Numbers of fixed masks: where one changes, MEASURING in project/results.py must be raised."""

from typing import Any

import numpy as np

from micromime.judging.baselines import BASELINES, line_response
from micromime.judging.grain_size import astm_difference, astm_number, mean_intercept
from micromime.judging.grains import match_grains
from micromime.judging.metrics import SEGMENTATION, TESTED, betti_numbers
from micromime.judging.micrographs import Picture, classified, tested

VERSION, RTOL = "MEASURING", 1e-12


def numbers() -> dict[str, dict[str, Any]]:
    truth, probability, image = scene()
    row = tested(Picture("a", image, truth), probability)
    found = {name: {key: row[key] for key in row if key == name or key.startswith(f"{name}.")} for name in members()}
    rest = {key: value for key, value in row.items() if key.partition(".")[0] not in members() and key != "picture"}
    labels, shifted = blocks(0), blocks(4)
    whole = mean_intercept(labels) or {}
    wrong = {f"class {n}": classified(Picture("a", image, truth, n), 0.5)["error_rate"] for n in (0, 1)}
    baselines = {name: SEGMENTATION["mean_iou"](find(image), truth) for name, find in BASELINES.items()}
    return found | {
        "grains of a picture": rest,
        "matched grains": dict(match_grains(shifted, labels)),
        "intercept": dict(whole),
        "ASTM": {"number": astm_number(0.05), "difference": astm_difference(30, 40)},
        "Betti numbers": dict(zip(("b0", "b1"), betti_numbers(truth), strict=True)),
        "classes": wrong,
        "baselines": {**baselines, "line response": float(line_response(image))},
    }


def members() -> set[str]:
    """What must have numbers."""
    return set(TESTED)


def scene() -> tuple[Any, Any, Any]:
    """A net of lines, what a network could find of it, and a picture of it; none is square."""
    r, c = np.mgrid[:120, :168]
    truth = (r % 30 < 3) | ((c + r // 3) % 42 < 4)
    found = (r % 30 < 4) & (c % 50 > 5) | ((c + r // 3) % 42 < 6) & (r % 37 > 3) | ((r - 60) ** 2 + (c - 90) ** 2 < 30)
    wave = 0.5 + 0.5 * np.sin(r / 7.0) * np.cos(c / 11.0)
    probability = np.where(found, 0.45 + 0.55 * wave, 0.55 * wave).astype(np.float32)
    image = np.clip(150 + 70 * wave - 60 * truth, 0, 255).astype(np.uint8)
    return truth, probability, image


def blocks(shift_px: int) -> Any:
    """A label map of rectangles, numbered from 1."""
    r, c = np.mgrid[:120, :168]
    return (1 + ((r + shift_px) // 25) * 8 + (c + 2 * shift_px) // 31).astype(np.uint16)

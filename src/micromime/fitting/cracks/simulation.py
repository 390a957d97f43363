"""Cracks drawn from given laws, rendered as the real pictures show theirs, and measured as those are."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numba import njit
from scipy.ndimage import gaussian_filter

from micromime.engines.local import Mapped
from micromime.fitting.cracks.measures import FURTHER_TOLERANCES_PX, MeasuredCrack, Polyline, measure_cracks
from micromime.partial_models.cracks.crack import Course, Crack, course, lost_light, through
from micromime.scenario.arrays import Image, Mask, Reals
from micromime.scenario.distributions import distribution
from micromime.scenario.streams import stream

STREAM = "crack_statistics"
MARGIN_PX = 45
LARGEST_SIDE_PX = 4000
TOGETHER = 15
"""Pictures of which a worker is told at a time."""
LEAST_EXTRA_PX = 1.0
"""Least distance by which a drawn mask goes beyond the exact one, px."""

Picture = tuple[Image, Mask]

COURSE = ("segments", "segment_px", "segment_spread", "bend_deg", "bend_spread", "return_share")
"""What is measured of a crack's polyline."""


def at(key: str, tolerance_px: float) -> str:
    """Return the name of a column with what is measured of a polyline at another tolerance than the usual."""
    return f"{key}_at_{tolerance_px:g}_px"


FURTHER_COURSES = tuple(at(key, tolerance) for tolerance in FURTHER_TOLERANCES_PX for key in COURSE)


class Scene(NamedTuple):
    """What simulated pictures take over from the real ones."""

    cracks: pd.DataFrame
    """Measured cracks, of which drawn_px, width_px, grey, noise and noise_px are used."""
    sizes: Sequence[tuple[int, int]]
    """Rows and columns of the frames; empty where a frame is as large as its crack."""


class Drawn(NamedTuple):
    """One picture that is to be made and measured."""

    number: int
    model: Crack
    size: tuple[int, int] | None
    """Rows and columns of its frame; None where that is as large as its crack."""
    like: Mapping[Any, float]
    """The measured crack whose surface and mask it has."""
    rng: np.random.Generator


def measured_table(pictures: Iterable[Picture]) -> pd.DataFrame:
    """Return one row a measured crack: its picture, fields of `Crack`, what `Scene` has, further courses."""
    return pd.DataFrame([row for number, each in enumerate(pictures) for row in _rows(number, each)])


def simulate(
    parameters: Mapping[str, Any], scene: Scene, count: int, seeded: tuple[int, int], mapped: Mapped = map
) -> pd.DataFrame:
    """Return the measured cracks (as `measured_table` has them) of `count` pictures with a crack from these laws each.

    `seeded` is a seed and the number of a round: the same two give the same cracks. Every parameter's draws are spread
    evenly over its law, so that few cracks stand for it well. The background is flat, with the noise of the real ones.
    `mapped` is what calls for several pictures, here or in other processes.
    """
    every = list(drawn(parameters, scene, count, seeded))
    parts = [every[first : first + TOGETHER] for first in range(0, count, TOGETHER)]
    return pd.DataFrame([row for part in mapped(_measured_part, parts) for row in part])


def drawn(parameters: Mapping[str, Any], scene: Scene, count: int, seeded: tuple[int, int]) -> Iterator[Drawn]:
    """Yield what `simulate` makes and measures."""
    seed, number = seeded
    columns = {}
    for key, written in parameters.items():
        rng = stream(seed, f"{STREAM}.{key}", number)
        law = distribution(written)
        columns[key] = [law.at(u) for u in (rng.permutation(count) + rng.random(count)) / count]
    like = scene.cracks[["drawn_px", "width_px", "grey", "noise", "noise_px"]].to_dict("records")
    for k in range(count):
        model = Crack(**{key: values[k] for key, values in columns.items()})
        size = scene.sizes[k % len(scene.sizes)] if scene.sizes else None
        yield Drawn(k, model, size, like[k % len(like)], stream(seed, STREAM, number * count + k))


def _measured_part(part: Sequence[Drawn]) -> list[dict[str, Any]]:
    return [row for each in part for row in _rows(each.number, picture(each))]


def picture(asked: Drawn) -> Picture:
    """Return the picture, with a mask as if drawn by hand: wider than the crack."""
    crack = course(asked.model, asked.rng)
    if asked.size:
        rows, cols = asked.size
        crack = through(crack, rows, cols, asked.rng)
    else:
        crack, (rows, cols) = _framed(crack, asked.model.tips)
    lost, exact = lost_light(crack, rows, cols)
    like = asked.like
    noise = gaussian_filter(asked.rng.standard_normal((rows, cols)), like["noise_px"])
    light = _light(lost, noise, like["grey"], like["noise"], max(float(noise.std()), 1e-9))
    return light, _widened(exact, max((like["drawn_px"] - like["width_px"]) / 2, LEAST_EXTRA_PX))


@njit(cache=True)
def _light(lost: Any, noise: Any, grey: float, share: float, sd: float) -> Any:
    """Return the picture of a surface of this grey with noise of such a share of it; sd is that of the noise."""
    seen = np.empty(lost.shape, dtype=np.uint8)
    for row in range(len(lost)):
        for col in range(lost.shape[1]):
            light = np.rint(grey * (np.float32(1) - lost[row, col] + share * noise[row, col] / sd))
            seen[row, col] = np.uint8(min(max(light, 0.0), 255.0))
    return seen


@njit(cache=True)
def _widened(mask: Any, by_px: float) -> Any:
    """Return the mask of the pixels that lie no farther than that from one of this mask."""
    wide, reach = np.zeros_like(mask), int(by_px)
    for row in range(len(mask)):
        for col in range(mask.shape[1]):
            if mask[row, col]:
                for down in range(max(-reach, -row), min(reach, len(mask) - 1 - row) + 1):
                    across = int(np.sqrt(by_px**2 - down**2)) + 1
                    while np.sqrt(down**2 + across**2) > by_px:
                        across -= 1
                    wide[row + down, max(col - across, 0) : col + across + 1] = True
    return wide


def _framed(crack: Course, tips: int) -> tuple[Course, tuple[int, int]]:
    """Return the crack moved into a frame around it, and the frame's rows and columns.

    A crack with one tip comes from beyond the frame's border, as from the edge of a specimen.
    """
    least, most = crack.points.min(axis=0) - MARGIN_PX, crack.points.max(axis=0) + MARGIN_PX
    if tips == 1:
        root, tip = crack.points[0, 1], crack.points[-1, 1]
        least[1], most[1] = (max(least[1], root + 1), most[1]) if root < tip else (least[1], min(most[1], root - 1))
    size = np.clip(np.ceil(most - least).astype(int), 2 * MARGIN_PX, LARGEST_SIDE_PX)
    return crack._replace(points=crack.points - least), (int(size[0]), int(size[1]))


def _rows(number: int, seen: Picture) -> list[dict[str, Any]]:
    return [{"picture": number, **_row(crack)} for crack in measure_cracks(*seen)]


def _row(crack: MeasuredCrack) -> dict[str, float]:
    plain = {key: value for key, value in crack._asdict().items() if key not in ("line", "further")}
    further = {at(key, px): value for px, line in crack.further.items() for key, value in _course(line).items()}
    return {**_course(crack.line), **plain, **further}


def _course(line: Polyline) -> dict[str, float]:
    bends = np.abs(line.bends_deg)
    return {
        "segments": len(line.lengths_px),
        "segment_px": float(np.median(line.lengths_px)),
        "segment_spread": _spread(line.lengths_px),
        "bend_deg": float(np.median(bends)) if len(bends) else float("nan"),
        "bend_spread": _spread(bends),
        "return_share": float(line.returns.mean()) if len(bends) else float("nan"),
    }


def _spread(values: Reals) -> float:
    """Return the standard deviation of the logarithms; NaN for fewer than three values."""
    return float(np.log(np.maximum(values, 1e-6)).std(ddof=1)) if len(values) >= 3 else float("nan")

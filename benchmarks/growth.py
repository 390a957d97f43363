"""How time and memory grow with what is asked for: measured curves, an exponent for each, and a picture.

    python benchmarks/growth.py        writes metrics/growth.json and docs/growth.svg, in some ten minutes

Each point is measured in a process of its own, which has done the same once before, on little. An exponent is the slope
of a straight line through the logarithms; that of n log n over the same points is what it is compared with.
"""

import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import chdir
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits
from tqdm import tqdm
from typer import Option
from workloads import in_new_process, peak_memory_mib

from micromime.engines.local import KEEP_MEMORY, ONE_THREAD
from micromime.scenario.arrays import Reals
from micromime.scenario.parameters import one_of, read_tree
from micromime.scenario.scenario import Scenario
from micromime.use_cases import instance_kind

PROJECT = Path(__file__).parents[1]
USE_CASE = "grain_boundaries"
DATA = Path("data")
SMALL_PX, SIDE_PX = 64, 1024
PICTURES = 3
"""Of which the mean counts, where single ones are rendered: the same numbers, so the same styles, at each point."""

TILES = 50
FLAT = 1.15
"""Memory of the most over that of the least, up to which it is called flat."""


def n_log_n(n: Reals) -> Reals:
    """Return what is compared with, up to a factor; it begins at 1."""
    return n * np.log2(n + 1)


class Curve(NamedTuple):
    """What grows, and what is done at each point."""

    what: str
    unit: str
    """What `n` counts, as an axis says it."""
    points: Sequence[int]
    work: Callable[[int], float]
    """Seconds for n; called in an empty folder."""
    expected: Callable[[Reals], Reals] = n_log_n
    """What its seconds are compared with, up to a factor."""


def scenario_content(rows: int, cols: int) -> dict[str, Any]:
    """Return the demo's scenario of grains for pictures of a size."""
    content: dict[str, Any] = read_tree(PROJECT / "params.yaml")[USE_CASE]["scenario"]
    return content | {"rows": rows, "cols": cols}


def render_images(count: int, side_px: int = SMALL_PX, workers: int = 1) -> float:
    """Return the seconds of a data set, from the scenario to the files."""
    from micromime.datasets.render import RenderParameters
    from micromime.stages.render import render_scenario

    said, asked = {"scenario": scenario_content(side_px, side_px)}, RenderParameters(count=count, seed=0)
    began = time.process_time()
    render_scenario(USE_CASE, said, asked, DATA, workers)
    return time.process_time() - began


def render_picture(side_px: int, diameter_px: float | None = None) -> float:
    """Return the seconds of one micrograph, a mean: image, mask and labels."""
    scenario = Scenario.read(instance_kind(USE_CASE), scenario_content(side_px, side_px), "scenario")
    instances = [scenario.draw_one(0, number) for number in range(PICTURES)]
    if diameter_px:
        sized = [each.grain_structure.model_copy(update={"diameter_px": diameter_px}) for each in instances]
        pairs = zip(instances, sized, strict=True)
        instances = [each.model_copy(update={"grain_structure": grains}) for each, grains in pairs]
    began = time.process_time()
    for each in instances:
        each.render()
    return (time.process_time() - began) / len(instances)


def render_grains(grains: int) -> float:
    """Return the seconds of one micrograph with about so many grains."""
    return render_picture(SIDE_PX, float(np.sqrt(SIDE_PX**2 / grains * 4 / np.pi)))


def render_tiles(patches: int) -> float:
    """Return the seconds of a tile with a texture from a dictionary of so many patches, its reading not counted."""
    from render import chip_cracks  # late: needs the package noise, thus a compiler

    file = Path("dictionary.npz").absolute()
    in_new_process(write_patches, file, patches)  # whose memory is not counted
    contest = chip_cracks(file)
    instances = [contest.draw(number) for number in range(TILES)]
    contest.render(instances[:2])
    began = time.process_time()
    contest.render(instances)
    return (time.process_time() - began) / TILES


def write_patches(file: Path, patches: int) -> None:
    """Write a dictionary of so many patches."""
    from render import dictionary_of

    dictionary_of(patches).write(file)


def train_runs(runs: int) -> float:
    """Return the seconds of an arm of so many tiny networks, one after another: the queue, the records, the folder."""
    from micromime.arms.arm import Arm
    from micromime.arms.queue import train_arms
    from micromime.training.settings import TrainParameters

    render_images(12)
    written = read_tree(PROJECT / "params.yaml")[USE_CASE]["train"]
    phase = {"size_px": 32, "trainable": "all", "epochs": 1, "peak_rate": 0.001, "batch_size": 8}
    changed = {"architecture": "small_unet", "runs": runs, "phases": [phase]}
    arm = Arm(USE_CASE, "tiny", TrainParameters.model_validate(written | changed), DATA)
    began = time.process_time()
    train_arms({Path("models/tiny"): [arm]}, "growth", Path("records"), lambda *_: None)
    return time.process_time() - began


def render_by(workers: int) -> float:
    """Return the seconds, by the clock, of a data set of 3,000 micrographs by so many workers."""
    began = time.perf_counter()
    render_images(3000, 192, workers)
    return time.perf_counter() - began


CURVES = {
    "images": Curve("data set, 64 px, one core", "pictures", (100, 300, 1000, 3000, 10_000), render_images),
    "side": Curve(
        "micrograph, all styles",
        "side in px",
        (128, 256, 512, 1024, 2048, 4096),
        render_picture,
        lambda n: n_log_n(n**2),
    ),
    "grains": Curve("micrograph of 1024 px, all styles", "grains", (50, 150, 500, 1500, 5000), render_grains),
    "dictionary": Curve("crack tile", "patches", (1_000, 3_000, 10_000, 30_000, 100_000), render_tiles),
    "runs": Curve("tiny networks, one core", "runs", (1, 2, 4, 8, 16, 32), train_runs),
    "workers": Curve("3,000 pictures of 192 px", "workers", (1, 2), render_by, lambda n: 1 / n),
}


def measured(name: str, n: int) -> dict[str, float]:
    """Return seconds and peak memory of a point, measured in this process."""
    curve = CURVES[name]
    with threadpool_limits(1):
        for each in (curve.points[0], n):  # the first compiles and imports
            with TemporaryDirectory() as folder, chdir(folder):
                seconds = curve.work(each)
    return {"n": n, "seconds": seconds, "peak_memory_mib": peak_memory_mib()}


def grown(name: str, points: Sequence[dict[str, float]]) -> dict[str, Any]:
    """Return a curve with its exponents and what is said of it."""
    n, seconds, memory = columns(points)
    (found, error), (own, _) = exponent(n, seconds), exponent(n, CURVES[name].expected(n))
    return {
        "what": CURVES[name].what,
        "unit": CURVES[name].unit,
        "exponent": found,
        "standard_error": error,
        "at_its_end": exponent(n[-2:], seconds[-2:])[0],
        "compared_with": own,
        "worse": bool(found - 2 * (error or 0) > own),
        "memory_exponent": exponent(n, memory)[0],
        "memory_is_flat": bool(memory.max() / memory.min() <= FLAT),
        "points": points,
    }


def exponent(n: Reals, values: Reals) -> tuple[float, float | None]:
    """Return the slope of the logarithms' straight line by least squares, and of 3 points its standard error."""
    x, y = np.log(n) - np.log(n).mean(), np.log(values) - np.log(values).mean()
    slope = float(x @ y / (x @ x))
    error = float(np.sqrt(((y - slope * x) ** 2).sum() / (len(n) - 2) / (x @ x))) if len(n) > 2 else None
    return slope, error


def drawing(curves: Mapping[str, dict[str, Any]]) -> str:
    """Return the picture: seconds, and memory below; grey is n log n, or the work shared by all workers."""
    from micromime.reporting.charts.base import ACROSS, chart, svg  # late, as all that draws: memory of all points

    with chart(1.6, 2 * ACROSS * -(-len(curves) // ACROSS), ACROSS) as (figure, every):
        for place, (name, curve) in enumerate(curves.items()):
            above = place + place // ACROSS * ACROSS
            draw(every[above], every[above + ACROSS], curve, CURVES[name].expected)
        return svg(figure, "growth", f"Seconds and peak memory against what grows: {', '.join(curves)}.")


def draw(above: Any, below: Any, curve: dict[str, Any], expected: Callable[[Reals], Reals]) -> None:
    """Draw seconds on one pair of axes and memory on another."""
    from matplotlib.ticker import NullLocator

    from micromime.reporting.charts.base import BLUE, FAINT_INK, ORANGE, plain_logarithmic

    n, seconds, memory = columns(curve["points"])
    own = expected(n)
    above.plot(n, own * np.exp(np.log(seconds / own).mean()), color=FAINT_INK, linewidth=1)
    above.plot(n, seconds, "o-", color=BLUE, markersize=4)
    below.plot(n, memory, "s-", color=ORANGE, markersize=4)
    above.set(title=curve["what"], xscale="log", yscale="log", ylabel="seconds")
    plain_logarithmic(above.yaxis)
    if seconds.max() > 30 * seconds.min():
        above.yaxis.get_major_locator().set_params(subs=(1,))
    below.set(xlabel=curve["unit"], xscale="log", ylabel="MiB", ylim=(0, memory.max() * 1.15))
    for axes in (above, below):
        axes.set_xticks(n, [f"{each:,.0f}" for each in n])
        axes.xaxis.set_minor_locator(NullLocator())


def columns(points: Sequence[dict[str, float]]) -> list[Reals]:
    """Return n, seconds and peak memory of points."""
    return [np.array([each[key] for each in points]) for key in ("n", "seconds", "peak_memory_mib")]


def main(
    quick: Annotated[bool, Option("--quick", help="The first two points of each curve, to see that it works.")] = False,
    curves: Annotated[list[str], Option(help=f"Of {', '.join(CURVES)}.")] = [*CURVES],  # noqa: B006 - typer reads it
    out: Annotated[Path, Option(help="The numbers.")] = PROJECT / "metrics/growth.json",
    picture: Annotated[Path, Option(help="Of all curves.")] = PROJECT / "docs/growth.svg",
) -> None:
    """Measure, write the numbers and draw them; curves not asked for stay as they were measured before."""
    os.environ.update(ONE_THREAD | KEEP_MEMORY)
    found = json.loads(out.read_text()) if out.exists() else {}
    for name in curves:
        one_of(name, CURVES, "--curves")
        points = []
        for n in tqdm(CURVES[name].points[: 2 if quick else None], desc=name, unit=" points"):
            os.environ["MICROMIME_WORKERS"] = str(n) if name == "workers" else "1"
            points.append(in_new_process(measured, name, n))
        found[name] = grown(name, points)
        found = {each: found[each] for each in CURVES if each in found}
        out.write_text(json.dumps(found, indent=1) + "\n")  # each as it is done
    picture.write_text(drawing(found))


if __name__ == "__main__":
    from micromime.cli import command  # not above: it would count as the renderer's memory

    command(main)

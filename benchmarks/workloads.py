"""What two builds are both given to do, each by its own code: a workload a process, of one thread.

    python benchmarks/workloads.py grains_all        prints how many units a second, and the most memory taken

The current folder is the build's checkout, from which `micromime` and its `render` (benchmarks/render.py) are imported.
Modules have other names in other builds: `named` takes the first that there is. CPU time is counted, so that a machine
with something else to do changes little; what is compiled or imported before the first unit is not.
"""

import inspect
import json
import os
import re
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

SECONDS = 5.0
"""How long, at least, a workload is timed."""

SET = ("ONE_THREAD", "KEEP_MEMORY")
"""Environment of a build's workers."""

SHARE_TIMED = 0.8
"""Of the samples of a data set, as params.yaml leaves 0.2 to validation: those are images trained on."""


def named(*places: str) -> Any:
    """Return the first of `module:name` that this build has; ImportError where it has none."""
    for place in places:
        module, _, name = place.partition(":")
        try:
            return getattr(import_module(f"micromime.{module}"), name)
        except (ModuleNotFoundError, AttributeError):
            continue
    raise ImportError(f"this build has none of {', '.join(places)}")


def rate(work: Callable[[int], float], seconds: float = SECONDS) -> float:
    """Return units a CPU second of work that is given 0, 1, 2 ... and returns how many units it has done."""
    work(0)  # compiles, reads, fills caches
    units, turn, began = 0.0, 0, time.process_time()
    while not units or time.process_time() < began + seconds:
        turn += 1
        units += work(turn)
    return units / (time.process_time() - began)


def peak_memory_mib() -> float:
    """Return the most memory this process has had at once, in MiB.

    Not `ru_maxrss`: a process that another one starts inherits what that one had.
    """
    said = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s*(\d+) kB", said)[1]) / 1024


def in_new_process(work: Callable[..., Any], *arguments: Any) -> Any:
    """Return what the work returns, done by a process that has done nothing before."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


def grains(profile: str) -> float:
    """Return micrographs rendered a second: 512 px, 150 grains, all else as a profile's scenario draws it."""
    import render

    contest = render.grain_boundaries(profile, render.scenario_of(profile))

    def work(turn: int) -> float:
        contest.render([contest.draw(number) for number in range(10 * turn, 10 * turn + 10)])
        return 10

    return rate(work)


def cracks() -> float:
    """Return tiles rendered a second: 128 px, from a dictionary of 12,000 patches."""
    import render

    with TemporaryDirectory() as folder:
        file = Path(folder, "dictionary.npz")
        render.in_new_process(render.write_dictionary, file)
        contest = render.chip_cracks(file)

        def work(turn: int) -> float:
            contest.render([contest.draw(number) for number in range(100 * turn, 100 * turn + 100)])
            return 100

        return rate(work)


def training(use_case: str, phase: int, architecture: str = "") -> float:
    """Return images a second that a run trains on in one phase, all of it: loading, training, validating, writing.

    Weights are random, settings those of the build's params.yaml; a run of one epoch before is not timed.
    """
    fit_run, run_of = named("training.learner:fit_run"), named("training.learner:Run")
    parameters = named("training.settings:TrainParameters", "training.phases:TrainParameters")
    tree = named("scenario.parameters:read_tree", "parameters:read_tree")(Path("params.yaml"))
    settings = parameters.model_validate(tree[use_case]["train"])
    chosen = settings.phases[phase]
    settings = settings.model_copy(update={"architecture": architecture or settings.architecture})
    log = [lambda *_: None] if "log" in inspect.signature(fit_run).parameters else []
    with TemporaryDirectory() as name:
        folder = Path(name)
        data, start = data_set(use_case, folder), random_network(settings.architecture, folder / "start", chosen)

        def work(turn: int) -> float:
            epochs = chosen.epochs if turn else 1
            phases = (chosen.model_copy(update={"epochs": epochs}),)
            run = run_of(1, settings.model_copy(update={"phases": phases}), data, start)
            (folder / f"run-{turn}").mkdir()
            fit_run(run, {}, folder / f"run-{turn}", *log)
            return epochs * SHARE_TIMED * len(data.images)

        return rate(work)


def data_set(use_case: str, folder: Path) -> Any:
    """Return a data set that is rendered now: as many micrographs as the demo has, or 400 tiles of 128 px."""
    import render

    render_dataset, dataset = named("datasets.render:render_dataset"), named("datasets.store:Dataset")
    kind = named("use_cases:instance_kind", "scenarios:instance_kind")(use_case)
    description: dict[str, Any] = {"use_case": use_case, "seed": 0}
    if use_case == "chip_cracks":
        render.in_new_process(render.write_dictionary, folder / "dictionary.npz")
        draw, count = render.chip_cracks(folder / "dictionary.npz").draw, 400
        description |= {"classes": kind.classes}
    else:
        tree = named("scenario.parameters:read_tree", "parameters:read_tree")(Path("params.yaml"))[use_case]
        scenario = named("scenario.scenario:Scenario", "scenario:Scenario").read(kind, tree["scenario"], "scenario")
        draw, count = partial(scenario.draw_one, 0), int(tree["render"]["count"])
    render_dataset([draw(n) for n in range(count)], description, folder / "data", folder / "work")
    return dataset(folder / "data")


def random_network(architecture: str, folder: Path, phase: Any) -> Path:
    """Return the folder of a network with random weights: no download, and as fast as any."""
    import torch

    torch.manual_seed(0)
    torch.set_num_threads(1)
    network = named("training.architectures:build")(architecture, pretrained=False)
    about = {"architecture": architecture, "classes": ["intact", "crack"], "run": 1, "size_px": phase.size_px}
    named("training.networks:save_network")(network, about, folder)
    return folder


def asking(side_px: int, *measures: str) -> float:
    """Return pictures a second that a U-Net is asked about, in one view, and its answer measured.

    What is measured is the true mask, blurred and with noise: what random weights answer has no grains.
    """
    from scipy.ndimage import gaussian_filter  # late: the environment of peers has none

    kind = named("use_cases:instance_kind", "scenarios:instance_kind")("grain_boundaries")
    tree = named("scenario.parameters:read_tree", "parameters:read_tree")(Path("params.yaml"))["grain_boundaries"]
    content = tree["scenario"] | {"rows": side_px, "cols": side_px}
    scenario = named("scenario.scenario:Scenario", "scenario:Scenario").read(kind, content, "scenario")
    picture = named("judging.micrographs:Picture", "stages.picture_scores:Picture")
    measure, rng = named(*measures), np.random.default_rng(0)
    predictor = named("inference.networks:predictor", "stages.ask:predictor")
    asked = []
    for number in range(12):
        sample = scenario.draw_one(0, number).render()
        blurred = gaussian_filter(sample.mask.astype(np.float32), 1.5) * 1.3
        answer = np.clip(blurred + rng.normal(0, 0.1, sample.mask.shape), 0, 1).astype(np.float32)
        asked.append((picture(str(number), sample.image, sample.mask), answer))
    with TemporaryDirectory() as name:
        phase = named("training.settings:Phase", "training.phases:Phase")
        small = phase(size_px=64, trainable="all", epochs=1, peak_rate=0.001, batch_size=4)
        find = predictor(random_network(tree["train"]["architecture"], Path(name), small))

        def work(turn: int) -> float:
            seen, answer = asked[turn % len(asked)]
            find(seen.image)
            measure(seen, answer)
            return 1

        return rate(work)


GRAINS, CHIPS, LAST = "grain_boundaries", "chip_cracks", -1
WORKLOADS: dict[str, Callable[[], float]] = {
    "unet": partial(training, GRAINS, LAST),
    "head_64": partial(training, GRAINS, 0),
    "head_96": partial(training, GRAINS, 1),
    "lite0": partial(training, CHIPS, LAST, "efficientnet_lite0"),
    "resnet50": partial(training, CHIPS, LAST, "resnet50"),
    "grains_all": partial(grains, "demo"),
    "grains_paper": partial(grains, "paper"),
    "cracks": cracks,
    "score": partial(asking, 192, "judging.micrographs:scored", "stages.picture_scores:measured"),
    "judge": partial(asking, 512, "judging.micrographs:tested", "stages.tested_pictures:tested"),
}


def main(arguments: Sequence[str]) -> None:
    """Print the result of a workload, with threads and memory as the build sets them for its workers."""
    if "MICROMIME_WORKER" not in os.environ:  # libraries read it as they are loaded
        env = {key: value for name in SET for key, value in named(f"engines.local:{name}", f"engine:{name}").items()}
        command = [sys.executable, "-P", "-W", "ignore", __file__, *arguments]  # -P: `render` is the build's own
        os.execve(sys.executable, command, os.environ | env | {"MICROMIME_WORKER": "1"})
    per_second = WORKLOADS[arguments[0]]()
    print(json.dumps({"per_second": per_second, "peak_memory_mib": peak_memory_mib()}))


if __name__ == "__main__":
    main(sys.argv[1:])

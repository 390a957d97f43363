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

GRAINS, CHIPS, LAST = "grain_boundaries", "chip_cracks", -1
"""Use cases, and the last phase of a training."""

PLACES = {
    "read_tree": ("scenario.parameters:read_tree", "parameters:read_tree"),
    "Scenario": ("scenario.scenario:Scenario", "scenario:Scenario"),
    "instance_kind": ("use_cases:instance_kind", "scenarios:instance_kind"),
    "render_dataset": ("datasets.render:render_dataset",),
    "Dataset": ("datasets.store:Dataset",),
    "TrainParameters": ("training.settings:TrainParameters", "training.phases:TrainParameters"),
    "Run": ("training.learner:Run",),
    "fit_run": ("training.learner:fit_run",),
    "build": ("training.architectures:build",),
    "save_network": ("training.networks:save_network",),
    "predictor": ("inference.networks:predictor", "stages.ask:predictor"),
    "Picture": ("judging.micrographs:Picture", "stages.picture_scores:Picture"),
    "scored": ("judging.micrographs:scored", "stages.picture_scores:measured"),
    "tested": ("judging.micrographs:tested", "stages.tested_pictures:tested"),
    "ONE_THREAD": ("engines.local:ONE_THREAD", "engine:ONE_THREAD"),
    "KEEP_MEMORY": ("engines.local:KEEP_MEMORY", "engine:KEEP_MEMORY"),
}
"""Where what is used stands in the package: in this build, and in that of commit 7751117 where that is elsewhere."""


def named(name: str) -> Any:
    """Return what stands under a name of PLACES in this build; ImportError where it is at none of them."""
    for place in PLACES[name]:
        module, _, there = place.partition(":")
        try:
            return getattr(import_module(f"micromime.{module}"), there)
        except (ModuleNotFoundError, AttributeError):
            continue
    raise ImportError(f"this build has none of {', '.join(PLACES[name])}")


def section(use_case: str) -> dict[str, Any]:
    """Return what the build's params.yaml has of a use case."""
    return named("read_tree")(Path("params.yaml"))[use_case]


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

    return rendered(render.grain_boundaries(profile, render.scenario_of(profile)), 10)


def cracks() -> float:
    """Return tiles rendered a second: 128 px, from a dictionary of 12,000 patches."""
    import render

    with TemporaryDirectory() as folder:
        render.in_new_process(render.write_dictionary, Path(folder, "dictionary.npz"))
        return rendered(render.chip_cracks(Path(folder, "dictionary.npz")), 100)


def rendered(contest: Any, together: int) -> float:
    """Return samples rendered a second, so many together, of ten times as many that are drawn before."""
    parts = [[contest.draw(number) for number in range(n * together, (n + 1) * together)] for n in range(10)]

    def work(turn: int) -> float:
        contest.render(parts[turn % len(parts)])
        return together

    return rate(work)


def training(use_case: str, phase: int, architecture: str = "") -> float:
    """Return images a second that a run trains on in one phase, all of it: loading, training, validating, writing.

    Weights are random, settings those of the build's params.yaml; a run of one epoch before is not timed.
    """
    settings = named("TrainParameters").model_validate(section(use_case)["train"])
    settings = settings.model_copy(update={"architecture": architecture or settings.architecture})
    chosen = settings.phases[phase]
    with TemporaryDirectory() as name:
        folder = Path(name)
        data, start = (
            data_set(use_case, folder),
            random_network(settings.architecture, chosen.size_px, folder / "start"),
        )

        def work(turn: int) -> float:
            epochs = chosen.epochs if turn else 1
            phases = (chosen.model_copy(update={"epochs": epochs}),)
            run = named("Run")(1, settings.model_copy(update={"phases": phases}), data, start)
            fitted(run, folder / f"run-{turn}")
            return epochs * len(run.indices[0])

        return rate(work)


def learn(use_case: str, number: str, data: str, folder: str) -> None:
    """Train one run on a data set as the build's params.yaml says, all phases; its network comes to a folder."""
    settings = named("TrainParameters").model_validate(section(use_case)["train"])
    fitted(named("Run")(int(number), settings, named("Dataset")(Path(data))), Path(folder))


def fitted(run: Any, folder: Path) -> None:
    """Let a build train one run to a folder."""
    fit_run = named("fit_run")
    folder.mkdir(parents=True, exist_ok=True)
    fit_run(run, {}, folder, *([lambda *_: None] if "log" in inspect.signature(fit_run).parameters else []))


def data_set(use_case: str, folder: Path) -> Any:
    """Return a data set that is rendered now: as many micrographs as the demo has, or 400 tiles of 128 px."""
    kind = named("instance_kind")(use_case)
    description: dict[str, Any] = {"use_case": use_case, "seed": 0}
    if use_case == CHIPS:
        import render

        render.in_new_process(render.write_dictionary, folder / "dictionary.npz")
        draw, count = render.chip_cracks(folder / "dictionary.npz").draw, 400
        description |= {"classes": kind.classes}
    else:
        scenario = named("Scenario").read(kind, section(use_case)["scenario"], "scenario")
        draw, count = partial(scenario.draw_one, 0), int(section(use_case)["render"]["count"])
    named("render_dataset")([draw(n) for n in range(count)], description, folder / "data", folder / "work")
    return named("Dataset")(folder / "data")


def random_network(architecture: str, size_px: int, folder: Path) -> Path:
    """Return the folder of a network with random weights: no download, and as fast as any."""
    import torch

    torch.manual_seed(0)
    torch.set_num_threads(1)
    about = {"architecture": architecture, "classes": ["intact", "crack"], "run": 1, "size_px": size_px}
    named("save_network")(named("build")(architecture, pretrained=False), about, folder)
    return folder


def asking(side_px: int, measure: str) -> float:
    """Return pictures a second that a U-Net is asked about, in one view, and its answer measured.

    What is measured is the true mask, blurred and with noise: what random weights answer has no grains.
    """
    from scipy.ndimage import gaussian_filter  # late: the environment of peers has none

    content = section(GRAINS)["scenario"] | {"rows": side_px, "cols": side_px}
    scenario = named("Scenario").read(named("instance_kind")(GRAINS), content, "scenario")
    asked, rng = [], np.random.default_rng(0)
    for number in range(12):
        sample = scenario.draw_one(0, number).render()
        blurred = gaussian_filter(sample.mask.astype(np.float32), 1.5) * 1.3
        answer = np.clip(blurred + rng.normal(0, 0.1, sample.mask.shape), 0, 1).astype(np.float32)
        asked.append((named("Picture")(str(number), sample.image, sample.mask), answer))
    with TemporaryDirectory() as folder:
        find = named("predictor")(random_network(section(GRAINS)["train"]["architecture"], side_px, Path(folder)))

        def work(turn: int) -> float:
            seen, answer = asked[turn % len(asked)]
            find(seen.image)
            named(measure)(seen, answer)
            return 1

        return rate(work)


WORKLOADS: dict[str, Callable[[], float]] = {
    "unet": partial(training, GRAINS, LAST),
    "head_64": partial(training, GRAINS, 0),
    "head_96": partial(training, GRAINS, 1),
    "classifier": partial(training, CHIPS, LAST),
    "resnet50": partial(training, CHIPS, LAST, "resnet50"),
    "resnet50_head": partial(training, CHIPS, 0, "resnet50"),
    "grains_all": partial(grains, "demo"),
    "grains_paper": partial(grains, "paper"),
    "cracks": cracks,
    "score": partial(asking, 192, "scored"),
    "judge": partial(asking, 512, "tested"),
}


def main(arguments: Sequence[str]) -> None:
    """Print the result of a workload, with threads and memory as the build sets them for its workers."""
    if "MICROMIME_WORKER" not in os.environ:  # libraries read it as they are loaded
        env = {key: value for name in ("ONE_THREAD", "KEEP_MEMORY") for key, value in named(name).items()}
        command = [sys.executable, "-P", "-W", "ignore", __file__, *arguments]  # -P: `render` is the build's own
        os.execve(sys.executable, command, os.environ | env | {"MICROMIME_WORKER": "1"})
    if arguments[0] == "learn":
        learn(*arguments[1:])
        return
    per_second = WORKLOADS[arguments[0]]()
    print(json.dumps({"per_second": per_second, "peak_memory_mib": peak_memory_mib()}))


if __name__ == "__main__":
    main(sys.argv[1:])

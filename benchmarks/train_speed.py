"""Measure which precision, order in memory and threads train fastest on this machine, and propose them."""

import json
import os
import platform
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple, get_args

from micromime.commands.trial import Timed, time_settings

from micromime.engines.local import cores
from micromime.mistakes import Mistake
from micromime.scenario.parameters import one_of, read_tree, section, typed
from micromime.training.architectures import architectures
from micromime.training.settings import TrainParameters

TUNED = ("precision", "channels_last", "threads")
"""The keys of a use case's `train` that are measured and proposed."""

WORTH = 1.1
"""How many times as fast other settings must be: one measurement differs from the next by some per cent."""


BUSY = 0.25
"""Processes a core that want to run while nothing is timed yet: from here on the others are felt."""


class Machine(NamedTuple):
    """What trains here."""

    name: str
    gpu: bool
    cores: int
    torch: str


def tune(params: Path, use_case: str, seconds: float) -> None:
    """Time every combination, and print a table and the lines to write into params.yaml, which stays as it is.

    Speeds are images a second of whole training steps in the last phase, on random images, each timed for about
    `seconds`. Raises Mistake where params.yaml is wrong or nothing could be timed.
    """
    settings = typed(TrainParameters, section(read_tree(params), use_case, "train"), f"{use_case}.train")
    one_of(settings.architecture, architectures(), f"{use_case}.train.architecture")
    here = machine()
    print(f"{here.name}, {here.cores} cores, torch {here.torch}\n{task(settings)}, {seconds:g} s each")
    print(busy(os.getloadavg()[0], here.cores), end="", flush=True)
    planned, timed = combinations(settings, here), list[Timed]()
    for number, each in enumerate(planned, 1):
        fastest = max((one.machine_speed for one in timed), default=0)
        timed.append(time_settings(each, seconds, fastest, f"{number}/{len(planned)} {named(each)}"))
    print(f"\n{table(timed, settings)}\n\n{proposal(timed, settings, use_case, params.name)}")


def machine() -> Machine:
    """Return what trains here: the GPU if there is one, else the processor and the instructions torch uses of it."""
    import torch

    gpu = torch.cuda.is_available()
    name = torch.cuda.get_device_name() if gpu else f"{processor()} ({torch.backends.cpu.get_cpu_capability()})"
    return Machine(name, gpu, cores(), torch.__version__)


def processor(listing: Path = Path("/proc/cpuinfo")) -> str:
    """Return the processor's name as Linux lists it, or its kind."""
    lines = listing.read_text().splitlines() if listing.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def busy(load: float, cores: int) -> str:
    """Return a line of warning where the load, processes that want to run, leaves no room for measuring."""
    if load <= BUSY * cores:
        return ""
    return f"The machine has other work (load {load:.1f}): the speeds will say little; better repeat this at rest.\n"


def combinations(settings: TrainParameters, here: Machine) -> list[TrainParameters]:
    """Return the settings to time: those of params.yaml, then those that differ in ever more from them."""
    precisions = get_args(TrainParameters.model_fields["precision"].annotation)
    threads = {1, settings.threads} if here.gpu else {1, here.cores, settings.threads}
    values = product(precisions, (False, True), sorted(threads))
    every = [settings.model_copy(update=dict(zip(TUNED, each, strict=True))) for each in values]
    return sorted(every, key=lambda each: len(changes(each, settings)))


def changes(settings: TrainParameters, now: TrainParameters) -> list[str]:
    """Return which of the tuned settings differ."""
    return [key for key in TUNED if getattr(settings, key) != getattr(now, key)]


def proposed(timed: Sequence[Timed], now: TrainParameters) -> TrainParameters:
    """Return the settings to train with.

    They are those of now unless others are at least 10 % faster; of those that are, and than which the fastest is not
    10 % faster, the ones that change least. Raises Mistake where all have failed.
    """
    best = max(timed, key=lambda each: each.machine_speed)
    if best.failed:
        raise Mistake(f"nothing could be timed ({_short(best.failed, 200)}); lower train.phases.batch_size, say.")
    current = _speed_of(timed, now)
    if best.machine_speed < WORTH * current:
        return now
    least = max(WORTH * current, best.machine_speed / WORTH)
    worth = [each for each in timed if each.machine_speed >= least]
    return min(worth, key=lambda each: (len(changes(each.settings, now)), -each.machine_speed)).settings


def table(timed: Sequence[Timed], now: TrainParameters) -> str:
    """Return a line for each combination, with its speed as a multiple of that of params.yaml."""
    current = _speed_of(timed, now)
    lines = ["precision  channels_last  threads  images/s a run  side by side  images/s in all  of now"]
    for each in timed:
        line = f"{each.settings.precision:9}  {written(each.settings.channels_last):13}  {each.settings.threads:7}"
        if each.failed:
            line += f"  {_short(each.failed, 80)}"
        else:
            share = f"{each.machine_speed / current:6.2f}" if current else "     -"
            line += f"  {each.speed:14.2f}  {each.runs:12}  {each.machine_speed:15.2f}  {share}"
        lines.append(line if changes(each.settings, now) else f"{line}  <- now in params.yaml")
    return "\n".join(lines)


def proposal(timed: Sequence[Timed], now: TrainParameters, use_case: str, file: str) -> str:
    """Return the lines for params.yaml, and what to know of them."""
    chosen = proposed(timed, now)
    lines = [f"{use_case}:", "  train:", *(f"    {key}: {written(getattr(chosen, key))}" for key in TUNED)]
    if not changes(chosen, now):
        return "\n".join([f"Nothing is 10 % faster than what {file} has; keep", *lines])
    note = "bfloat16 changes the numbers a little, and runs with other settings are other runs: they are trained anew."
    return "\n".join([f"Proposed for {file}, which stays as it is until you change it:", *lines, note])


def written(value: Any) -> str:
    """Return a setting as YAML writes it."""
    return json.dumps(value) if isinstance(value, bool) else str(value)


def named(settings: TrainParameters) -> str:
    """Return a combination in a few words."""
    order = "channels last" if settings.channels_last else "channels first"
    return f"{settings.precision}, {order}, {settings.threads} thread{'s' if settings.threads > 1 else ''}"


def task(settings: TrainParameters) -> str:
    """Return in words what is timed."""
    phase = settings.phases[-1]
    layers = "all layers" if phase.trainable == "all" else "the head"
    batch = f"batches of {phase.batch_size} random images"
    return f"{settings.architecture}: training steps of {layers} at {phase.size_px} px, {batch}"


def _speed_of(timed: Sequence[Timed], now: TrainParameters) -> float:
    return next(each.machine_speed for each in timed if not changes(each.settings, now))


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 3]}..."

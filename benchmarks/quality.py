"""Whether networks of this build are as good as those of an earlier one: paired runs, trained by each build's own code.

    python benchmarks/quality.py           writes metrics/quality.json; it needs the data of a demo that was run

Each build trains as its own params.yaml says, on the same images and with the same seeds, one run after the other;
what is trained lies in .micromime/builds/ and is not trained again. All are asked and judged by this build: on the
scoring set, on the surrogate, and on real micrographs where MICROMIME_REAL names some; classifiers on all tiles of
the surrogate. Chosen was what is the default now before the real ones were asked.
"""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from builds import AGAINST, PROJECT, Build, earlier_build, said
from tqdm import tqdm
from typer import Option

from micromime.cli import command
from micromime.inference.networks import classifier, predictor
from micromime.judging.metrics import LOWER_IS_BETTER
from micromime.judging.micrographs import classified, pictures_in, tested
from micromime.judging.statistics import student_interval
from micromime.mistakes import Mistake
from micromime.training.architectures import finds
from micromime.training.networks import description_of

CONFIDENCE, WORST = 0.95, -0.01
"""Of the interval, and what has to lie below it: how much worse, in a score, counts as not worse."""

METRICS = {"mask": ("mean_iou", "boundary_f1", "matched_grains"), "class": ("error_rate",)}
TRAINED_ON = {
    "grain_boundaries": "data/synthetic/grain_boundaries/base",
    "chip_cracks": "data/synthetic/chip_cracks/all",
}
ASKED = {
    "grain_boundaries": {
        "scoring set": "data/synthetic/grain_boundaries/scoring",
        "surrogate": "data/test_set/grain_boundaries",
    },
    "chip_cracks": {"surrogate": "data/tiles/chip_cracks/every"},
}
"""Folders of pictures by what tables call them."""


def main(
    against: Annotated[str, Option(help="The earlier commit.")] = AGAINST,
    folder: Annotated[Path | None, Option(help="Its checkout, made where there is none.")] = None,
    runs: Annotated[int, Option(min=2, help="Pairs.")] = 10,
) -> None:
    """Train, ask, judge, and write the table."""
    kept = PROJECT / ".micromime/builds"
    builds = {
        "earlier": earlier_build(against, (folder or kept / against).absolute()),
        "now": Build(PROJECT, Path(sys.executable)),
    }
    rows = []
    for use_case, data in TRAINED_ON.items():
        if not (PROJECT / data).is_dir():
            raise Mistake(f"{data} is missing; `micromime profile demo` and `make run` make it.")
        places = {name: PROJECT / place for name, place in ASKED[use_case].items()}
        real = Path(os.environ.get("MICROMIME_REAL", ""), use_case)
        if os.environ.get("MICROMIME_REAL") and use_case == "grain_boundaries" and real.is_dir():
            places["real"] = real
        scores: dict[str, list[dict[str, dict[str, float]]]] = {name: [] for name in builds}
        for run in tqdm(range(1, runs + 1), desc=use_case, unit=" pairs"):
            for name, build in builds.items():
                network = trained(build, use_case, run, kept / "quality" / build.commit / use_case / f"run-{run:03d}")
                scores[name].append({place: scored(network, each) for place, each in places.items()})
        for place in places:
            rows += compared(use_case, place, {name: [run[place] for run in each] for name, each in scores.items()})
    written = {"against": against, "commit": builds["now"].commit, "rows": rows}
    (PROJECT / "metrics/quality.json").write_text(json.dumps(written, indent=1) + "\n")
    for row in rows:
        print("{use_case}, {pictures}: {metric} {earlier:.3f} -> {now:.3f}".format(**row))


def trained(build: Build, use_case: str, run: int, folder: Path) -> Path:
    """Return the folder of a run's network, trained by a build where it is not there."""
    if not (folder / "weights.safetensors").exists():
        words = ["learn", use_case, str(run), str(PROJECT / TRAINED_ON[use_case]), str(folder)]
        script = PROJECT / "benchmarks/workloads.py"
        said([build.python, "-P", script, *words], build.folder, build.env(build.folder))
    return folder


def scored(network: Path, pictures: Path) -> dict[str, float]:
    """Return the mean of each metric over pictures; memory is kept from one network to the next by the caller."""
    seen = list(pictures_in(pictures))
    if finds(description_of(network)["architecture"]) == "class":
        found = classifier(network)([each.image for each in seen])
        rows: list[Mapping[str, Any]] = [classified(*pair) for pair in zip(seen, found, strict=True)]
        return {name: float(np.mean([row[name] for row in rows])) for name in METRICS["class"]}
    find = predictor(network)
    rows = [tested(each, find(each.image)) for each in seen]
    return {name: float(np.mean([row[name] for row in rows])) for name in METRICS["mask"]}


def compared(use_case: str, place: str, scores: Mapping[str, list[dict[str, float]]]) -> list[dict[str, Any]]:
    """Return a row a metric: means, and Student's interval of the gain, pair by pair."""
    rows = []
    for metric in scores["now"][0]:
        earlier, now = (np.array([run[metric] for run in scores[name]]) for name in ("earlier", "now"))
        gain = earlier - now if metric in LOWER_IS_BETTER else now - earlier
        interval = student_interval(gain.tolist(), CONFIDENCE)
        rows.append(
            {
                **{"use_case": use_case, "pictures": place, "metric": metric},
                **{"earlier": float(earlier.mean()), "now": float(now.mean()), "gain": float(gain.mean())},
                **{"interval": interval, "not_worse": bool(interval and interval["lo"] > WORST)},
            }
        )
    return rows


if __name__ == "__main__":
    command(main)

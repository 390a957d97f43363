"""What experiments do with runs: train one without MLflow or an arm, find what its record tells, write the results."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from micromime.arms.records import Answers, RunRecord, pack, read_record, write_record
from micromime.datasets.store import sample_id
from micromime.project.results import ASKING, LEARNER, MEASURING, RENDERER
from micromime.scenario.scenario import Instance
from micromime.training.settings import TrainParameters

VERSIONS = (RENDERER, LEARNER, ASKING, MEASURING)
"""Part of what a run is found by: see `micromime.project.results`."""

COMMITTED = (1, 1, 1, 1)
"""Those of the committed records, of experiments and of the profile evidence; by others all is made anew."""

Table = Mapping[str, Sequence[Any]]
"""What came out of a run: column -> values."""


class Rendered:
    """Instances with their images, in memory; read like a data set."""

    description: Mapping[str, Any] = {}

    def __init__(self, instances: Sequence[Instance]) -> None:
        """Render them."""
        self.instances = list(instances)
        samples = [each.render() for each in instances]
        self.images = np.stack([each.image for each in samples])
        self.masks = np.stack([each.mask for each in samples])
        self.samples = pd.DataFrame({"id": [sample_id(n) for n in range(len(samples))]})


def train(
    number: int, settings: TrainParameters, images: Any, folder: Path, start: Path | None = None
) -> dict[str, Any]:
    """Train run `number` to a folder, from the network in `start` on if there is one; return what run.json says."""
    import torch

    from micromime.training.learner import Run, fit_run

    torch.set_num_threads(settings.threads)
    folder.mkdir(parents=True)
    fit_run(Run(number, settings, images, start), {}, folder)
    said: dict[str, Any] = json.loads((folder / "run.json").read_text())
    return said


def told(records: Path, run: tuple[str, int], inputs: str) -> Table | None:
    """Return what the record of a run (arm, number) tells, if it is that of this very run: of the same inputs."""
    record = read_record(records, *run)
    if record is None or record.inputs != inputs:
        return None
    (answers,) = record.answers.values()
    return answers.table


def tell(
    records: Path, run: tuple[str, int], told: tuple[str, Mapping[str, Any]], answers: Mapping[str, Sequence[Any]]
) -> None:
    """Write the record of a run that has ended: its inputs, how it was trained, and by a purpose the rows it gave."""
    inputs, training = told
    kept = {purpose: Answers.of(inputs, rows) for purpose, rows in answers.items()}
    write_record(records, *run, RunRecord(inputs=inputs, training=dict(training), answers=kept))


def write_results(out: Path, said: Mapping[str, Any], tables: str) -> None:
    """Write results.json and results.md to a folder, and pack the records of its new runs."""
    (out / "results.json").write_text(json.dumps(said, indent=1) + "\n")
    (out / "results.md").write_text(tables)
    if any((out / "records").glob("*/run-*.json")):
        pack(out / "records")

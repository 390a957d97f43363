"""A round's data version: as many new images as asked for, of the worst parents, and where all of it comes from."""

import json
from functools import reduce
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from micromime.datasets.render import render_dataset
from micromime.datasets.store import Dataset
from micromime.mistakes import Mistake
from micromime.project import places
from micromime.project.work import sha256
from micromime.sampling.scores import write_scores
from micromime.scenario.parameters import read_tree
from micromime.stages.resample import resample

GRAINS = "grain_boundaries"
BASE, SCORING = (places.synthetic(GRAINS, name) for name in ("base", "scoring"))
SCORES = places.scores(GRAINS, "base")
ORIGIN = {
    "use_case": GRAINS,
    "arm": "base",
    "fingerprint": "f1",
    "runs": 3,
    "parent": {"path": BASE.as_posix(), "sha256": "a" * 64},
    "scored": {"path": SCORING.as_posix(), "sha256": "b" * 64},
}
MEAN_IOU = [0.5, 0.2, 0.9, 0.3, 0.7, 0.6]
PIXEL_ERROR = [0.1, 0.2, 0.05, 0.4, 0.15, 0.3]
"""Of the six scored samples: by IoU 1 and 3 are the worst two, by pixel error 3 and 5."""


@pytest.fixture
def asked(project, grains, tmp_path, monkeypatch):
    """What params.yaml says of rounds of five images, which vary the worst third of six samples that were scored."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MICROMIME_WORKERS", "1")
    asked = read_tree(project / "params.yaml")[GRAINS]
    asked["scenario"] |= {"rows": 40, "cols": 56}
    asked["resample"] = {"count": 5, "score": "mean_iou", "runs": "all"}
    asked["rounds"]["adaptive"]["sampler"]["worst_fraction"]["fraction"] = 1 / 3
    instances = [grains.draw_one(1, index, "scoring") for index in range(6)]
    rows = [{"id": f"{n:06d}", "objects": 3, "parent": "", **each.row()} for n, each in enumerate(instances)]
    write_scores(
        SCORES, pd.DataFrame(rows).assign(**{"score.mean_iou": MEAN_IOU, "score.pixel_error": PIXEL_ERROR}), ORIGIN
    )
    description = {"scenario": asked["scenario"], "use_case": GRAINS}
    for folder in (BASE, SCORING):
        render_dataset(instances[:1], description, folder, Path("work"))
    return asked


def made(asked, name="adaptive", out=""):
    Path("params.yaml").write_text(json.dumps({GRAINS: asked}))
    resample(GRAINS, name)
    return Dataset(places.synthetic(GRAINS, name).rename(out) if out else places.synthetic(GRAINS, name))


def test_new_images_vary_the_worst_and_the_very_worst_once_more(asked, grains):
    samples = made(asked, out="varied").samples
    assert samples["id"].tolist() == [f"{n:06d}" for n in range(5)]
    assert samples["parent"].tolist() == ["000001", "000003", "000001", "000003", "000001"]
    parents = [grains.draw_one(1, int(parent), "scoring") for parent in samples["parent"]]
    moved = samples["grain_shades.mean_grey"] - [parent.grain_shades.mean_grey for parent in parents]
    assert moved.abs().between(1e-9, 30).all()
    assert samples["white_noise.sd_grey"].tolist() == [parent.white_noise.sd_grey for parent in parents]
    assert samples["seed"].nunique() == 5
    assert not {*samples["seed"]} & {each.seed for each in parents}
    asked["resample"]["score"] = "pixel_error"  # of which the most is the worst
    assert made(asked, out="other").samples["parent"].tolist() == ["000003", "000005", "000003", "000005", "000003"]


def test_the_new_version_says_where_it_comes_from_and_carries_that_on(asked):
    dataset = made(asked)
    said = dataset.description
    assert said.items() >= {key: ORIGIN[key] for key in ("parent", "scored", "arm", "fingerprint", "runs")}.items()
    own = {
        "use_case": GRAINS,
        "count": 5,
        "score": "mean_iou",
        "seed": 3,
        "scores": sha256(SCORES),
        "earlier": ["base"],
    }
    assert said.items() >= own.items()
    assert said["sampler"] == asked["rounds"]["adaptive"]["sampler"]
    assert said["scenario"] == asked["scenario"]
    assert np.array_equal(Dataset(dataset.folder / "earlier" / "base").images[0], Dataset(BASE).images[0])


def test_a_control_has_as_many_images_without_parents_its_bytes_those_of_its_seed(asked):
    first, again = made(asked, "random", "first"), made(asked, "random", "again")
    assert first.samples["parent"].tolist() == [""] * 5
    assert (len(first.images), first.images[0].shape) == (5, (40, 56))
    for file in first.folder.rglob("*.*"):
        assert file.read_bytes() == (again.folder / file.relative_to(first.folder)).read_bytes()
    asked["rounds"]["random"]["seed"] = 4
    assert not {*made(asked, "random").samples["seed"]} & {*first.samples["seed"]}


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("resample.score", "iou", "resample.score: 'iou' is not in data/scores/"),
        ("resample.count", 0, "resample.count: 0 is not allowed; it should be greater than or equal to 1."),
        ("rounds.adaptive", 5, "rounds.adaptive is 5; it must be a section"),
        ("rounds.adaptive.sampler", {"worst": {}}, "rounds.adaptive.sampler: 'worst' is not known; use one of: "),
        ("rounds.adaptive.sampler.worst_fraction.fraction", 2, "sampler.worst_fraction.fraction: 2 is not allowed;"),
    ],
)
def test_mistakes_are_one_sentence_and_nothing_is_rendered(asked, path, value, said):
    *way, last = path.split(".")
    reduce(dict.__getitem__, way, asked)[last] = value
    with pytest.raises(Mistake, match=rf"^{GRAINS}\.{said}" if said[:7] != "sampler" else said):
        made(asked)
    assert not places.synthetic(GRAINS, "adaptive").exists()

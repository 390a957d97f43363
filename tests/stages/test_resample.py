"""A round's data version: as many new images as asked for, of the worst parents, and where all of it comes from."""

import copy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from micromime.datasets.store import Dataset
from micromime.mistakes import Mistake
from micromime.project.work import sha256
from micromime.sampling.scores import write_scores
from micromime.scenario.parameters import read_tree
from micromime.stages import resample as stage
from micromime.stages.resample import main, resample

ORIGIN = {
    "use_case": "grain_boundaries",
    "arm": "base",
    "fingerprint": "f1",
    "runs": 3,
    "parent": {"path": "data/synthetic/grain_boundaries/base", "sha256": "a" * 64},
    "scored": {"path": "data/synthetic/grain_boundaries/scoring", "sha256": "b" * 64},
}
MEAN_IOU = [0.5, 0.2, 0.9, 0.3, 0.7, 0.6]
PIXEL_ERROR = [0.1, 0.2, 0.05, 0.4, 0.15, 0.3]
"""Of the six scored samples: by IoU 1 and 3 are the worst two, by pixel error 3 and 5."""

SCORES = Path("scores.parquet")


@pytest.fixture(scope="module")
def whole(project):
    return read_tree(project / "params.yaml")


@pytest.fixture
def tree(whole):
    """Rounds of five images, which vary the worst third of the samples."""
    tree = copy.deepcopy(whole)
    asked = tree["grain_boundaries"]
    asked["scenario"] |= {"rows": 40, "cols": 56}
    asked["resample"] = {"count": 5, "score": "mean_iou", "runs": "all"}
    asked["rounds"]["adaptive"]["sampler"]["worst_fraction"]["fraction"] = 1 / 3
    return tree


@pytest.fixture
def instances(grains, tmp_path, monkeypatch):
    """Six scored instances, their table in the working directory."""
    monkeypatch.chdir(tmp_path)
    instances = [grains.draw_one(1, index, "scoring") for index in range(6)]
    rows = [{"id": f"{n:06d}", "objects": 3, "parent": "", **each.row()} for n, each in enumerate(instances)]
    scores = {"score.mean_iou": MEAN_IOU, "score.pixel_error": PIXEL_ERROR}
    write_scores(SCORES, pd.DataFrame(rows).assign(**scores), ORIGIN)
    return instances


def made(tree, name="adaptive", out="new", workers=1):
    resample(tree, ("grain_boundaries", name), SCORES, Path(out), workers)
    return Dataset(Path(out))


def contents(dataset):
    folder = dataset.folder
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_new_images_vary_the_worst_and_the_very_worst_once_more(tree, instances):
    samples = made(tree).samples
    assert samples["id"].tolist() == [f"{n:06d}" for n in range(5)]
    assert samples["parent"].tolist() == ["000001", "000003", "000001", "000003", "000001"]
    parents = [instances[int(parent)] for parent in samples["parent"]]
    moved = samples["grain_shades.mean_grey"] - [parent.grain_shades.mean_grey for parent in parents]
    assert moved.abs().between(1e-9, 30).all()
    assert samples["white_noise.sd_grey"].tolist() == [parent.white_noise.sd_grey for parent in parents]
    assert samples["seed"].nunique() == 5
    assert not {*samples["seed"]} & {each.seed for each in instances}


@pytest.mark.usefixtures("instances")
def test_where_less_is_better_the_most_is_the_worst(tree):
    tree["grain_boundaries"]["resample"]["score"] = "pixel_error"
    assert made(tree).samples["parent"].tolist() == ["000003", "000005", "000003", "000005", "000003"]


@pytest.mark.usefixtures("instances")
def test_the_new_version_says_where_it_comes_from(tree):
    said = made(tree).description
    chosen = tree["grain_boundaries"]["rounds"]["adaptive"]
    assert {key: said[key] for key in ("parent", "scored", "arm", "runs")} == {
        key: ORIGIN[key] for key in ("parent", "scored", "arm", "runs")
    }
    assert (said["use_case"], said["count"], said["score"], said["seed"]) == ("grain_boundaries", 5, "mean_iou", 3)
    assert said["sampler"] == chosen["sampler"]
    assert said["scenario"] == tree["grain_boundaries"]["scenario"]
    assert said["scores"] == sha256(SCORES)


@pytest.mark.usefixtures("instances")
def test_the_control_has_as_many_images_and_no_parents(tree):
    control = made(tree, "random")
    assert control.samples["parent"].tolist() == [""] * 5
    assert (len(control.images), control.images[0].shape) == (5, (40, 56))
    assert control.description["sampler"] == {"random_draws": {}}
    assert control.description["parent"] == ORIGIN["parent"]


@pytest.mark.usefixtures("instances")
def test_the_same_round_gives_the_same_bytes_and_another_seed_others(tree):
    first = made(tree, out="first")
    assert contents(made(tree, out="again")) == contents(first)
    tree["grain_boundaries"]["rounds"]["adaptive"]["seed"] = 4
    assert not {*made(tree, out="other").samples["seed"]} & {*first.samples["seed"]}


@pytest.mark.slow
@pytest.mark.usefixtures("instances")
def test_bytes_do_not_depend_on_the_workers(tree, monkeypatch):
    monkeypatch.setattr("micromime.datasets.render.SHARD_SIZE", 2)
    one, two = (made(tree, out=f"by-{workers}", workers=workers) for workers in (1, 2))
    assert sorted(contents(one))[-1].startswith("shard-00002/")
    assert contents(one) == contents(two)
    assert one.samples["parent"].tolist() == ["000001", "000003", "000001", "000003", "000001"]


@pytest.mark.usefixtures("instances")
def test_the_stage_reads_the_parameter_file_and_holds_its_out(tree, monkeypatch):
    monkeypatch.setattr(stage, "cores", lambda: 1)
    monkeypatch.setattr(stage, "read_tree", lambda path: tree if path == Path("p.yaml") else {})
    main("grain_boundaries", "random", SCORES, Path("data/new"), Path("p.yaml"))
    assert len(Dataset(Path("data/new")).images) == 5
    assert [each.name for each in Path(".micromime/locks").iterdir()] == ["data-new"]
    assert list(Path(".micromime/work/resample").iterdir()) == []


GRAINS = "grain_boundaries"


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("resample.score", "iou", "resample.score: 'iou' is not in scores.parquet; use one of: mean_iou, pixel_error."),
        ("resample.count", 0, "resample.count: 0 is not allowed; it should be greater than or equal to 1."),
        ("rounds.adaptive", None, "rounds.adaptive is missing from params.yaml; add that section."),
        (
            "rounds.adaptive.sampler",
            {"worst": {}},
            "rounds.adaptive.sampler: 'worst' is not known; use one of: adversarial_draws,",
        ),
        ("rounds.adaptive.sampler.worst_fraction.fraction", 2, "sampler.worst_fraction.fraction: 2 is not allowed;"),
        (
            "rounds.adaptive.sampler.worst_fraction.within",
            {"grains": {"x": 1}},
            "sampler.worst_fraction.within.grains is not",
        ),
        (
            "rounds.adaptive.sampler.worst_fraction.within",
            {"grain_shades": {"grey": 1}},
            "worst_fraction.within.grain_shades.grey is not a known key; the keys here are: mean_grey, contrast_grey.",
        ),
    ],
)
@pytest.mark.usefixtures("instances")
def test_mistakes_are_one_sentence_and_nothing_is_rendered(tree, path, value, said):
    *way, last = path.split(".")
    place = tree[GRAINS]
    for key in way:
        place = place[key]
    if value is None:
        del place[last]
    else:
        place[last] = value
    with pytest.raises(Mistake) as mistake:
        made(tree)
    assert str(mistake.value).startswith(f"{GRAINS}.")
    assert said in str(mistake.value)
    assert not Path("new").exists()


@pytest.mark.usefixtures("instances")
def test_no_table_and_one_of_another_use_case_are_mistakes(tree):
    write_scores(SCORES, pd.read_parquet(SCORES), ORIGIN | {"use_case": "chip_cracks"})
    with pytest.raises(Mistake, match=r"^scores\.parquet has scores of chip_cracks, not of grain_boundaries;"):
        made(tree)
    SCORES.unlink()
    with pytest.raises(Mistake, match=r"^scores\.parquet is not there; make it with `make run`"):
        made(tree)
    assert not Path("new").exists()


@pytest.mark.slow
@pytest.mark.usefixtures("instances")
def test_scores_that_a_run_has_logged_give_the_same_bytes(tree, monkeypatch):
    from micromime.commands.resample_logged import resample_logged
    from micromime.tracking.logged_files import log_file
    from micromime.tracking.store import prepare_store, store_client

    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    prepare_store(GRAINS)
    client = store_client()
    run_id = client.create_run(client.get_experiment_by_name(GRAINS).experiment_id).info.run_id
    here = made(tree, out="here")
    log_file(run_id, SCORES.rename("base.parquet"))
    Path("base.parquet").unlink()
    resample_logged(tree, (GRAINS, "adaptive"), run_id, Path("logged"), 1)
    assert contents(Dataset(Path("logged"))) == contents(here)
    assert np.array_equal(Dataset(Path("logged")).images[4], here.images[4])

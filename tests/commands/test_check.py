"""Whatever is wrong in params.yaml is named by its path, with what is allowed there, before anything starts."""

import copy
from functools import reduce
from operator import getitem

import pytest

from micromime.commands.check import check_tree, use_cases_in
from micromime.mistakes import Mistake
from micromime.sampling.samplers import samplers
from micromime.scenario.parameters import read_tree

GRAINS = "grain_boundaries"


@pytest.fixture(scope="module")
def whole(project):
    return read_tree(project / "params.yaml")


@pytest.fixture
def tree(whole):
    return copy.deepcopy(whole)


def changed(tree, path, value):
    *way, last = (int(key) if key.isdecimal() else key for key in path.split("."))
    place = reduce(getitem, way, tree)
    place[last] = value
    if value is None:
        del place[last]
    return tree


NOT_KNOWN = "is not a known key; the keys here are:"
SAMPLER, STYLES = "GRAINS.rounds.adaptive.sampler", "GRAINS.scenario.styles"
FRACTION = f"{SAMPLER}.worst_fraction"
NAMES = ("base", "scoring", "v2", "Latest", "second-one")
"""That no round can have."""

WRONG = [
    ("profile", None, "profile is None"),
    ("profile", "../x", "profile is '../x'"),
    ("chips", {}, f"chips {NOT_KNOWN} profile, chip_cracks, GRAINS."),
    ("GRAINS.trian", {}, f"GRAINS.trian {NOT_KNOWN} scenario, render, test_set, train, finetune, scoring, resample,"),
    ("chip_cracks.rounds", {}, f"chip_cracks.rounds {NOT_KNOWN} scenario, render, test_set, train,"),
    ("GRAINS.render", None, "GRAINS.render is missing from params.yaml; add that section."),
    ("GRAINS.rounds", None, "GRAINS.rounds is missing from params.yaml; add that section."),
    ("GRAINS.render.count", 0, "GRAINS.render.count: 0 is not allowed; it should be greater than or equal to 1"),
    ("GRAINS.judge.views", 2, "GRAINS.judge.views: 2 is not allowed; it should be 1 or 8"),
    ("GRAINS.judge.views", True, "GRAINS.judge.views: True is not allowed; it should be 1 or 8"),
    ("GRAINS.judge.views", 8.0, "GRAINS.judge.views: 8.0 is not allowed; it should be 1 or 8"),
    ("GRAINS.train.runs", 3.0, "GRAINS.train.runs: 3.0 is not allowed; it should be a valid integer"),
    ("GRAINS.train.runs", "3", "GRAINS.train.runs: '3' is not allowed; it should be a number, without quotes"),
    (f"{STYLES}.plain.weight", 10**400, "give the style's share of the images, from 0 to a million."),
    ("GRAINS.test_set.surrogate_count", "many", "GRAINS.test_set.surrogate_count: 'many' is not allowed"),
    ("GRAINS.train.runs", True, "GRAINS.train.runs: True is not allowed; it should be a valid integer"),
    ("GRAINS.train.architecture", "resnet50", "GRAINS.train.architecture: 'resnet50' is not known; use one of: light"),
    (
        "GRAINS.train.phases.2.batch_size",
        2000,
        "batch_size: 2000 images of 192 x 192 px a step take too much memory; give",
    ),
    (
        "GRAINS.scenario.rows",
        100_000,
        "GRAINS.scenario.rows is 100000; give the image's side as a whole number of pixels",
    ),
    ("GRAINS.train.phases.0.epoch", 1, f"GRAINS.train.phases.0.epoch {NOT_KNOWN} size_px, trainable, epochs,"),
    ("GRAINS.finetune.architecture", "unet", f"GRAINS.finetune.architecture {NOT_KNOWN} runs, rehearsal_share,"),
    ("GRAINS.finetune.runs", 0, "GRAINS.finetune.runs: 0 is not allowed; it should be 'all', or it should be greater"),
    (
        "GRAINS.resample.runs",
        "few",
        "GRAINS.resample.runs: 'few' is not allowed; it should be 'all', or it should be a",
    ),
    ("GRAINS.finetune.runs", 4, "GRAINS.finetune.runs is 4, but GRAINS.train.runs is 3; lower the first, or"),
    ("GRAINS.scenario.gaussian_blur.kernel_px", 4, "gaussian_blur.kernel_px: 4 is even; a kernel has a middle"),
    ("GRAINS.scenario.white_noise.sd", 3, f"GRAINS.scenario.white_noise.sd {NOT_KNOWN} sd_grey."),
    ("GRAINS.scenario.white_noise.sd_grey", {"uniform": [5, 5]}, "sd_grey: is empty: low 5 is not below high 5"),
    (f"{STYLES}.plain.weight", -1, f"{STYLES}.plain.weight is -1; give the style's share"),
    (f"{STYLES}.twinned.white_noise.sd", 3, f"{STYLES}.twinned.white_noise.sd {NOT_KNOWN} sd_grey."),
    ("GRAINS.resample.score", "iou", "GRAINS.resample.score: 'iou' is not known; use one of: average_precision,"),
    ("GRAINS.resample.runs", 4, "GRAINS.resample.runs is 4, but GRAINS.train.runs is 3; lower the first, or"),
    *((f"GRAINS.rounds.{name}", {}, f"GRAINS.rounds.{name}: '{name}' cannot be the name of a round") for name in NAMES),
    ("GRAINS.rounds.second", 5, "GRAINS.rounds.second: 5 is not allowed; it should be a valid dictionary"),
    ("GRAINS.rounds.adaptive.seed", None, "GRAINS.rounds.adaptive.seed: is missing; add it."),
    ("GRAINS.rounds.adaptive.sead", 1, f"GRAINS.rounds.adaptive.sead {NOT_KNOWN} parent, seed, sampler."),
    ("GRAINS.rounds.adaptive.parent", "x", "GRAINS.rounds.adaptive.parent: 'x' is no arm; use one of: base, random,"),
    ("GRAINS.rounds.adaptive.parent", "adaptive", "GRAINS.rounds.adaptive descends from itself; give one of its"),
    ("GRAINS.rounds.random.parent", "adaptive", "GRAINS.rounds.random has no control, so that nobody could tell"),
    (SAMPLER, {"worst": {}}, f"{SAMPLER}: 'worst' is not known; use one of: {', '.join(samplers())}."),
    (SAMPLER, {}, f"{SAMPLER} is {{}}; give one key, the name of a sampler: {', '.join(samplers())}."),
    (f"{FRACTION}.fraction", 1.5, f"{FRACTION}.fraction: 1.5 is not allowed"),
    (f"{FRACTION}.within.grain_shades.mean_grey", 10**400, "is no step: give a number above 0"),
    (f"{SAMPLER}", {"random_draws": False}, f"{SAMPLER}.random_draws: False is not allowed"),
    (f"{FRACTION}.within.rust", {"x": 1}, f"{FRACTION}.within.rust {NOT_KNOWN} grain_"),
    ("GRAINS.train.rehearsal_share", 0.5, "GRAINS.train.rehearsal_share has no effect (no images come before"),
    ("chip_cracks.finetune.rehearsal_share", 0.5, "chip_cracks.finetune.rehearsal_share has no effect (tiles"),
    ("chip_cracks.train.target", "centre_line", "chip_cracks.train.target has no effect (classifiers learn no"),
    ("chip_cracks.train.cl_dice_share", 0.5, "chip_cracks.train.cl_dice_share has no effect (classifiers learn"),
    ("chip_cracks.tiles.subsets", ["all", "all"], "chip_cracks.tiles.subsets names a subset twice; name each once."),
]
"""Path, another value (None to leave it out), and what is said; GRAINS stands for the use case."""


@pytest.mark.parametrize(("path", "value", "said"), WRONG)
def test_what_is_wrong_is_named_with_what_is_allowed(tree, path, value, said):
    with pytest.raises(Mistake) as mistake:
        check_tree(changed(tree, path.replace("GRAINS", GRAINS), value))
    assert said.replace("GRAINS", GRAINS) in str(mistake.value)
    assert str(mistake.value).endswith(".")


@pytest.mark.parametrize(("first", "second", "wrong"), [(3, 4, "first"), (5, 3, "second")])
def test_a_round_has_another_seed_than_those_it_goes_on_from_wherever_they_stand(tree, first, second, wrong):
    rounds = tree[GRAINS]["rounds"]
    rounds["second"] = rounds["adaptive"] | {"parent": "first", "seed": second}
    rounds["first"] = rounds["adaptive"] | {"parent": "adaptive", "seed": first}
    for parent, name, seed in (("random", "random_2", 3), ("random_2", "random_3", 30)):  # of another line: no harm
        rounds[name] = rounds["random"] | {"parent": parent, "seed": seed}
    with pytest.raises(Mistake, match=rf"rounds\.{wrong}\.seed: 3 is that of adaptive, which it goes on from"):
        check_tree(tree)
    rounds["first"]["seed"], rounds["second"]["seed"] = 5, 6
    check_tree(tree)


def test_images_that_networks_see_whole_are_bounded(tree, monkeypatch):
    monkeypatch.setattr("micromime.commands.check.whole_bytes", lambda: 64 * 2**30)
    tree[GRAINS]["scenario"] |= {"rows": 4096, "cols": 3072}
    check_tree(tree)
    monkeypatch.setattr("micromime.commands.check.whole_bytes", lambda: 3 * 2**30)
    with pytest.raises(
        Mistake, match=r"scenario has 12\.0 million .* takes \d+\.\d GiB of memory to see it whole, and .* 3\.0"
    ):
        check_tree(tree)
    tree[GRAINS]["scenario"]["rows"] = 4097
    with pytest.raises(
        Mistake, match=r"GRAINS\.scenario has 12\.1 million .*; lower rows or cols".replace("GRAINS", GRAINS)
    ):
        check_tree(tree)
    tree["chip_cracks"]["scenario"] |= {"rows": 8192, "cols": 8192}  # which classifiers see at a small size
    tree[GRAINS]["scenario"]["rows"] = 64
    check_tree(tree)


def test_the_projects_own_file_is_right(whole):
    check_tree(whole)
    assert use_cases_in(whole) == [GRAINS, "chip_cracks"]

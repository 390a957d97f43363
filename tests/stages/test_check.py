import copy
import subprocess
import sys

import pytest
from micromime.stages.check import main
from ruamel.yaml import YAML

from micromime.commands.check import check_file, check_tree
from micromime.mistakes import Mistake
from micromime.sampling.samplers import samplers
from micromime.scenario.parameters import read_tree

BASE_ONLY = "'base' cannot be the name of a round; use another word, of letters and digits."


@pytest.fixture(scope="module")
def whole(project):
    return read_tree(project / "params.yaml")


@pytest.fixture
def tree(whole):
    return copy.deepcopy(whole)


def changed(tree, path, value):
    *way, last = path.split(".")
    place = tree
    for key in way:
        place = place[int(key)] if isinstance(place, list) else place[key]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return tree


def assert_said(tree, path, value, said):
    """Check a mistake's sentence; GRAINS stands for the use case, which is too long for tables."""
    with pytest.raises(Mistake) as mistake:
        check_tree(changed(tree, path.replace("GRAINS", GRAINS), value))
    assert said.replace("GRAINS", GRAINS) in str(mistake.value)
    assert str(mistake.value).endswith(".")


NOT_KNOWN = "is not a known key; the keys here are:"
GRAINS = "grain_boundaries"


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("profile", None, "profile is None"),
        ("profile", "../x", "profile is '../x'"),
        ("chips", {}, f"chips {NOT_KNOWN} profile, chip_cracks, grain_boundaries."),
        (
            "GRAINS.trian",
            {},
            f"GRAINS.trian {NOT_KNOWN} scenario, render, test_set, train, finetune, scoring, resample, judge, rounds.",
        ),
        ("GRAINS.render", None, "GRAINS.render is missing"),
        ("GRAINS.render.count", 0, "GRAINS.render.count: 0 is not allowed; it should be greater than or equal to 1"),
        ("GRAINS.render.seed", -1, "GRAINS.render.seed: -1 is not allowed"),
        ("GRAINS.render.seeds", 1, f"GRAINS.render.seeds {NOT_KNOWN} count, seed."),
        ("GRAINS.train.runs", 2.5, "GRAINS.train.runs: 2.5 is not allowed; it should be a valid integer"),
        ("GRAINS.train.runs", "3", "GRAINS.train.runs: '3' is not allowed; it should be a valid integer"),
        ("GRAINS.train.runs", True, "GRAINS.train.runs: True is not allowed"),
        ("GRAINS.train.channels_last", "yes", "GRAINS.train.channels_last: 'yes' is not allowed"),
        ("GRAINS.train.augmentation.zoom", "1.2", "zoom: '1.2' is not allowed; it should be a valid number"),
        (
            "GRAINS.scenario.grain_shades.mean_grey",
            "130",
            "mean_grey: '130' is not allowed; it should be a valid number",
        ),
        (
            "GRAINS.train.architecture",
            "resnet",
            "GRAINS.train.architecture: 'resnet' is not known; use one of: small_unet,",
        ),
        ("GRAINS.train.phases", [], "GRAINS.train.phases: [] is not allowed"),
        ("GRAINS.train.phases.0.size_px", 100, "phases.0.size_px: 100 is not allowed; it should be a multiple of 32"),
        ("GRAINS.train.phases.0.trainable", "body", "trainable: 'body' is not allowed; it should be 'head' or 'all'"),
        ("GRAINS.train.phases.0.epoch", 1, f"GRAINS.train.phases.0.epoch {NOT_KNOWN} size_px, trainable, epochs,"),
        ("GRAINS.train.augmentation.zooom", 1, f"augmentation.zooom {NOT_KNOWN} rotation_deg, zoom,"),
        ("GRAINS.scenario.gaussian_blur.kernel_px", 4, "kernel_px: 4 is even; a kernel has a middle"),
        ("GRAINS.scenario.white_noise.sd_grey", {"uniform": [5, 5]}, "sd_grey: is empty: low 5 is not below high 5"),
        ("GRAINS.scenario.white_noise.sd_grey", {"choice": []}, "sd_grey: values: [] is not allowed"),
        ("GRAINS.scenario.white_noise.sd", 3, f"GRAINS.scenario.white_noise.sd {NOT_KNOWN} sd_grey."),
        (
            "GRAINS.scenario.styles.plain.weight",
            -1,
            "GRAINS.scenario.styles.plain.weight is -1; give the style's share",
        ),
        ("GRAINS.scenario.styles.twinned.white_noise.sd", 3, f"styles.twinned.white_noise.sd {NOT_KNOWN} sd_grey."),
        ("GRAINS.test_set.surrogate_count", "many", "GRAINS.test_set.surrogate_count: 'many'"),
        ("chip_cracks.rounds", {}, f"chip_cracks.rounds {NOT_KNOWN} scenario, render, test_set, train,"),
    ],
)
def test_wrong_keys_and_values_are_named_with_what_is_allowed(tree, path, value, said):
    assert_said(tree, path, value, said)


SAMPLER = "GRAINS.rounds.adaptive.sampler"


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("GRAINS.scoring", None, "GRAINS.scoring is missing from params.yaml; add that section."),
        ("GRAINS.scoring.count", 0, "GRAINS.scoring.count: 0 is not allowed"),
        ("GRAINS.resample", None, "GRAINS.resample is missing from params.yaml; add that section."),
        ("GRAINS.resample.counts", 1, f"GRAINS.resample.counts {NOT_KNOWN} count, score, runs."),
        (
            "GRAINS.resample.score",
            "iou",
            "GRAINS.resample.score: 'iou' is not known; use one of: average_precision, boundary_f1, mean_iou, pixel_",
        ),
        ("GRAINS.resample.runs", 4, "GRAINS.resample.runs is 4, but GRAINS.finetune.runs is 3; lower the first, or"),
        ("GRAINS.resample.runs", 0, "GRAINS.resample.runs"),
        ("GRAINS.finetune", None, "GRAINS.finetune is missing from params.yaml; add that section."),
        ("GRAINS.finetune.runs", 0, "GRAINS.finetune.runs: 0 is not allowed"),
        ("GRAINS.finetune.architecture", "unet", f"GRAINS.finetune.architecture {NOT_KNOWN} runs, rehearsal_share,"),
        ("GRAINS.finetune.runs", 4, "GRAINS.finetune.runs is 4, but GRAINS.train.runs is 3; lower the first."),
        ("GRAINS.finetune.phases.0.peak_rate", "seek", "GRAINS.finetune.phases.0.peak_rate"),
        ("GRAINS.rounds", None, "GRAINS.rounds is missing from params.yaml; add that section."),
        ("GRAINS.rounds.base", {}, f"GRAINS.rounds.base: {BASE_ONLY}"),
        ("GRAINS.rounds.scoring", {}, "GRAINS.rounds.scoring: 'scoring' cannot be the name of a round;"),
        ("GRAINS.rounds.v2", {}, "GRAINS.rounds.v2: 'v2' cannot be the name of a round;"),
        ("GRAINS.rounds.Latest", {}, "GRAINS.rounds.Latest: 'Latest' cannot be the name of a round;"),
        ("GRAINS.train.rehearsal_share", 0.5, "GRAINS.train.rehearsal_share has no effect (no images come before"),
        ("chip_cracks.finetune.rehearsal_share", 0.5, "chip_cracks.finetune.rehearsal_share has no effect (tiles"),
        ("chip_cracks.train.target", "centre_line", "chip_cracks.train.target has no effect (classifiers learn no"),
        ("chip_cracks.train.cl_dice_share", 0.5, "chip_cracks.train.cl_dice_share has no effect (classifiers learn"),
        ("GRAINS.rounds.second-one", {}, "GRAINS.rounds.second-one: 'second-one' cannot be the name of a round;"),
        ("GRAINS.rounds.second", 5, "GRAINS.rounds.second: 5 is not allowed; it should be a valid dictionary"),
        (
            "GRAINS.rounds.adaptive.parent",
            "adaptative",
            "GRAINS.rounds.adaptive.parent: 'adaptative' is no arm; use one of: base, random, adaptive.",
        ),
        (
            "GRAINS.rounds.adaptive.parent",
            "adaptive",
            "GRAINS.rounds.adaptive descends from itself; give one of its ancestors the parent base.",
        ),
        ("GRAINS.finetune.rehearsal_share", 1, "GRAINS.finetune.rehearsal_share: 1 is not allowed; it should be less"),
        ("GRAINS.train.target", "line", "GRAINS.train.target: 'line' is not allowed; it should be 'mask' or 'centre_"),
        ("GRAINS.train.cl_dice_share", -0.1, "GRAINS.train.cl_dice_share: -0.1 is not allowed; it should be greater"),
        ("GRAINS.rounds.adaptive.seed", None, "GRAINS.rounds.adaptive.seed: is missing; add it."),
        ("GRAINS.rounds.adaptive.sead", 1, f"GRAINS.rounds.adaptive.sead {NOT_KNOWN} parent, seed, sampler."),
        (SAMPLER, {"worst": {}}, f"{SAMPLER}: 'worst' is not known; use one of: {', '.join(samplers())}."),
        (SAMPLER, {}, f"{SAMPLER} is {{}}; give one key, the name of a sampler: {', '.join(samplers())}."),
        (f"{SAMPLER}.random_draws", {}, "give one key, the name of a sampler"),
        (f"{SAMPLER}.worst_fraction.fraction", 1.5, f"{SAMPLER}.worst_fraction.fraction: 1.5 is not allowed"),
        (
            f"{SAMPLER}.worst_fraction.share",
            1,
            f"{SAMPLER}.worst_fraction.share {NOT_KNOWN} keep_seed, within, stop_below, fraction.",
        ),
        (f"{SAMPLER}.worst_fraction.within.rust", {"x": 1}, f"{SAMPLER}.worst_fraction.within.rust {NOT_KNOWN} grain_"),
        (
            f"{SAMPLER}.worst_fraction.within.grain_shades.grey",
            1,
            f"{SAMPLER}.worst_fraction.within.grain_shades.grey {NOT_KNOWN} mean_grey, contrast_grey.",
        ),
        (
            f"{SAMPLER}.worst_fraction.within.grain_shades.mean_grey",
            -1,
            f"{SAMPLER}.worst_fraction.within.grain_shades.mean_grey is -1.0; give how far it may move either way,",
        ),
    ],
)
def test_the_adaptive_step_is_checked_before_anything_starts(tree, path, value, said):
    assert_said(tree, path, value, said)


def test_a_round_may_go_on_with_a_round_wherever_that_stands(tree):
    rounds = tree[GRAINS]["rounds"]
    beside = {"control": rounds["random"] | {"parent": "random", "seed": 8}}
    tree[GRAINS]["rounds"] = {"second": rounds["adaptive"] | {"parent": "adaptive", "seed": 9}, **rounds, **beside}
    check_tree(tree)


def test_a_round_has_a_control_of_its_generation_that_never_saw_a_score(tree):
    rounds = tree[GRAINS]["rounds"]
    rounds["second"] = rounds["adaptive"] | {"parent": "adaptive", "seed": 9}
    said = r"rounds\.second has no control, .*; add a round with random_draws that is as far from base"
    for others in ({}, {"other": rounds["random"] | {"parent": "adaptive", "seed": 8}}):
        tree[GRAINS]["rounds"] = rounds | others
        with pytest.raises(Mistake, match=said):
            check_tree(tree)


@pytest.mark.parametrize(("first", "second", "wrong"), [(3, 4, "first"), (5, 3, "second")])
def test_a_round_has_another_seed_than_those_it_goes_on_from(tree, first, second, wrong):
    rounds = tree[GRAINS]["rounds"]
    rounds["adaptive"]["seed"] = 3
    rounds["second"] = rounds["adaptive"] | {"parent": "first", "seed": second}
    rounds["first"] = rounds["adaptive"] | {"parent": "adaptive", "seed": first}
    for parent, name, seed in (("random", "random_2", 20), ("random_2", "random_3", 30)):
        rounds[name] = rounds["random"] | {"parent": parent, "seed": seed}
    with pytest.raises(Mistake, match=rf"rounds\.{wrong}\.seed: 3 is that of adaptive, which it goes on from"):
        check_tree(tree)
    rounds["first"]["seed"], rounds["second"]["seed"] = 5, 6
    rounds["random"]["seed"] = 3  # of another line: the same seed is no harm
    check_tree(tree)


def test_the_projects_own_file_is_right(project):
    check_file(project / "params.yaml")


def test_the_stage_says_the_same_whatever_is_right(tmp_path, tree):
    outs = []
    for count in (3, 4):
        with (tmp_path / "params.yaml").open("w") as file:
            YAML().dump(changed(tree, "grain_boundaries.render.count", count), file)
        main(tmp_path / "params.yaml", tmp_path / "new" / "checked.txt")
        outs.append((tmp_path / "new" / "checked.txt").read_text())
    assert outs[0] == outs[1] == "params.yaml: every key is known and within its bounds.\n"


def test_the_stage_ends_with_code_2_and_one_sentence(tmp_path):
    (tmp_path / "params.yaml").write_text("profile: demo\nchips: {}\n")
    words = ["--params", str(tmp_path / "params.yaml"), "--out", str(tmp_path / "checked.txt")]
    ended = subprocess.run(
        [sys.executable, "-m", "micromime.stages.check", *words], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2
    assert ended.stderr.startswith("micromime: chips is not a known key")
    assert ended.stderr.count("\n") == 1
    assert not (tmp_path / "checked.txt").exists()

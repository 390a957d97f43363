"""Check all of params.yaml before any work starts: every key known, of the right type, within its bounds."""

import math
import re
from collections.abc import Mapping
from typing import Any

from micromime.arms.comparisons import AblationParameters, ExemplarParameters, TileParameters, pools
from micromime.arms.rounds import BASE, CONTROL, ResampleParameters, RoundParameters, rounds_of, without_control
from micromime.datasets.render import RenderParameters
from micromime.engines.memory import whole_bytes
from micromime.inference.views import JudgeParameters
from micromime.judging.metrics import SCORED
from micromime.mistakes import Mistake
from micromime.pictures.sizes import check_px, millions
from micromime.pictures.test_set import TestSetParameters
from micromime.sampling.samplers import checked_sampler
from micromime.scenario.parameters import Section, one_of, section, unknown_key
from micromime.scenario.scenario import Scenario
from micromime.training.architectures import architectures, asking_bytes
from micromime.training.settings import FinetuneParameters, TrainParameters
from micromime.use_cases import instance_kind, use_cases

OF_ALL: dict[str, type[Section]] = {
    "render": RenderParameters,
    "test_set": TestSetParameters,
    "train": TrainParameters,
    "finetune": FinetuneParameters,
}
"""What stands under every use case besides its scenario."""

WITH_ROUNDS: dict[str, type[Section]] = {
    "scoring": RenderParameters,
    "resample": ResampleParameters,
    "judge": JudgeParameters,
}
"""What stands besides under one that finds masks, and so do its rounds."""

WITH_TILES: dict[str, type[Section]] = {
    "tiles": TileParameters,
    "exemplars": ExemplarParameters,
    "ablation": AblationParameters,
}
"""What stands besides under one that finds the class of tiles."""

RESERVED = re.compile("latest|v[0-9]+", re.IGNORECASE)
"""Names that MLflow keeps for itself: the median network of a round is registered under the round's name."""


def check_tree(tree: Mapping[str, Any]) -> None:
    """Raise Mistake for the first thing wrong in what a parameter file holds."""
    profile = tree.get("profile")
    if not isinstance(profile, str) or not profile.isidentifier():
        raise Mistake(f"profile is {profile!r}; it must be the name of a profile, such as demo.")
    for key in use_cases_in(tree):
        if key not in use_cases():
            raise Mistake(unknown_key(key, ["profile", *use_cases()]))
        _check_use_case(tree, key)


def use_cases_in(tree: Mapping[str, Any]) -> list[str]:
    """Return the use cases that a parameter file holds."""
    return [key for key in tree if key != "profile"]


def _check_use_case(tree: Mapping[str, Any], use_case: str) -> None:
    content, kind = section(tree, use_case), instance_kind(use_case)
    sections = OF_ALL | (WITH_TILES if kind.classes else WITH_ROUNDS)
    known = ["scenario", *sections, *([] if kind.classes else ["rounds"])]
    for key in content:
        if key not in known:
            raise Mistake(unknown_key(f"{use_case}.{key}", known))
    Scenario.read(kind, section(tree, use_case, "scenario"), f"{use_case}.scenario")
    for key, each in sections.items():
        each.of(tree, use_case, key)
    fitting = architectures("class" if kind.classes else "mask")
    one_of(content["train"]["architecture"], fitting, f"{use_case}.train.architecture")
    trained, runs = content["train"]["runs"], content["finetune"].get("runs", "all")
    if runs != "all" and runs > trained:
        said = f"{use_case}.finetune.runs is {runs}, but {use_case}.train.runs is {trained}"
        raise Mistake(f"{said}; lower the first, or write all.")
    _check_effect(content, use_case, bool(kind.classes))
    if kind.classes:
        pools(tree, use_case)
    else:
        _check_rounds(tree, use_case)
        _check_sizes(tree, use_case)


def _check_sizes(tree: Mapping[str, Any], use_case: str) -> None:
    """Raise Mistake for rendered images that networks, which see them whole where they are scored, cannot take."""
    px = math.prod(tree[use_case]["scenario"][key] for key in ("rows", "cols"))
    image = f"an image of {use_case}.scenario"
    check_px(image, px, "lower rows or cols")
    check_memory(tree, use_case, image, px)


def check_memory(tree: Mapping[str, Any], use_case: str, picture: str, px: int) -> None:
    """Raise Mistake where the networks to be trained could not be asked here about a picture of so many pixels."""
    name = tree[use_case]["train"]["architecture"]
    needed, there = (each / 2**30 for each in (asking_bytes(name, px), whole_bytes()))
    if needed > there:
        said = f"{picture} has {millions(px)}; {name} takes {needed:.1f} GiB of memory to see it whole"
        raise Mistake(f"{said}, and there are {there:.1f}: make it smaller, or work where there is more.")


def _check_effect(content: Mapping[str, Any], use_case: str, classes: bool) -> None:
    """Raise Mistake for settings that are allowed, but would do nothing here, or not what they are for."""
    train, finetune = content["train"], content["finetune"]
    wrong = {"train.rehearsal_share": ("no images come before the base arm's", train.get("rehearsal_share"))}
    if classes:
        wrong |= {
            "finetune.rehearsal_share": ("tiles are not rehearsed", finetune.get("rehearsal_share")),
            "train.target": ("classifiers learn no mask", train.get("target", "mask") != "mask"),
            "train.cl_dice_share": ("classifiers learn no mask", train.get("cl_dice_share")),
        }
    for key, (why, given) in wrong.items():
        if given:
            raise Mistake(f"{use_case}.{key} has no effect ({why}); leave it out.")


def _check_rounds(tree: Mapping[str, Any], use_case: str) -> None:
    scoring, key = section(tree, use_case, "resample"), f"{use_case}.finetune.runs"
    runs = section(tree, use_case, "finetune").get("runs", "all")
    if runs == "all":
        key, runs = f"{use_case}.train.runs", section(tree, use_case, "train")["runs"]
    one_of(scoring["score"], SCORED, f"{use_case}.resample.score")
    if scoring["runs"] != "all" and scoring["runs"] > runs:
        said = f"{use_case}.resample.runs is {scoring['runs']}, but {key} is {runs}"
        raise Mistake(f"{said}; lower the first, or write all.")
    for name in section(tree, use_case, "rounds"):
        if not str(name).isidentifier() or name in (BASE, "scoring") or RESERVED.fullmatch(str(name)):
            where = f"{use_case}.rounds.{name}"
            raise Mistake(f"{where}: {name!r} cannot be the name of a round; use another word, of letters and digits.")
    rounds = rounds_of(tree, use_case)
    for name, asked in rounds.items():
        _check_seed(rounds, name, f"{use_case}.rounds.{name}.seed")
        where = f"{use_case}.rounds.{name}"
        checked_sampler(asked.sampler, instance_kind(use_case), f"{where}.sampler")
    if alone := without_control(rounds):
        said = f"{use_case}.rounds.{alone[0]} has no control, so that nobody could tell what its sampler is worth"
        raise Mistake(f"{said}; add a round with {CONTROL} that is as far from {BASE}, by rounds with {CONTROL} alone.")


def _check_seed(rounds: Mapping[str, RoundParameters], name: str, where: str) -> None:
    """Raise Mistake where a round may draw again what the networks that it goes on from were trained on."""
    seed, ancestor = rounds[name].seed, rounds[name].parent
    while ancestor != BASE:
        if rounds[ancestor].seed == seed:
            said = f"{seed} is that of {ancestor}, which it goes on from, so it might draw the same images again"
            raise Mistake(f"{where}: {said}; give it a seed of its own.")
        ancestor = rounds[ancestor].parent

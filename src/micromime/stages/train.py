"""Train arms: their runs go side by side, and go on where they were stopped; what a record tells is taken from it."""

from collections.abc import Mapping, Sequence
from typing import Any

from micromime.arms.arm import Arm, planned_arm
from micromime.arms.comparisons import arms_of_model
from micromime.arms.queue import train_arms
from micromime.datasets.store import Dataset
from micromime.mistakes import Mistake
from micromime.project import places
from micromime.project.work import sole_maker
from micromime.scenario.parameters import read_tree
from micromime.tracking.publish import publish_arm
from micromime.tracking.store import best_effort, check_store
from micromime.use_cases import instance_kind


def train(use_case: str, names: Sequence[str]) -> None:
    """Train `base`, a round, or models that are compared (`synthetic`, `real` ...), and write their networks.

    A run whose record fits is taken from it, with its network where DVC's cache has that. MLflow is told meanwhile.
    """
    tree = read_tree(places.PARAMS)
    with best_effort():
        check_store()
    profile = places.profile(tree)
    planned = {places.models(use_case, name): arms_named(tree, use_case, name) for name in names}
    for out in planned:
        if out.exists():
            raise Mistake(f"{out} is there already; remove it first, or let `make run` do that.")

    def tell(arm: Arm, runs: Mapping[int, Mapping[str, Any]]) -> None:
        with best_effort():
            publish_arm(arm.written(profile), runs)

    with sole_maker(places.models(use_case, "-".join(names))):
        train_arms(planned, profile, places.records(profile, use_case), tell)


def arms_named(tree: dict[str, Any], use_case: str, name: str) -> list[Arm]:
    """Return the arms that go under one name: one for base or a round, one for each pool for a model that is compared.

    A round goes on with the networks of the arm by whose scores its data were asked for.
    """
    if instance_kind(use_case).classes:
        return arms_of_model(tree, use_case, name)
    data = places.synthetic(use_case, name)
    before = Dataset(data).description.get("arm")
    start = places.models(use_case, before) if before else None
    return [planned_arm(tree, use_case, data, places.models(use_case, name), start)]

"""Train models that are compared where there are real tiles, an arm for each pool, the runs of all in one queue.

synthetic  on a pool alone
real       on the real tiles of the pool's subset alone
mixed      goes on with the synthetic networks on those real tiles, with the budget of `real`
longer     as real, with as many images seen as synthetic and mixed have seen together
"""

from pathlib import Path
from typing import Annotated, Any, Literal, cast, get_args

from typer import Option

from micromime.arms.arm import Arm, describe, profile_of
from micromime.arms.networks import put_back
from micromime.arms.pools import Pool, pools
from micromime.datasets.store import Dataset
from micromime.project.work import sole_maker
from micromime.scenario.parameters import one_of, read_tree, section, typed
from micromime.stages import command
from micromime.stages.train import Plan, train_arms
from micromime.training.settings import FinetuneParameters, TrainParameters

Model = Literal["synthetic", "real", "mixed", "longer"]

BASE: Model = "synthetic"
"""The model that mixed goes on with, and beside which the others stand in MLflow."""

ON_EVERY_POOL = ("synthetic", "mixed")
"""Models that the texture of a pool makes a difference to."""


def main(  # noqa: PLR0913 - one argument an option
    use_case: str,
    models: list[str],
    data: Annotated[Path, Option(help="Folder of a data set for each pool, or of real tiles for each subset.")],
    out: Annotated[Path, Option(help="Folder of the models; makes one for each: an arm for each pool.")],
    records: Annotated[Path, Option(help="Folder of the finished runs' records.")],
    params: Annotated[Path, Option(help="The file with <use case>.train and .finetune.")] = Path("params.yaml"),
) -> None:
    """Train every arm of models; all but synthetic need the synthetic ones in the same folder.

    What is stopped goes on from the records and networks of the runs that are whole.
    """
    for name in models:
        one_of(name, get_args(Model), "models")
    asked = cast(list[Model], models)
    tree, profile = read_tree(params), profile_of(params)
    unfinished = {model: out / f".{model}-arms" for model in asked}
    with sole_maker(out):
        for model in asked:  # killed over it, or made before with other subsets
            for arm in [*unfinished[model].glob("*"), *(out / model).glob("*")]:
                put_back(arm)
        arms = [
            (model, planned(tree, use_case, (model, pool), data, out / BASE))
            for model in asked
            for pool in pools_of(model, tree, use_case)
        ]
        plans = [Plan(arm, unfinished[model] / arm.name, describe(arm, profile)) for model, arm in arms]
        train_arms(plans, records)
        for model in asked:
            unfinished[model].rename(out / model)


def pools_of(model: Model, tree: dict[str, Any], use_case: str) -> list[Pool]:
    """Return the pools for which a model has an arm: where it sees no synthetic tile, one for each subset."""
    every = pools(tree, use_case)
    return every if model in ON_EVERY_POOL else [pool for pool in every if pool.name == pool.subset]


def arm_name(model: Model, pool: Pool) -> str:
    """Return the name of the arm of a model and a pool, which is that of its folder, too."""
    return f"{model}_{pool.name}"


def planned(tree: dict[str, Any], use_case: str, which: tuple[Model, Pool], data: Path, base: Path) -> Arm:
    """Return the arm of a model and a pool, as params.yaml describes it; `base` is the folder of the synthetic arms."""
    model, pool = which
    settings = typed(TrainParameters, section(tree, use_case, "train"), f"{use_case}.train")
    if model == BASE:
        return Arm(use_case, arm_name(model, pool), settings, data / pool.name)
    asked = typed(FinetuneParameters, section(tree, use_case, "finetune"), f"{use_case}.finetune")
    finetuned, synthetic = settings.finetuning(asked), base / arm_name(BASE, pool)
    real = data / pool.subset
    if model == "longer":
        finetuned = finetuned.longer(times_longer(settings, finetuned, (Arm.read(synthetic).data, real)))
    start, beside = (synthetic, None) if model == "mixed" else (None, synthetic)
    return Arm(use_case, arm_name(model, pool), finetuned, real, start, beside=beside)


def times_longer(first: TrainParameters, then: TrainParameters, data: tuple[Path, Path]) -> int:
    """Return how many times `then` must be trained to see at least the images that both see one after the other."""
    before, once = (images_seen(each, folder) for each, folder in zip((first, then), data, strict=True))
    return 1 + -(-before // once)


def images_seen(settings: TrainParameters, data: Path) -> int:
    """Return about how many images a run sees: those to train on, as often as its epochs go through them."""
    count = round(len(Dataset(data).images) * (1 - settings.validation_share))
    return sum(phase.epochs * max(count, phase.least_images) for phase in settings.phases)


if __name__ == "__main__":
    command(main)

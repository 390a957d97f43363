"""Models that are compared where there are real tiles, each with an arm for every subset of the training tiles.

synthetic  on a pool alone: a synthetic data set made after a subset
real       on the real tiles of the pool's subset alone
mixed      goes on with the synthetic networks on those real tiles, with the budget of `real`
longer     as real, with as many images seen as synthetic and mixed have seen together

The smaller a subset, the scarcer real data is: exemplars, statistics and real training tiles all come from it alone.
For comparison, one subset may have further pools whose texture is made in simpler ways.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, cast, get_args

from pydantic import Field

from micromime.arms.arm import Arm
from micromime.datasets.store import Dataset
from micromime.mistakes import Mistake
from micromime.partial_models.surface.exemplar_texture import ExemplarTexture
from micromime.project import places
from micromime.scenario.parameters import Section, one_of
from micromime.scenario.streams import LARGEST_SEED
from micromime.training.settings import FinetuneParameters, TrainParameters

Model = Literal["synthetic", "real", "mixed", "longer"]

BASE: Model = "synthetic"
"""The model that mixed goes on with, and beside which the others stand in MLflow."""

COMPARED: tuple[Model, ...] = ("synthetic", "real", "longer", "mixed")
"""Models in this order: each is tested against all before it, so mixed against every other."""

ON_EVERY_POOL = ("synthetic", "mixed")
"""Models that the texture of a pool makes a difference to."""

MEASURED = "measured.yaml"
"""In the folder of a subset: what `{measured: NAME}` in params.yaml refers to."""

FITTED = "fitted.svg"
"""In the same folder: measured against fitted."""

ALL = "all"
"""The subset of all training tiles."""

Subset = Literal["all"] | Annotated[int, Field(ge=4, le=1_000_000)]


class TileParameters(Section):
    """How real tiles are divided: `<use case>.tiles`."""

    test_tiles: int = Field(ge=1, le=1_000_000, description="Tiles of the fixed test set, at least; specimens whole.")
    seed: int = Field(ge=0, le=LARGEST_SEED, description="Seed of the order in which subsets are taken.")
    subsets: tuple[Subset, ...] = Field(
        strict=False,
        min_length=1,
        description="`all`, or how many of the training tiles; the smaller within the larger.",
    )


class ExemplarParameters(Section):
    """What is taken from the real tiles: `<use case>.exemplars`."""

    patches: int = Field(ge=100, le=1_000_000, description="Patches of a dictionary, if there are so many.")
    simulated_cracks: int = Field(
        ge=8, le=100_000, description="Cracks of each simulation that corrects what measuring does to them."
    )
    seed: int = Field(ge=0, le=LARGEST_SEED, description="Seed of the choice, and of simulations to calibrate with.")


class AblationParameters(Section):
    """What the texture is worth: `<use case>.ablation`."""

    subset: Subset = Field(description="The subset whose pool is rendered with other textures, too.")
    ways: tuple[Literal["phase_randomised", "white_noise", "cut"], ...] = Field(
        strict=False, description="How these are made; none to leave it out."
    )


class Pool(NamedTuple):
    """One synthetic data set, and the real tiles that it was made after."""

    name: str
    subset: str
    way: str


def pools(tree: Mapping[str, Any], use_case: str) -> list[Pool]:
    """Return every pool that params.yaml asks for, those with textures as in the paper first."""
    asked = TileParameters.of(tree, use_case, "tiles")
    ablation = AblationParameters.of(tree, use_case, "ablation")
    if len(set(asked.subsets)) < len(asked.subsets):
        raise Mistake(f"{use_case}.tiles.subsets names a subset twice; name each once.")
    if ablation.ways and ablation.subset not in asked.subsets:
        known = ", ".join(map(str, asked.subsets))
        raise Mistake(f"{use_case}.ablation.subset: {ablation.subset!r} is no subset; use one of: {known}.")
    filled = ExemplarTexture.model_fields["way"].default
    plain = [Pool(str(subset), str(subset), filled) for subset in asked.subsets]
    return plain + [Pool(f"{ablation.subset}_{way}", str(ablation.subset), way) for way in ablation.ways]


def pools_of(model: Model, tree: dict[str, Any], use_case: str) -> list[Pool]:
    """Return the pools for which a model has an arm: where it sees no synthetic tile, one for each subset."""
    every = pools(tree, use_case)
    return every if model in ON_EVERY_POOL else [pool for pool in every if pool.name == pool.subset]


def arm_name(model: Model, pool: Pool) -> str:
    """Return the name of the arm of a model and a pool, which is that of its folder, too."""
    return f"{model}_{pool.name}"


def arms_of_models(models: Path, tree: Mapping[str, Any], use_case: str) -> dict[Path, tuple[Model, Pool]]:
    """Return the folder of every arm with its model and pool: models in the order in which they are compared."""
    both = [(model, pool) for model in COMPARED for pool in pools_of(model, dict(tree), use_case)]
    return {models / model / arm_name(model, pool): (model, pool) for model, pool in both}


def arms_of_model(tree: dict[str, Any], use_case: str, model: str) -> list[Arm]:
    """Return the arm of a model on every pool that it has one for, as params.yaml describes them."""
    one_of(model, get_args(Model), "model")
    of = cast(Model, model)
    return [_planned(tree, use_case, of, pool) for pool in pools_of(of, tree, use_case)]


def _planned(tree: dict[str, Any], use_case: str, model: Model, pool: Pool) -> Arm:
    settings = TrainParameters.of(tree, use_case, "train")
    if model == BASE:
        return Arm(use_case, arm_name(model, pool), settings, places.synthetic(use_case, pool.name))
    asked = FinetuneParameters.of(tree, use_case, "finetune")
    finetuned, real = settings.finetuning(asked), places.tiles(use_case) / pool.subset
    synthetic = places.models(use_case, BASE) / arm_name(BASE, pool)
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

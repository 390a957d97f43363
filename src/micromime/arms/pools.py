"""The pools of a use case with real tiles: one synthetic data set for each subset of the training tiles.

The smaller a subset, the scarcer real data is: exemplars, statistics and real training tiles all come from it alone.
For comparison, one subset may have further pools whose texture is made in simpler ways.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field

from micromime.mistakes import Mistake
from micromime.partial_models.surface.exemplar_texture import ExemplarTexture
from micromime.scenario.parameters import Section, read_tree, section, typed
from micromime.scenario.streams import LARGEST_SEED

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
    asked = typed(TileParameters, section(dict(tree), use_case, "tiles"), f"{use_case}.tiles")
    ablation = typed(AblationParameters, section(dict(tree), use_case, "ablation"), f"{use_case}.ablation")
    if len(set(asked.subsets)) < len(asked.subsets):
        raise Mistake(f"{use_case}.tiles.subsets names a subset twice; name each once.")
    if ablation.ways and ablation.subset not in asked.subsets:
        known = ", ".join(map(str, asked.subsets))
        raise Mistake(f"{use_case}.ablation.subset: {ablation.subset!r} is no subset; use one of: {known}.")
    filled = ExemplarTexture.model_fields["way"].default
    plain = [Pool(str(subset), str(subset), filled) for subset in asked.subsets]
    return plain + [Pool(f"{ablation.subset}_{way}", str(ablation.subset), way) for way in ablation.ways]


def measured(folder: Path) -> dict[str, Any]:
    """Return what was measured on a subset, by the name that `{measured: NAME}` refers to."""
    return read_tree(folder / MEASURED)

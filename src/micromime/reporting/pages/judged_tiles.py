"""What the stages before the report have found about classifiers of tiles."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import pandas as pd

from micromime.arms.comparisons import Model, Pool, arm_name, pools_of
from micromime.datasets.store import Dataset
from micromime.judging.tiles import COMPARED, EVERY, METRIC, TEST
from micromime.judging.verdict import CURVES, SCORES
from micromime.reporting.pages.judged import Judged, Part


@dataclass(frozen=True)
class JudgedTiles(Judged):
    """As `Judged`, where there is a verdict for each subset, on test tiles and on all; no set is scored."""

    metrics: ClassVar = (METRIC,)
    median_by: ClassVar = METRIC

    made_of: Mapping[str, tuple[Model, Pool]]
    """The model and the pool of each arm, by its name."""
    test: Dataset
    """The test tiles."""

    @classmethod
    def read(cls, verdict: Path, models: Path, test: Path, asked: tuple[dict[str, Any], str]) -> Self:
        """Return what lies beside a verdict, for the arms that params.yaml (and a use case in it) asks for."""
        folder, said = verdict.with_suffix(""), json.loads(verdict.read_text())
        both = [(model, pool) for model in COMPARED for pool in pools_of(model, *asked)]
        arms = [models / model / arm_name(model, pool) for model, pool in both]
        made_of = dict(zip([arm.name for arm in arms], both, strict=True))
        scores, epochs = pd.read_parquet(folder / SCORES), pd.read_csv(folder / CURVES)
        return cls(said, scores, epochs, pd.DataFrame(), arms, made_of, Dataset(test))

    def parts(self, arm: Path) -> list[Part]:
        """Return what is said of an arm on the test tiles; and, under "every", on all tiles, where that was judged."""
        model, pool = self.made_of[arm.name]
        rows = self.scores[self.scores["arm"] == arm.name]
        tested = rows[rows["picture"].isin(self.test.samples["id"])]
        if pool.name != pool.subset:
            return [Part("", f"{model}, {pool.way}", self.verdict["ablation"][TEST], tested)]
        said = self.verdict["subsets"][pool.subset]
        return [Part("", model, said[TEST], tested), Part(EVERY, model, said[EVERY], rows)]

    def arms_of(self, subset: str) -> dict[str, Path]:
        """Return the arms of a subset, those on textures as in the paper, by model."""
        made_of = [(arm, *self.made_of[arm.name]) for arm in self.arms]
        return {str(model): arm for arm, model, pool in made_of if pool.name == subset}

    @property
    def by_tiles(self) -> list[str]:
        """The subsets, the one with the fewest training tiles first."""
        subsets = self.verdict["subsets"]
        return sorted(subsets, key=lambda name: int(subsets[name]["tiles"]))

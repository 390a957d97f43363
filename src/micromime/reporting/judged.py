"""What the stages before the report have found, the run that stands for each arm, and how arms were trained."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
import pandas as pd

from micromime.arms.arm import FIRST, Arm, said_of, trained
from micromime.arms.comparisons import Pool
from micromime.datasets.store import Dataset
from micromime.judging.grain_size import astm_difference
from micromime.judging.metrics import ALL_TILES, ASTM, TESTED
from micromime.judging.tiles import EVERY, METRIC, TEST
from micromime.judging.verdict import CURVES, SCORES
from micromime.mistakes import Mistake
from micromime.pictures.micrographs import LIST_NAME, read_micrographs

ABOUT_ROUNDS = """\
An arm is runs that differ in their seed alone: `base` on images drawn at random, each other arm goes on with
the networks of another one on new images that its sampler asked for (`random` at random again, the control;
`adaptive` where networks failed). Scores are means over runs on the test set that the tag `micromime.test_set`
names, never on synthetic images.

Look first whether `adaptive` is above `random` in `mean_iou`, then at `matched_grains` and `astm_g_error` (of
the ASTM grain-size number): what a metallurgist counts. An arm has its intervals and tests as tables under
Artifacts, beside the report; in `Models` the median run of each arm has its scores on each source of test
pictures."""

ABOUT_MODELS = """\
An arm is runs that differ in their seed alone: `synthetic` networks have seen rendered tiles only, `real` ones
the real training tiles, `mixed` ones both, one after the other, and `longer` ones the real tiles for as long as
mixed ones have trained; behind it stands the subset of training tiles. Scores are means over runs on the test
set that the tag `micromime.test_set` names.

Look first at `error_rate`, on tiles of specimens that no network has seen: `mixed` against `real` and `longer`
says what synthetic tiles are worth. `error_rate_all_tiles` counts training tiles too, as the paper does. An arm
has its intervals and tests as tables under Artifacts, beside the report; in `Models` the median run of each arm
has its scores by specimen."""


class Part(NamedTuple):
    """What one verdict says of an arm, and the scores of the arm that it says it by."""

    name: str
    """Of the arm in the verdict."""
    verdict: dict[str, Any]
    scores: pd.DataFrame
    """A row for every run and picture."""


@dataclass(frozen=True)
class Judged:
    """What the stages before have written."""

    metrics: ClassVar[Sequence[str]] = (*TESTED, ASTM)
    """Columns of the scores that MLflow is told of."""
    median_by: ClassVar[str] = "mean_iou"
    """The one whose median run stands for an arm."""
    shown: ClassVar[Sequence[str]] = ("mean_iou", "boundary_f1", "pixel_error", "matched_grains", ASTM)
    """Scores that are compared first."""
    about: ClassVar[str] = ABOUT_ROUNDS
    """What the arms are, for those who see them side by side."""

    verdict: dict[str, Any]
    scores: pd.DataFrame
    """A row for every arm, run and picture."""
    epochs: pd.DataFrame
    arms: Sequence[Path]

    def parts(self, arm: Path) -> list[Part]:
        """Return what is said of an arm, what counts first."""
        return [Part(arm.name, self.verdict, self.scores[self.scores["arm"] == arm.name])]

    @property
    def representative(self) -> dict[Path, int]:
        """The median run of each arm (the lower one of two in the middle)."""
        return {arm: median_run(self.parts(arm)[0].scores, self.median_by) for arm in self.arms}

    def of_arm(self, arm: Path) -> dict[str, float | None]:
        """Return an arm's scores, as the verdict has them: means over its runs."""
        means = {metric: self.verdict["arms"][arm.name][metric]["mean"] for metric in TESTED}
        sizes = self.verdict["grain_size"]["all"]["arms"][arm.name]
        return means | {ASTM: sizes["astm_absolute_difference"]["mean"]}

    def by_run(self, arm: Path) -> dict[int, dict[str, float]]:
        """Return the scores of each run: means over the pictures."""
        return {int(str(run)): means for run, means in self._means(arm, "run").items()}

    def by_source(self, arm: Path, run: int) -> dict[str, dict[str, float]]:
        """Return what one run has scored on the pictures of each source."""
        return self._means(arm, "source", run)

    def digests(self, test_set: Path) -> dict[str, str]:
        """Return for each source of test pictures 16 digits that stand for these; none where they are not here."""
        if not (test_set / LIST_NAME).is_file():
            return {}
        return digests((each.source, each.name, each.image, each.mask) for each in read_micrographs(test_set))

    def _means(self, arm: Path, key: str, run: int | None = None) -> dict[Any, dict[str, float]]:
        rows = self.rows(arm)
        rows = rows if run is None else rows[rows["run"] == run]
        means: dict[Any, Any] = rows.groupby(key, sort=False)[list(self.metrics)].mean().to_dict("index")
        return means

    def rows(self, arm: Path) -> pd.DataFrame:
        """Return what an arm scored in each picture, all that MLflow is told of."""
        rows, sizes = self.parts(arm)[0].scores, self.verdict["true_sizes"]
        true_px = [
            (sizes[picture]["intercept"] or {"intercept_px": np.nan})["intercept_px"] for picture in rows["picture"]
        ]
        found_px = rows["intercept_px"].astype(float)
        return rows.assign(**{ASTM: [abs(astm_difference(*both)) for both in zip(found_px, true_px, strict=True)]})


@dataclass(frozen=True)
class JudgedTiles(Judged):
    """As `Judged`, where there is a verdict for each subset, on test tiles and on all."""

    metrics: ClassVar = (METRIC,)
    median_by: ClassVar = METRIC
    shown: ClassVar = (METRIC, ALL_TILES, "images_per_second")
    about: ClassVar = ABOUT_MODELS

    made_of: Mapping[Path, tuple[str, Pool]]
    """The model and the pool of each arm."""
    test: Dataset
    """The test tiles."""

    def parts(self, arm: Path) -> list[Part]:
        """Return what is said of an arm on the test tiles; and on all tiles, where that was judged."""
        model, pool = self.made_of[arm]
        rows = self.scores[self.scores["arm"] == arm.name]
        tested = rows[rows["picture"].isin(self.test.samples["id"])]
        if pool.name != pool.subset:
            return [Part(f"{model}, {pool.way}", self.verdict["ablation"][TEST], tested)]
        said = self.verdict["subsets"][pool.subset]
        return [Part(model, said[TEST], tested), Part(model, said[EVERY], rows)]

    def of_arm(self, arm: Path) -> dict[str, float | None]:
        """Return an arm's error rates, as the verdict has them: on the test tiles, and on all."""
        return {
            key: part.verdict["arms"][part.name][METRIC]["mean"]
            for key, part in zip((METRIC, ALL_TILES), self.parts(arm), strict=False)
        }

    def by_run(self, arm: Path) -> dict[int, dict[str, float]]:
        """Return the error rates of each run."""
        found: dict[int, dict[str, float]] = {}
        for key, part in zip((METRIC, ALL_TILES), self.parts(arm), strict=False):
            for run, rate in part.scores.groupby("run")[METRIC].mean().items():
                found.setdefault(int(str(run)), {})[key] = float(rate)
        return found

    def digests(self, test_set: Path) -> dict[str, str]:  # noqa: ARG002 - its tiles are at hand
        """Return for each specimen 16 digits that stand for its test tiles."""
        names = self.test.samples[["specimen", "id"]].to_numpy()
        pairs = zip(names, self.test.images, self.test.class_numbers, strict=True)
        return digests((*name, image, np.array(number)) for name, image, number in pairs)

    def rows(self, arm: Path) -> pd.DataFrame:
        """Return whether each run was wrong about each test tile."""
        return self.parts(arm)[0].scores

    def arms_of(self, subset: str) -> dict[str, Path]:
        """Return the arms of a subset, those on textures as in the paper, by model."""
        return {model: arm for arm, (model, pool) in self.made_of.items() if pool.name == subset}


def digests(pictures: Iterable[tuple[Any, ...]]) -> dict[str, str]:
    """Return for each source a hash, 16 hexadecimal digits, of its pictures: (source, name, arrays), in any order."""
    found: dict[str, list[str]] = {}
    for source, name, *arrays in pictures:
        content = [f"{array.dtype} {array.shape}".encode() + np.ascontiguousarray(array).tobytes() for array in arrays]
        found.setdefault(str(source), []).append(hashlib.sha256(b" ".join([str(name).encode(), *content])).hexdigest())
    return {source: hashlib.sha256("".join(sorted(each)).encode()).hexdigest()[:16] for source, each in found.items()}


def tables_of(parts: Sequence[Part]) -> dict[str, pd.DataFrame]:
    """Return what verdicts say of an arm beyond its means: `intervals.json`, and `tests.json` against others."""
    intervals, tests = [], []
    for part in parts:
        on = f"{part.verdict['test_set']['name']}, {part.verdict['test_set']['n']} pictures"
        for score, said in part.verdict["arms"][part.name].items():
            for kind, interval in said.items() if isinstance(said, Mapping) else ():
                if isinstance(interval, Mapping):
                    head = {"on": on, "score": score, "mean": said["mean"], "sd": said.get("sd"), "interval": kind}
                    intervals.append(head | dict(interval))
        tests += [_flat(test) | {"on": on} for test in part.verdict["paired"].values() if test["a"] == part.name]
    return {"intervals.json": pd.DataFrame(intervals), "tests.json": pd.DataFrame(tests)}


def _flat(test: Mapping[str, Any]) -> dict[str, Any]:
    """Return a test without nesting: `ci99_difference.lo`."""
    nested = {key: value for key, value in test.items() if isinstance(value, Mapping)}
    plain = {key: value for key, value in test.items() if key not in nested}
    return plain | {f"{key}.{inner}": each for key, value in nested.items() for inner, each in value.items()}


def beside(verdict: Path) -> tuple[dict[str, Any], pd.DataFrame, pd.DataFrame]:
    """Return a verdict and, from beside it, the scores of every picture and the learning curves.

    Raises Mistake where one of them is missing or damaged.
    """
    try:
        said, curves = json.loads(verdict.read_text()), pd.read_csv(verdict.with_name(CURVES))
        scores = pd.read_parquet(verdict.with_name(SCORES))
        if "test_set" not in said:
            raise ValueError("it is no verdict")
    except (OSError, ValueError, TypeError) as error:
        why = str(error).partition("\n")[0].rstrip(".")
        again = "`make run` judges again where it is deleted"
        raise Mistake(f"The verdict in {verdict.parent} is damaged ({why}); {again}.") from None
    return said, scores, curves


def median_run(scores: pd.DataFrame, metric: str = Judged.median_by) -> int:
    """Return the median run of one arm's rows by a metric over the pictures (the lower one of two in the middle)."""
    means = scores.groupby("run")[metric].mean().sort_values(kind="stable")
    return int(means.index[(len(means) - 1) // 2])


def phases(arms: Sequence[Path]) -> pd.DataFrame:
    """Return a row for each arm and phase, with the learning rate that was used and how it came about."""
    rows = [
        {"arm": arm.name, "phase": number, **phase.model_dump(), "peak_rate": rate}
        | {"how": "found" if phase.peak_rate == "find" else "given"}
        for arm in arms
        for number, (phase, rate) in enumerate(
            zip(Arm.read(arm).settings.phases, trained(arm, FIRST)["rates"], strict=True), 1
        )
    ]
    return pd.DataFrame(rows)


def origin(arms: Sequence[Path], data_by: Literal["name", "path"] = "name") -> dict[str, str]:
    """Return how all of it was made: profile, settings and machine of the trainings, data by name or by path."""
    read = [Arm.read(arm) for arm in arms]
    said, settings = [said_of(arm) for arm in arms], read[0].settings
    runs = [trained(folder, number) for folder, arm in zip(arms, read, strict=True) for number in arm.runs]
    machines = [f"{each['device']} ({each['processor']}), threads of a run: {each['threads']}" for each in runs]
    data = [f"{each[data_by]} {each['digest']}" for arm in said for each in arm["data"]]
    return {
        "Profile": f"{said[0]['profile']} (`micromime profile {said[0]['profile']} && make run`)",
        "Network": f"{settings.architecture}, {settings.precision}, channels last: {settings.channels_last}",
        "Runs": ", ".join(f"{a.name} {arm.settings.runs}" for a, arm in zip(arms, read, strict=True))
        + "; run number = seed",
        "Data": ", ".join(dict.fromkeys(data)),
        "Trained on": "; ".join(dict.fromkeys(machines)),
        "PyTorch": ", ".join(dict.fromkeys(each["torch"] for each in runs)),
    }


def epochs(arms: Sequence[Path]) -> pd.DataFrame:
    """Return a row for every arm, run and epoch: its phase, losses, metrics and speed, without the machine's load."""
    rows = [
        {"arm": arm.name, "run": run, "epoch": number}
        | {key: epoch[key] for key in epoch if not key.startswith("system/")}
        for arm in arms
        for run in Arm.read(arm).runs
        for number, epoch in enumerate(trained(arm, run)["epochs"], 1)
    ]
    return pd.DataFrame(rows)

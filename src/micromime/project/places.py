"""Where everything lies in a project's folder, as dvc.yaml names it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

PARAMS = Path("params.yaml")
PROFILES = Path("profiles")

SUPPLIED = Path(__file__).parents[1]
"""Has both of these files, too: what is used in a folder that has none."""


def profile(tree: Mapping[str, Any]) -> str:
    """Return the name of the profile in what a parameter file holds: verdicts and records have a folder for each."""
    return str(tree.get("profile", ""))


def synthetic(use_case: str, name: str = "") -> Path:
    """Return the folder of a synthetic data set, or of all of a use case."""
    return Path("data/synthetic", use_case, name)


def scores(use_case: str, arm: str) -> Path:
    """Return the table of an arm's scores."""
    return Path("data/scores", use_case, f"{arm}.parquet")


def test_set(use_case: str) -> Path:
    """Return the folder of the micrographs of a test set."""
    return Path("data/test_set", use_case)


def photographs(use_case: str) -> Path:
    """Return the folder of the photographs that real tiles are cut from."""
    return Path("data/photographs", use_case)


def tiles(use_case: str) -> Path:
    """Return the folder of the divided real tiles."""
    return Path("data/tiles", use_case)


def exemplars(use_case: str) -> Path:
    """Return the folder of what was measured on each subset of the real tiles."""
    return Path("data/exemplars", use_case)


def models(use_case: str, arm: str = "") -> Path:
    """Return the folder of an arm, or of all arms of a use case."""
    return Path("models", use_case, arm)


def metrics(profile: str, use_case: str) -> Path:
    """Return the folder of what has come out; beside it are a page of it (.md) and DVC's metrics (.json)."""
    return Path("metrics", profile, use_case)


def verdict(profile: str, use_case: str) -> Path:
    """Return the whole verdict, JSON."""
    return metrics(profile, use_case) / "verdict.json"


def records(profile: str, use_case: str) -> Path:
    """Return the folder of the finished runs' records."""
    return Path("metrics", profile, "runs", use_case)

"""In how many of the ways in which a picture may lie networks are judged: `<use case>.judge`."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Literal

from pydantic import Field

from micromime.inference.views import VIEWS, in_all_views
from micromime.scenario.arrays import Image, Probability
from micromime.scenario.parameters import Section, section, typed

ALL_VIEWS = len(VIEWS)


class JudgeParameters(Section):
    """How networks that find masks are judged."""

    views: Literal[1, 8] = Field(description="Ways in which a picture is asked about; the mean of the answers counts.")


def views_of(tree: Mapping[str, Any], use_case: str) -> int:
    """Return in how many views params.yaml has networks judged."""
    return typed(JudgeParameters, section(dict(tree), use_case, "judge"), f"{use_case}.judge").views


def in_views(find: Callable[[Image], Probability], views: int) -> Callable[[Image], Probability]:
    """Return what gives the mean of a network's answers in all views of a picture, or its one answer."""
    return find if views == 1 else partial(in_all_views, find)

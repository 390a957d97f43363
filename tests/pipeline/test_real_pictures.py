"""The pipeline of the tiny profile after real pictures were given."""

import pytest
from clones import copied, git, run

pytestmark = [pytest.mark.pipeline, pytest.mark.timeout(3600)]  # a fixture may wait for what another worker makes


def test_given_pictures_are_judged_on_and_nothing_else_runs(real):
    stages = [f"{each}_grain_boundaries" for each in ("import", "judge", "ablation", "report")]
    assert (sorted(real.stages), real.stages[0]) == (sorted(stages), stages[0])
    assert real.trained == []
    assert "Test set: real pictures; grain_boundaries, n = 2" in real.said
    assert real.verdict["test_set"]["kind"] == "real"


def test_real_stays_real_from_the_cache(real, tmp_path):
    clone = copied(real, tmp_path)
    git(clone, "add", ".")
    git(clone, "commit", "--quiet", "--message", "judged on real pictures")
    again = run(clone)
    assert again.stages == []
    assert again.verdict["test_set"]["kind"] == "real"

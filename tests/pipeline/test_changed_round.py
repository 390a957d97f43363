"""The pipeline of the tiny profile after one round was changed."""

import pytest
from clones import Ran, copied, run

pytestmark = [pytest.mark.pipeline, pytest.mark.timeout(3600)]  # a fixture may wait for what another worker makes


@pytest.fixture(scope="module")
def other_round(first: Ran, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """The same after the sampler of one round was changed."""
    clone = copied(first, tmp_path_factory.mktemp("round"))
    written = (clone / "params.yaml").read_text()
    assert "fraction: 0.1" in written
    (clone / "params.yaml").write_text(written.replace("fraction: 0.1", "fraction: 0.5", 1))
    return run(clone)


def test_a_changed_round_runs_itself_alone(first, other_round):
    of_round = [f"{each}_grain_boundaries@adaptive" for each in ("resample", "finetune", "score_rounds")]
    after = [f"{each}_grain_boundaries" for each in ("judge", "explain", "report")]
    assert other_round.stages[0] == "check"
    assert sorted(other_round.stages[1:]) == sorted(of_round + after)
    assert other_round.trained == ["adaptive: 2 of 2"]
    assert other_round.weights("random") == first.weights("random")
    assert other_round.weights("adaptive").keys() == first.weights("adaptive").keys()

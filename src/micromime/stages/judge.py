"""Judge networks on the test set: every run of every arm, beside the trivial baselines."""

from pathlib import Path

from micromime.arms.answers import CHOOSING, SCORING, TEST, Question, answers
from micromime.arms.rounds import BASE, compared, rounds_of
from micromime.inference.views import views_of
from micromime.judging.micrographs import said_of, with_sources
from micromime.judging.verdict import write_verdict
from micromime.pictures.micrographs import read_micrographs
from micromime.pictures.test_set import tested_on
from micromime.project.places import PARAMS
from micromime.project.work import sole_maker
from micromime.reporting.tables.verdict import verdict_table
from micromime.reporting.trained_arms import epochs, origin
from micromime.scenario.parameters import read_tree


def main(  # noqa: PLR0913 - a path an argument
    use_case: str, models: Path, test_set: Path, scoring: Path, out: Path, records: Path, params: Path = PARAMS
) -> None:
    """Write the verdict, its tables, the scores of every picture and the learning curves."""
    with sole_maker(out):
        tree = read_tree(params)
        rounds, views = rounds_of(tree, use_case), views_of(tree, use_case)
        arms = [models / name for name in (BASE, *rounds)]
        pictures = read_micrographs(test_set)
        given = with_sources(answers(arms, records, Question(TEST, test_set, views)), pictures)
        purpose = SCORING if views == 1 else CHOOSING  # in one view they have been asked all of it for the samplers
        chosen_on = answers(arms, records, Question(purpose, scoring, views))
        said = said_of(tested_on(test_set, use_case), (given, chosen_on), pictures, compared(rounds))
        said |= {"views": views, "made": origin(arms)}
        write_verdict(out, said, verdict_table(said), given, epochs(arms))

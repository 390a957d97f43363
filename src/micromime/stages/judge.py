"""Judge networks on the test set: every run of every arm, beside the trivial baselines."""

from micromime.arms.answers import CHOOSING, SCORING, TEST, Question, answers
from micromime.arms.rounds import BASE, compared, rounds_of
from micromime.inference.views import JudgeParameters
from micromime.judging.micrographs import said_of
from micromime.judging.verdict import write_verdict
from micromime.pictures.micrographs import read_micrographs
from micromime.pictures.test_set import tested_on
from micromime.project import places
from micromime.project.work import sole_maker
from micromime.reporting.judged import epochs, origin
from micromime.reporting.tables.verdict import verdict_table
from micromime.scenario.parameters import read_tree


def judge(use_case: str) -> None:
    """Write the verdict, its tables, the scores of every picture and the learning curves."""
    tree = read_tree(places.PARAMS)
    profile, test_set = places.profile(tree), places.test_set(use_case)
    out, records = places.verdict(profile, use_case), places.records(profile, use_case)
    with sole_maker(out):
        rounds, views = rounds_of(tree, use_case), JudgeParameters.of(tree, use_case, "judge").views
        arms = [places.models(use_case, name) for name in (BASE, *rounds)]
        pictures = read_micrographs(test_set)
        given = answers(arms, records, Question(TEST, test_set, views))
        given = given.assign(source=given["picture"].map({each.name: each.source for each in pictures}))
        purpose = SCORING if views == 1 else CHOOSING  # in one view they have been asked all of it for the samplers
        chosen_on = answers(arms, records, Question(purpose, places.synthetic(use_case, "scoring"), views))
        said = said_of(tested_on(test_set, use_case), (given, chosen_on), pictures, compared(rounds))
        said |= {"views": views, "made": origin(arms)}
        write_verdict(out, said, verdict_table(said), given, epochs(arms))

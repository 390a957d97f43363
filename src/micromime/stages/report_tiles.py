"""Write the report of a use case with tiles: one page and its pictures, of all that came out."""

from micromime.project import places
from micromime.project.work import sole_maker
from micromime.reporting.pages.page import write_page
from micromime.reporting.pages.tiles import Sources, page, report_of
from micromime.scenario.parameters import read_tree
from micromime.stages.publish import PAGE, judged_tiles, publish_judged
from micromime.tracking.store import best_effort


def report_tiles(use_case: str) -> None:
    """Write the page and its pictures."""
    tree = read_tree(places.PARAMS)
    verdict = places.verdict(places.profile(tree), use_case)
    out = verdict.with_suffix("") / PAGE
    with sole_maker(out):
        shown = Sources(*(each(use_case) for each in (places.tiles, places.synthetic, places.exemplars)))
        told = report_of(judged_tiles(tree, use_case, verdict), shown)
        write_page(out, page(told), told.pictures)
        with best_effort():
            publish_judged(tree, use_case)

"""The whole pipeline by one command: check, find the real pictures, run what has changed, say where to look."""

import os
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from micromime.commands.check import check_memory, check_tree, use_cases_in
from micromime.commands.mlflow import HOST, PORT
from micromime.mistakes import Mistake
from micromime.pictures.sizes import largest
from micromime.pictures.test_set import check_given, choose_origin, origin_file, places_of
from micromime.project import places
from micromime.project.dvc_cache import expect_repository
from micromime.project.versions import revision
from micromime.scenario.parameters import read_tree
from micromime.team.remote import brought
from micromime.tracking.store import best_effort, check_store
from micromime.tracking.views import remembered_address, server_address, view_address
from micromime.use_cases import instance_kind


def run_pipeline() -> None:
    """Run `dvc repro` after all that DVC cannot see: machine settings and wrong keys.

    Where the project has a remote that answers, what has not changed is pulled from it instead of computed.
    """
    import dvc  # noqa: F401 - where it is not installed, that is said here, and not by the process that is to run it

    tree = read_tree(places.PARAMS)
    check_tree(tree)
    expect_repository()
    revision()  # says here, once, why runs are logged without a commit
    with best_effort():
        check_store()
    write_sources(tree, fetch=brought())
    if up_to_date():
        print("Data and pipelines are up to date.", flush=True)
    else:
        _reproduce()
    for use_case in use_cases_in(tree):
        _say_where_to_look(use_case, places.metrics(places.profile(tree), use_case))
    say_where_arms_are(use_cases_in(tree), places.profile(tree))


def up_to_date() -> bool:
    """Return whether DVC sees no change at all, as `dvc status --quiet` says by its exit code.

    It is asked in this process, by the function that is the command `dvc`: `dvc repro` takes twice as long to find
    nothing to do, as it loads the pipeline twice and locks each stage. Where it fails, that says why.
    """
    from dvc.cli import main
    from dvc.utils.serialize import LOADERS, load_yaml

    LOADERS[".yaml"] = cache(load_yaml)  # documented nowhere; DVC reads all of params.yaml anew for each stage
    try:
        return Path("dvc.yaml").is_file() and main(["status", "--quiet"]) == 0
    finally:
        del LOADERS[".yaml"]


def _reproduce() -> None:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])  # stages call `python`
    if subprocess.Popen([sys.executable, "-m", "dvc", "repro"], env={**os.environ, "PATH": path}).wait():
        raise Mistake(
            "dvc repro did not end well; what it says above names the stage, and `make run` goes on from there."
        )


def say_where_arms_are(use_cases: list[str], profile: str) -> None:
    """Print where MLflow shows the arms of each use case side by side; it is told of those that it does not know."""
    server = server_address()
    print(f"\nArms side by side in MLflow{'' if server else ' (`micromime mlflow` serves and opens them)'}:")
    for use_case in use_cases:
        with best_effort():
            if page := remembered_address(use_case, profile) or _told(use_case, profile):
                print(f"{use_case + ':':19} {server or f'http://{HOST}:{PORT}'}/{page}")


def _told(use_case: str, profile: str) -> str:
    if page := view_address(use_case, profile):
        return page
    from micromime.stages.publish import publish  # pandas takes a second

    publish(use_case)
    return view_address(use_case, profile)


def write_sources(tree: Mapping[str, Any], fetch: bool = True) -> None:
    """Write data/sources/<use case>.json for each use case: which test set this machine, its cache or remote can give.

    A test set is fetched from the project's remote unless that is known not to answer. A file whose content stays the
    same is not touched, so DVC sees a change only where the test set is another one. Mistake where networks could not
    be asked here about a picture of it.
    """
    check_given(use_cases_in(tree))
    for use_case in use_cases_in(tree):
        origin = choose_origin(use_case, instance_kind(use_case).classes, fetch)
        if not instance_kind(use_case).classes and origin.kind == "real" and "train" in tree[use_case]:
            check_memory(tree, use_case, *largest(places_of(use_case, origin.files)))
        origin.write(origin_file(use_case))


def _say_where_to_look(use_case: str, folder: Path) -> None:
    page = folder.with_suffix(".md")
    if not page.exists():
        raise Mistake(f"{page} was not made; add the stages of {use_case} to dvc.yaml.")
    print(f"\n{page.read_text()}")
    print(f"The report:         {folder}/report.html, its pictures in {folder}/pictures/")
    print(f"This page:          {page}, its numbers {folder.with_suffix('.json')} (dvc metrics show)")
    print(f"Synthetic pictures: {places.synthetic(use_case)}/, preview.png in each folder")
    print(f"Networks:           {places.models(use_case)}/")

"""The team's server as a package, and a browser for its pages."""

import dataclasses
import importlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from browser import Page, opened


@pytest.fixture(scope="session")
def team(project: Path) -> Iterator[ModuleType]:
    """docs/team_server/, imported."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [str(project / "docs"), *sys.path])
        yield importlib.import_module("team_server")


@pytest.fixture(scope="session")
def site(team: ModuleType) -> Iterator[Any]:
    """Servers of the session, under a name that is this machine for browsers, and neither `localhost` nor an address.

    Not below pytest's folders, which PostgreSQL's user may not enter where root runs the tests.
    """
    folder = Path(tempfile.mkdtemp(prefix="team-"))
    site = dataclasses.replace(team.Site.on_free_ports(folder), name="lab.localhost")
    try:
        try:
            team.start(site)
        except team.Mistake as mistake:
            if "install" in str(mistake) and not os.environ.get("CI"):
                pytest.skip(str(mistake))
            raise
        yield site
    finally:
        if (folder / "settings.json").exists():
            team.stop(folder, patience_s=3)
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def logged_in_page(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., AbstractContextManager[Page]]:
    """What opens an address as somebody with a name and a password, who types them when he is asked."""
    return lambda address, *login: opened(address, tmp_path_factory.mktemp("new"), login)

"""A browser that shows a page to a test."""

import os
import shutil

import pytest

QUIET = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1600,900",
]
"""A browser that calls nobody but the page's server."""


def browser() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not found and os.environ.get("CI"):
        pytest.fail("there is no browser, and CI asks for one: install Debian's chromium")
    return found or pytest.skip("there is no browser: install Debian's chromium")

"""The team's server as a package, and a browser that types a password where a page asks for one."""

import base64
import dataclasses
import importlib
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from browser import QUIET, browser


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


class Page:
    """A page of a browser, driven over a pipe by the Chrome DevTools Protocol: JSON, each message ended by a zero."""

    def __init__(self, answers: int, questions: int, login: tuple[str, str]) -> None:
        self.answers, self.questions, self.login = answers, questions, login
        self.asked, self.session, self.unread = 0, {}, b""
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = {"sessionId": self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]}
        self.ask("Fetch.enable", handleAuthRequests=True)

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """Return the answer, and see to the page's own questions meanwhile."""
        asked = self.tell(method, **params)
        while (message := self.next_message()).get("id") != asked:
            event, about = message.get("method"), message.get("params", {})
            if event == "Fetch.requestPaused":
                self.tell("Fetch.continueRequest", requestId=about["requestId"])
            elif event == "Fetch.authRequired":
                typed = dict(zip(("username", "password"), self.login, strict=True))
                answer = {"response": "ProvideCredentials", **typed}
                self.tell("Fetch.continueWithAuth", requestId=about["requestId"], authChallengeResponse=answer)
        return message.get("result", {})

    def tell(self, method: str, **params: Any) -> int:
        self.asked += 1
        message = {"id": self.asked, "method": method, "params": params} | self.session
        os.write(self.questions, json.dumps(message).encode() + b"\0")
        return self.asked

    def next_message(self) -> dict[str, Any]:
        while b"\0" not in self.unread:
            assert select.select([self.answers], [], [], 60)[0], "the browser says nothing"
            said = os.read(self.answers, 2**20)
            assert said, "the browser has ended"
            self.unread += said
        message, _, self.unread = self.unread.partition(b"\0")
        return dict(json.loads(message))

    def texts(self) -> set[str]:
        """The lines that a reader sees."""
        answer = self.ask("Runtime.evaluate", expression="document.body ? document.body.innerText : ''")
        return {line.strip() for line in answer["result"]["value"].splitlines()}

    def texts_with(self, wanted: set[str], seconds: float = 60) -> set[str]:
        """The lines as soon as all that is wanted is among them, or as they are when time is up."""
        end = time.monotonic() + seconds
        while not (found := self.texts()) >= wanted and time.monotonic() < end:
            time.sleep(0.3)
        return found

    def picture(self, file: Path) -> Path:
        file.write_bytes(base64.b64decode(self.ask("Page.captureScreenshot")["data"]))
        return file


@pytest.fixture(scope="session")
def logged_in_page(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    """What opens an address as somebody with a name and a password, who types them when he is asked."""

    @contextmanager
    def opened(address: str, user: str, password: str) -> Iterator[Page]:
        (to_read, questions), (answers, to_write) = os.pipe(), os.pipe()
        words = [browser(), *QUIET, f"--user-data-dir={tmp_path_factory.mktemp('new')}"]
        connected = ["bash", "-c", f'exec "$@" 3<&{to_read} 4>&{to_write}', "bash", *words, "--remote-debugging-pipe"]
        process = subprocess.Popen(connected, pass_fds=(to_read, to_write), stderr=subprocess.DEVNULL)
        os.close(to_read)
        os.close(to_write)
        try:
            page = Page(answers, questions, (user, password))
            page.ask("Page.navigate", url=address)
            yield page
        finally:
            process.terminate()
            process.wait(30)
            os.close(answers)
            os.close(questions)

    return opened

"""A browser that shows a page to a test, clicks there, and types a password where a page asks for one."""

import base64
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

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


PLACE = """(text => {
  const shown = [...document.querySelectorAll("*")].filter(each => each.innerText?.trim() === text);
  const box = shown.at(-1)?.getBoundingClientRect();
  return box?.width ? [box.x + box.width / 2, box.y + box.height / 2] : null;
})(%s)"""
"""Where on the page the innermost element is that shows just a text."""


class Page:
    """A page of a browser, driven over a pipe by the Chrome DevTools Protocol: JSON, each message ended by a zero."""

    def __init__(self, answers: int, questions: int, login: tuple[str, ...]) -> None:
        self.answers, self.questions, self.login = answers, questions, login
        self.asked, self.session, self.unread = 0, {}, b""
        self._attach(self.ask("Target.createTarget", url="about:blank")["targetId"])

    def _attach(self, target: str) -> None:
        self.session = {"sessionId": self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]}
        if self.login:
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

    def said(self, script: str) -> Any:
        """What a line of JavaScript gives."""
        return self.ask("Runtime.evaluate", expression=script, returnByValue=True)["result"].get("value")

    def texts(self) -> set[str]:
        """The lines that a reader sees."""
        return {line.strip() for line in self.said("document.body ? document.body.innerText : ''").splitlines()}

    def click(self, text: str) -> None:
        """Click, as a mouse does, on what shows just this text."""
        end = time.monotonic() + 60
        while not (place := self.said(PLACE % json.dumps(text))):
            assert time.monotonic() < end, f"nothing says {text}"
            time.sleep(0.3)
        for event in ("mousePressed", "mouseReleased"):
            self.ask("Input.dispatchMouseEvent", type=event, x=place[0], y=place[1], button="left", clickCount=1)

    def follow(self, address: str) -> None:
        """Go on in the tab that was opened with an address that holds this."""
        self.session, end = {}, time.monotonic() + 30
        while time.monotonic() < end:
            for target in self.ask("Target.getTargets")["targetInfos"]:
                if target["type"] == "page" and address in target["url"]:
                    self._attach(target["targetId"])
                    self.ask("Page.bringToFront")  # or it draws nothing
                    return
            time.sleep(0.3)
        raise AssertionError(f"no tab was opened with {address}")

    def texts_with(self, wanted: set[str], seconds: float = 60) -> set[str]:
        """The lines as soon as all that is wanted is among them, or as they are when time is up."""
        end = time.monotonic() + seconds
        while not (found := self.texts()) >= wanted and time.monotonic() < end:
            time.sleep(0.3)
        return found

    def picture(self, file: Path) -> Path:
        file.write_bytes(base64.b64decode(self.ask("Page.captureScreenshot")["data"]))
        return file


@contextmanager
def opened(address: str, profile: Path, login: tuple[str, ...] = ()) -> Iterator[Page]:
    """Open an address in a browser that knows nobody yet; `profile` is a new folder, `login` a name and a password."""
    (to_read, questions), (answers, to_write) = os.pipe(), os.pipe()
    words = [browser(), *QUIET, f"--user-data-dir={profile}"]
    connected = ["bash", "-c", f'exec "$@" 3<&{to_read} 4>&{to_write}', "bash", *words, "--remote-debugging-pipe"]
    process = subprocess.Popen(connected, pass_fds=(to_read, to_write), stderr=subprocess.DEVNULL)
    os.close(to_read)
    os.close(to_write)
    try:
        page = Page(answers, questions, login)
        page.ask("Page.navigate", url=address)
        yield page
    finally:
        process.terminate()
        process.wait(30)
        os.close(answers)
        os.close(questions)

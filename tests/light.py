"""Commands where nothing can be imported that `pip install micromime` does not bring, as its metadata says.

Run as a module, on a line of words for each command, it prints what came of each as a line of JSON.
"""

import io
import json
import sys
from collections.abc import Iterable
from contextlib import redirect_stderr, redirect_stdout
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from inspect import getmodulename

from packaging.requirements import Requirement

from micromime.cli import main


def brought(name: str, found: dict[str, Distribution] | None = None) -> dict[str, Distribution]:
    """The package, and all that it needs without an extra."""
    found = {} if found is None else found
    for line in distribution(name).requires or ():
        needed = Requirement(line)
        if (needed.marker is None or needed.marker.evaluate({"extra": ""})) and needed.name not in found:
            try:
                found[needed.name] = distribution(needed.name)
            except PackageNotFoundError:
                raise AssertionError(f"{name} needs {needed.name}, which is not installed") from None
            brought(needed.name, found)
    return found


def modules(packages: Iterable[Distribution]) -> set[str]:
    """The names by which packages are imported."""
    files = [file for package in packages for file in package.files or ()]
    return {file.parts[0] if len(file.parts) > 1 else getmodulename(file.name) or "" for file in files}


class Nothing:
    """Finds none but some modules, and says so before anybody else looks."""

    def __init__(self, but: set[str]) -> None:
        self.but = but

    def find_spec(self, name: str, *_: object) -> None:
        root = name.partition(".")[0]
        if root not in self.but and not root.startswith("_sysconfigdata"):  # Python's own, of many names
            raise ModuleNotFoundError(f"No module named {root!r}", name=root)


def run(words: list[str]) -> dict[str, object]:
    """Run one command in this process."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    sys.argv = ["micromime", *words]
    with redirect_stdout(out), redirect_stderr(err):
        try:
            main()
        except SystemExit as ended:
            code = ended.code or 0
    return {"code": code, "out": out.getvalue(), "err": err.getvalue()}


if __name__ == "__main__":
    light = modules(brought("micromime").values())
    sys.meta_path.insert(0, Nothing(but=light | {"micromime"} | sys.stdlib_module_names))
    for line in sys.stdin:
        print(json.dumps(run(line.split())), flush=True)

"""Compiled code that is kept on disk goes with all that it was made of.

numba looks for changes in the file of a function alone. So no compiled function may take anything of another file of
ours: a function that is inlined, a constant, or the order of the fields of a tuple.
"""

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import micromime

SOURCE = Path(micromime.__file__).parent
COMPILED = [file for file in sorted(SOURCE.rglob("*.py")) if "from numba import" in file.read_text()]
KNOWN = {*dir(np.ndarray), *dir(list)}
"""Attributes of what numba knows."""


def taken_from_elsewhere(text: str) -> list[str]:
    """Return what the compiled functions of a file take from other files of ours, as `function: name`."""
    tree = ast.parse(text)
    ours, modules = imported(tree)
    defined = definitions(tree)
    annotated = [each.target for each in ast.walk(tree) if isinstance(each, ast.AnnAssign)]
    fields = {each.id for each in annotated if isinstance(each, ast.Name)}
    found = []
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and any("jit" in ast.unparse(each) for each in node.decorator_list):
            found += [f"{node.name}: {name}" for name in sorted(reached(node.body, defined) & ours)]
            found += [f"{node.name}: .{name}" for name in sorted(attributes(node.body, modules) - KNOWN - fields)]
    return found


def imported(tree: ast.Module) -> tuple[set[str], set[str]]:
    """Return the names that come from files of ours, and those of modules."""
    ours, modules = set(), set()
    for node in tree.body:
        if isinstance(node, ast.Import):
            modules |= {each.asname or each.name.partition(".")[0] for each in node.names}
            ours |= {each.asname or "micromime" for each in node.names if each.name.startswith("micromime")}
        elif isinstance(node, ast.ImportFrom) and str(node.module).startswith("micromime"):
            ours |= {each.asname or each.name for each in node.names}
    return ours, modules


def definitions(tree: ast.Module) -> dict[str, list[ast.AST]]:
    """Return the code that each name of a file stands for; annotations are none."""
    defined: dict[str, list[ast.AST]] = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            defined[node.name] = [*node.body]
        elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = [name.id for each in targets for name in ast.walk(each) if isinstance(name, ast.Name)]
            defined |= {name: [node.value] for name in names}
    return defined


def reached(body: list[ast.AST], defined: dict[str, list[ast.AST]]) -> set[str]:
    """Return the names that stand in some code, and in the definitions of these."""
    names, ahead = set(), [*body]
    while ahead:
        new = {each.id for each in ast.walk(ahead.pop()) if isinstance(each, ast.Name)} - names
        names |= new
        ahead += [each for name in new for each in defined.get(name, [])]
    return names


def attributes(body: list[ast.AST], modules: set[str]) -> set[str]:
    """Return the names of attributes that some code reads, but for those of modules."""
    return {
        each.attr
        for node in body
        for each in ast.walk(node)
        if isinstance(each, ast.Attribute) and ast.unparse(each).partition(".")[0] not in modules
    }


@pytest.mark.parametrize("file", COMPILED, ids=lambda file: str(file.relative_to(SOURCE)))
def test_compiled_functions_take_nothing_of_another_file(file):
    assert not taken_from_elsewhere(file.read_text())


def test_all_there_is_of_it_is_looked_at():
    assert len(COMPILED) >= 10
    assert not [file for file in SOURCE.rglob("*.py") if "njit(" in file.read_text() and file not in COMPILED]


ELSEWHERE = """
import math
import numpy as np
import micromime.scenario.arrays as kinds
from micromime.scenario.arrays import STEPS, Grey as Picture
from numba import njit

class Own(NamedTuple):
    width: float

HALF, WHOLE = STEPS // 2, 8
TABLE: object = _made()

def _made():
    return np.arange(kinds.STEPS)

@njit(cache=True)
def f(x: Picture, own):
    {line}
"""


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("return x[STEPS]", ["f: STEPS"]),
        ("return x[HALF]", ["f: STEPS"]),
        ("return TABLE[x]", ["f: kinds"]),
        ("return Picture(x)", ["f: Picture"]),
        ("return own.start", ["f: .start"]),
        ("return np.float32(x.shape[0] * math.sqrt(own.width) + len(x.copy()))", []),
    ],
)
def test_what_another_file_gives_is_found_however_it_comes(line, found):
    assert taken_from_elsewhere(ELSEWHERE.format(line=line)) == found


DRAWN = """
import numpy as np
from micromime.partial_models.surface.scratches import Scratches, scratches
print(np.abs(scratches(Scratches(per_100000_px=90), 60, 80, np.random.default_rng(0))).sum())
"""


def test_an_edit_reaches_what_was_compiled_from_another_file(tmp_path):
    """What is edited was inlined into a function of surface/scratches.py, which numba kept."""
    shutil.copytree(SOURCE, tmp_path / "micromime")  # with what was compiled
    edited = tmp_path / "micromime/partial_models/boundaries/lines.py"

    def drawn() -> float:
        command = [sys.executable, "-c", DRAWN]
        return float(subprocess.check_output(command, env={"PYTHONPATH": str(tmp_path)}, text=True))

    before = drawn()
    assert before > 0
    line = "return max(box[0], min(one, two)), min(box[1], max(one, two))"
    text = edited.read_text()
    assert line in text
    edited.write_text(text.replace(line, "return box[0], box[0] - 2.0"))
    assert drawn() == 0

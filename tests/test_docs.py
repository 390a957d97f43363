"""What README.md and docs/ tell a reader to do is done here; test_extending.py adds their partial model."""

import csv
import io
import shlex
import shutil
import subprocess
from contextlib import chdir, redirect_stdout
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clones import committed, git
from cycle import call
from dvc.cli import parse_args
from pages import Block, anchors, blocks, every_block, links, pages
from PIL import Image as Picture
from ruamel.yaml import YAML
from typer.main import get_command

from docs import statistics
from docs.write_readme import blocks as written
from docs.write_readme import filled, outdated
from micromime.cli import app
from micromime.commands.check import check_tree
from micromime.scenario.distributions import KINDS
from micromime.scenario.parameters import read_tree

NOT_RUN = {
    "pip install .": "installs; .ci/run does it",
    "make ": "long; .ci/run and the tests of the pipeline do what it does",
    "MICROMIME_REAL=": "the whole cycle; test_own_pictures brings pictures in that are listed as here",
    "python docs/team_server.py": "servers; servers/test_story.py runs docs/team.md, test_team_server.py the others",
    "eval ": "as before",
    "micromime remote ": "as before",
    "micromime push": "as before",
    "micromime publish": "as before",
    "micromime tag": "as before",
    "micromime lineage": "as before",
    "git ": "as before",
    "export PGPASSWORD": "a backup of a real server",
    "for name in mlflow": "as before",
    "mlflow db upgrade": "another version of MLflow",
    "dvc metrics ": "the pipeline's metrics; the tests of DVC's tables read what it prints",
    "dvc plots ": "as before",
    "dvc params ": "as before",
    "dvc exp ": "as before",
    "micromime explain models": "needs networks; tests/commands/test_explain.py",
    "micromime retrain": "trains; tests/arms/test_queue.py",
    "micromime pack": "needs finished runs; tests/arms/test_records.py",
    "micromime render chip_cracks": "needs measured exemplars; tests/stages/test_render.py",
    "python -m experiments": "half a minute; experiments/planted_gap/tests",
}
"""How commands begin that are not given here, and why. All are read as their programs read them."""

PYTHON_NOT_RUN = {
    "load_model": "needs the demo's models; test_cycle.py runs it on those of the tiny profile",
    "search_logged_models": "as before",
    "class Dust": "a partial model; test_extending.py adds it",
}
OTHERS = {
    "diff": "test_extending.py applies it",
    "ini": "for systemd",
    "csv": "test_own_pictures",
}
TEXTS = {"micrographs/": "test_own_pictures", "weights: models/": "what lineage prints, in short"}


def reason(command: str) -> str | None:
    return next((why for begins, why in NOT_RUN.items() if command.startswith(begins)), None)


def shell_lines(project: Path) -> list[str]:
    return [line for block in blocks(project, "sh") for line in block.commands if line]


def test_every_block_is_run_or_says_why_not(project):
    for block in every_block(project):
        known = {"sh", "python", "yaml", *OTHERS} | ({"text"} if any(each in block.text for each in TEXTS) else set())
        assert block.language in known, block
    lines = shell_lines(project)
    assert not [begins for begins in NOT_RUN if not any(line.startswith(begins) for line in lines)]
    texts = [block.text for block in every_block(project)]
    assert not [word for word in (*PYTHON_NOT_RUN, *TEXTS) if not any(word in text for text in texts)]
    assert OTHERS.keys() <= {block.language for block in every_block(project)}


TOURS = ("README.md", "docs/install.md", "docs/settings.md")
"""Pages with something to run."""


@pytest.mark.parametrize("page", TOURS)
def test_commands_and_python_work_in_the_order_of_the_page(project, tmp_path, page):
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(project / name, tmp_path)
    shutil.copytree(project / "profiles", tmp_path / "profiles")
    git(tmp_path, "init", "--quiet")
    committed(tmp_path, "as it stands")
    ran = []
    for block in every_block(project):
        if block.page == page:
            ran += run(block, tmp_path)
    assert ran


def run(block: Block, folder: Path) -> list[str]:
    """Do what a block says, but for what has a reason not to be done, and return what was done."""
    if block.language == "sh":
        ran = [command for command in block.commands if command and reason(command) is None]
        for command in ran:
            call(["python", "-m", *shlex.split(command)], folder)
        return ran
    if block.language != "python" or any(word in block.text for word in PYTHON_NOT_RUN):
        return []
    with chdir(folder), redirect_stdout(io.StringIO()) as said:
        exec(block.text, {})
    assert said.getvalue()
    return [block.text]


def test_no_other_page_has_commands_to_run(project):
    left = [block for block in every_block(project) if block.page not in TOURS]
    lines = [line for block in left if block.language == "sh" for line in block.commands if line]
    assert not [line for line in lines if reason(line) is None]
    python = [block.text for block in left if block.language == "python"]
    assert not [text for text in python if not any(word in text for word in PYTHON_NOT_RUN)]


def test_commands_that_are_not_run_are_what_their_programs_understand(project):
    for line in shell_lines(project):
        for command in line.split(" && "):
            words = [word for word in shlex.split(command) if "=" not in word or word.startswith("-")]
            if command == line and words[:1] == ["micromime"]:
                understood(words[1:])
            elif words[:1] == ["dvc"]:
                parse_args(shlex.split(command)[1:])
            elif "make" in words[:1]:
                subprocess.run(["make", "--dry-run", *words[1:]], cwd=project, check=True, capture_output=True)
            elif words[:2] == ["python", "-m"]:
                assert find_spec(words[2])
            elif words[:1] == ["python"]:
                assert (project / words[1]).is_file()


def understood(words: list[str]) -> None:
    """Let the command line read its words, without doing what they say."""
    command: Any = get_command(app)
    context = command.make_context("micromime", list(words))
    while hasattr(command, "commands"):
        name, command, words = command.resolve_command(context, words)
        context = command.make_context(name, words, parent=context)


def merged(tree: Any, part: Any) -> Any:
    """Return a tree of params.yaml with a part in the place of what stands there."""
    if not (isinstance(tree, dict) and isinstance(part, dict)) or (len(part) == 1 and part.keys() <= KINDS.keys()):
        return part
    return tree | {key: merged(tree.get(key), value) for key, value in part.items()}


def test_settings_are_allowed(project):
    checked = 0
    for block in blocks(project, "yaml"):
        part = YAML(typ="safe", pure=True).load(block.text)
        tree = read_tree(project / "params.yaml")
        if "dust" in part:
            continue  # test_extending.py
        part = {"scenario": part} if "styles" in part else part
        part = part if "grain_boundaries" in part else {"grain_boundaries": part}
        check_tree(merged(tree, part))
        checked += 1
    assert checked == 3


def test_the_round_is_that_of_params(project):
    (block,) = blocks(project, "yaml", having="rounds")
    rounds = read_tree(project / "params.yaml")["grain_boundaries"]["rounds"]
    assert YAML(typ="safe", pure=True).load(block.text)["rounds"] == {"adaptive": rounds["adaptive"]}


@pytest.mark.parametrize("page", ["README.md", "docs/your_pictures.md"])
def test_own_pictures_that_are_listed_as_here_are_brought_in(project, tmp_path, page, monkeypatch):
    (listing,) = blocks(project, "text", page=page)
    given = tmp_path / "micrographs" / "chip_cracks"
    tables = {"tile": given / "tiles.csv", "image": tmp_path / listing.text.splitlines()[0]}
    for block in blocks(project, "csv", page=page):
        file = tables[block.text.partition(",")[0]]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(block.text)
        for row in csv.DictReader(block.text.splitlines()):
            draw(file.parent, row)
    assert all((tmp_path / line).is_file() for line in listing.text.splitlines())
    if given.exists():
        (given / "images.csv").write_text("image,mask,source\nimages/part1.png,masks/part1.png,part1\n")
        cut(given, [*csv.DictReader((given / "tiles.csv").read_text().splitlines())])
    shutil.copy(project / "params.yaml", tmp_path)
    monkeypatch.setenv("MICROMIME_REAL", str(tmp_path / "micrographs"))
    call(["python", "-m", "micromime", "sources"], tmp_path)
    for each in (tmp_path / "micrographs").iterdir():
        call(["python", "-m", "micromime", "import", each.name], tmp_path)
        assert '"kind": "real"' in (tmp_path / "data/sources" / f"{each.name}.json").read_text()
    assert list(tmp_path.glob("data/**/images/*.png"))


def draw(folder: Path, row: dict[str, str]) -> None:
    """Draw the pictures that a row of a table names."""
    files = {row[key]: key == "mask" for key in ("image", "mask", "tile") if key in row}
    if row.get("label") == "crack":
        files[f"tile_masks/{Path(row['tile']).name}"] = True
    for name, mask in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        grey = np.tile(np.arange(40, dtype=np.uint8), (30, 1))
        Picture.fromarray(np.where(grey > 30, 255, 0).astype(np.uint8) if mask else grey).save(folder / name)


def cut(folder: Path, rows: list[dict[str, str]]) -> None:
    """Draw the photograph part1, with a crack from left to right, and in the place of the tiles what is cut from it."""
    crack = np.zeros((600, 400), np.uint8)
    crack[510] = 255
    pictures = {"images": np.random.default_rng(0).integers(0, 256, crack.shape, dtype=np.uint8), "masks": crack}
    for kind, pixels in pictures.items():
        (folder / kind).mkdir()
        Picture.fromarray(pixels).save(folder / kind / "part1.png")
    for row in rows:
        window = np.s_[int(row["y"]) :, int(row["x"]) :]
        names = {row["tile"]: "images", f"tile_masks/{Path(row['tile']).name}": "masks"}
        for name, kind in names.items():
            if (folder / name).exists():
                Picture.fromarray(pictures[kind][window][:30, :40]).save(folder / name)


def test_lines_for_a_team_are_those_of_its_page(project):
    """Which servers/test_story.py runs."""
    (short,) = blocks(project, "sh", "team_server.py start", page="README.md")
    (whole,) = blocks(project, "sh", "team_server.py start", page="docs/team.md")
    assert len(short.commands) == 6
    rest = iter(whole.commands)
    assert all(line in rest for line in short.commands)


def test_links_lead_somewhere(project):
    others = [project / name for name in ("CONTRIBUTING.md", "CHANGELOG.md", "src/micromime/README.md")]
    for page in [*pages(project), *others, *project.glob("experiments/*/README.md")]:
        for link in links(page):
            file, _, anchor = link.partition("#")
            if "://" not in link:
                there = page.parent / file if file else page
                assert there.is_file(), f"{page.name}: {link}"
                assert not anchor or anchor in anchors(there), f"{page.name}: {link}"


def test_numbers_are_those_in_metrics(project):
    changed = subprocess.run(["git", "diff", "--quiet", "HEAD", "--", "metrics"], cwd=project, check=False)
    if changed.returncode:
        pytest.skip("metrics/ is not what was committed: somebody has run the pipeline since")
    assert not outdated(pages(project), written())


def test_a_number_changed_by_hand_is_found(project, tmp_path):
    text = (project / "docs/statistics.md").read_text()
    page = tmp_path / "statistics.md"
    page.write_text(text.replace("19 of 20", "20 of 20"))
    assert outdated([page], statistics.blocks()) == {page: text}


def test_only_what_stands_between_markers_is_filled_in():
    page = "a\n<!-- x -->\nold\n<!-- end x -->\nb <!-- y --> c <!-- z -->1<!-- end z -->."
    filled_in = "a\n<!-- x -->\nnew\n<!-- end x -->\nb <!-- y --> c <!-- z -->2<!-- end z -->."
    assert filled(page, {"x": "new", "z": "2"}) == filled_in
    with pytest.raises(KeyError):
        filled(page, {"x": "new"})


def test_the_papers_intervals_are_half_and_eight_times_as_wide_as_students():
    assert (round(statistics.ratios()[0], 1), round(statistics.ratios()[6])) == (0.5, 8)
    assert len(statistics.ratios()) == 10

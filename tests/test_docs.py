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
import told
from clones import committed, git
from cycle import call
from dvc.cli import parse_args
from pages import anchors, blocks, commands, every_block, links, pages
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


def test_every_block_is_run_or_says_why_not(project):
    for block in every_block(project):
        known = {"sh", "python", "yaml", *OTHERS} | ({"text"} if any(each in block.text for each in TEXTS) else set())
        assert block.language in known, block
    texts = [block.text for block in every_block(project)]
    assert not [word for word in (*PYTHON_NOT_RUN, *TEXTS) if not any(word in text for text in texts)]
    assert OTHERS.keys() <= {block.language for block in every_block(project)}


def test_every_command_is_given_or_says_why_not(project):
    every, known = commands(project), [*(key for place in told.PLACES for key in place), *told.NOT_GIVEN, *told.NAMED]
    assert len(known) == len({*known})
    assert {*every} == {*known}
    assert all(why for why in told.NOT_GIVEN.values())


TOURS = ("README.md", "docs/install.md", "docs/settings.md")
"""Pages with something to run."""


@pytest.mark.parametrize("page", TOURS)
def test_commands_and_python_work_in_the_order_of_the_page(project, tmp_path, page):
    """And leave nothing behind that git would add."""
    for name in ("params.yaml", "dvc.yaml", ".gitignore"):
        shutil.copy(project / name, tmp_path)
    shutil.copytree(project / "profiles", tmp_path / "profiles")
    git(tmp_path, "init", "--quiet")
    committed(tmp_path, "as it stands")
    ran = [command for command in commands(project, page) if command in told.IN_TURN]
    for command in ran:
        assert not told.missing(told.IN_TURN, command, said_by(command, tmp_path))
    for block in blocks(project, "python", page=page):
        if not any(word in block.text for word in PYTHON_NOT_RUN):
            with chdir(tmp_path), redirect_stdout(io.StringIO()) as said:
                exec(block.text, {})
            assert "count     24.0" in said.getvalue()  # of README's description of the diameters
            ran.append(block.text)
    assert ran
    assert git(tmp_path, "status", "--porcelain").split() in ([], ["M", "params.yaml"])


def said_by(command: str, folder: Path) -> str:
    with redirect_stdout(io.StringIO()) as said:
        call(["python", "-m", *shlex.split(command)], folder)
    return said.getvalue()


def test_what_is_given_in_turn_stands_on_the_pages_with_something_to_run(project):
    assert told.IN_TURN.keys() <= {command for page in TOURS for command in commands(project, page)}
    left = [block.text for block in blocks(project, "python") if block.page not in TOURS]
    assert not [text for text in left if not any(word in text for word in PYTHON_NOT_RUN)]


LEFT = (
    *("dvc_plots/index.html", "my_set/dataset.json", "my_set.png", "my_tiles/a", "my_round/a", "old/a"),
    *(
        "mlflow.db",
        "mlflow.db-journal",
        "mlruns/1/a",
        "mlartifacts/1/a",
        "mlflow.sql",
        "adaptive/arm.json",
        "run-001/run.json",
    ),
    *(
        "weights.safetensors",
        "build/docs/index.html",
        "build/doctrees/a",
        ".venv/a",
        ".venv-3.13/a",
        "x.egg-info/PKG-INFO",
    ),
    *(
        ".micromime/explanations/a.html",
        "src/micromime/__pycache__/a.pyc",
        "dist/micromime.whl",
        ".DS_Store",
        "docs/.DS_Store",
    ),
    *(
        "docs/.ipynb_checkpoints/a.ipynb",
        "params.yaml~",
        ".params.yaml.swp",
        ".idea/a",
        ".vscode/a",
        "nohup.out",
        "slurm-1.out",
    ),
)
"""What documented commands leave, and editors."""


@pytest.mark.parametrize("linked", [False, True])
def test_what_commands_and_editors_leave_is_not_taken_for_an_edit(project, tmp_path, linked):
    """Nor where a folder is a link, to a larger disk."""
    shutil.copy(project / ".gitignore", tmp_path)
    git(tmp_path, "init", "--quiet")
    committed(tmp_path, "as it stands")
    large = [".venv", ".micromime", "mlruns", "mlartifacts", "data/synthetic", "data/scores", "data/tiles", "dvc_plots"]
    for name in large if linked else LEFT:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).symlink_to(project / "src") if linked else (tmp_path / name).touch()
    assert git(tmp_path, "status", "--porcelain", "--untracked-files=all") == ""
    (tmp_path / "mine.py").touch()
    assert git(tmp_path, "status", "--porcelain") == "?? mine.py\n"


def test_commands_that_are_not_run_are_what_their_programs_understand(project):
    for line in told.NOT_GIVEN:
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

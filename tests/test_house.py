"""The house itself: files stay small, stages are thin, and what is in git may be there."""

import ast
import re
import subprocess
from pathlib import Path

REGISTRY = r"index[-]url|https?[:]//\S*(/simple/|\.whl|\.tgz)"


def tracked(project: Path) -> list[Path]:
    names = subprocess.run(["git", "ls-files"], cwd=project, capture_output=True, text=True, check=True).stdout
    return [project / name for name in names.splitlines() if (project / name).is_file()]


def test_files_and_functions_stay_small(project):
    for file in (project / "src").rglob("*.py"):
        text = file.read_text()
        assert text.count("\n") <= 400, file
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef) and ast.get_docstring(node) is not None:
                body = node.end_lineno - node.body[0].end_lineno
                assert body <= 30, f"{file.name}: {node.name}"


def test_stages_are_verbs(project):
    for file in (project / "src/micromime/stages").glob("*.py"):
        nouns = [node.name for node in ast.parse(file.read_text()).body if isinstance(node, ast.ClassDef)]
        assert not nouns, file


def test_nothing_tracked_is_large_or_names_a_registry(project):
    for file in tracked(project):
        assert file.stat().st_size <= 2**20, file
        if file.suffix in {".py", ".md", ".yaml", ".toml", ".lock", ".txt"} or file.name == "Makefile":
            assert not re.search(REGISTRY, file.read_text()), file


def test_the_first_page_stays_short(project):
    assert (project / "README.md").read_text().count("\n") <= 200


def test_what_dvc_reads_and_writes_for_each_stage_stays_small(project):
    assert (project / "dvc.yaml").read_text().count("\n") <= 350
    assert (project / "dvc.lock").stat().st_size <= 60_000


def test_the_lock_names_one_version_each_and_no_address(project):
    lines = (project / "requirements.lock").read_text().splitlines()
    assert all(re.fullmatch(r"[a-z0-9._-]+==[^\s;]+( ; .+)?", line) for line in lines)


def test_no_secret_was_ever_in_git(project):
    """Passwords and keys belong in .dvc/config.local, or in the environment."""
    words = r"^[+-].*(password|passphrase|secret_access_key|access_key_id|session_token|token|keyfile) *="
    looked = ["git", "log", "--all", "--patch", "--", ".dvc"]
    history = subprocess.run(looked, cwd=project, capture_output=True, text=True, check=True).stdout
    assert "analytics = false" in history
    assert not re.search(words, history, re.MULTILINE)
    keys = ["git", "log", "--all", "--oneline", "-E", "-G", "AKIA[0-9A-Z]{16}|BEGIN [A-Z ]*PRIVATE[ ]KEY"]
    assert not subprocess.run(keys, cwd=project, capture_output=True, text=True, check=True).stdout

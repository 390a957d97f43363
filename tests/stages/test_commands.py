"""Every command that dvc.yaml runs can be read by its stage, with the words that stand there."""

import importlib
import shlex

import pytest
import typer

from micromime.scenario.parameters import read_tree


def commands(project):
    for stage in read_tree(project / "dvc.yaml")["stages"].values():
        yield shlex.split(stage.get("do", stage)["cmd"])


def test_every_stage_is_a_module_that_reads_its_words(project):
    said = [words for words in commands(project) if words[:2] == ["python", "-m"]]
    assert len(said) == len(list(commands(project))) > 10
    for _, _, module, *words in said:
        app = typer.Typer()
        app.command()(importlib.import_module(module).main)
        context = typer.main.get_command(app).make_context(module, [*words])
        assert not context.args


def test_a_word_too_few_is_an_error(project):
    _, _, module, *words = next(words for words in commands(project) if "train_pools" in " ".join(words))
    app = typer.Typer()
    app.command()(importlib.import_module(module).main)
    with pytest.raises(Exception, match="Missing parameter: records"):
        typer.main.get_command(app).make_context(module, words[:-2])

from pathlib import Path

import pytest
from pydantic import Field

from micromime.mistakes import Mistake
from micromime.parameters import Section, one_of, read_tree, section, typed


class Oven(Section):
    heat: float = Field(ge=0, le=300)
    name: str = "oven"


def written(folder: Path, text: str) -> Path:
    file = folder / "params.yaml"
    file.write_text(text)
    return file


def test_a_section_becomes_a_typed_object(tmp_path):
    tree = read_tree(written(tmp_path, "kitchen:\n  oven: {heat: 200}\n"))
    assert typed(Oven, section(tree, "kitchen", "oven"), "kitchen.oven") == Oven(heat=200)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({}, r"kitchen\.oven\.heat: is missing; add it"),
        ({"heat": "hot"}, r"kitchen\.oven\.heat: 'hot' is not allowed; it should be a valid number"),
        ({"heat": 301}, r"kitchen\.oven\.heat: 301 is not allowed; it should be less than or equal to 300"),
        ({"heat": 3, "haet": 1}, r"kitchen\.oven\.haet is not a known key; the keys here are: heat, name"),
        ({"heat": float("nan")}, r"finite"),
    ],
    ids=str,
)
def test_wrong_content_names_the_key_and_what_is_allowed(content, said):
    with pytest.raises(Mistake, match=said):
        typed(Oven, content, "kitchen.oven")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [1,\n", "line "),
        ("a: 1\na: 2\n", "line 2: a key stands there twice"),
        ("- 1\n", "holds no keys"),
        ("", "holds no keys"),
        ("a: !!python/object/apply:os.system ['true']\n", "params.yaml"),
    ],
)
def test_files_that_are_no_parameters(tmp_path, text, said):
    with pytest.raises(Mistake, match=said):
        read_tree(written(tmp_path, text))


def test_a_missing_file_is_said(tmp_path):
    with pytest.raises(Mistake, match=r"nothing\.yaml is not there"):
        read_tree(tmp_path / "nothing.yaml")


@pytest.mark.parametrize(("keys", "said"), [(("a", "x"), r"a\.x is missing"), (("a", "b"), r"a\.b is 1; it must")])
def test_sections_that_are_not_there(keys, said):
    with pytest.raises(Mistake, match=said):
        section({"a": {"b": 1}}, *keys)


def test_unknown_names_are_told_the_known_ones():
    with pytest.raises(Mistake, match="sampler: 'wurst' is not known; use one of: random, worst"):
        one_of("wurst", ["worst", "random"], "sampler")

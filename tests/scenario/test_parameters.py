import re
from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import Field

from micromime.mistakes import Mistake
from micromime.scenario.parameters import Section, distributions, filled_in, one_of, read_tree, section, typed


class Oven(Section):
    heat: float = Field(ge=0, le=300)
    name: str = "oven"


def written(folder: Path, text: str) -> Path:
    file = folder / "params.yaml"
    file.write_text(text, encoding="utf-8", newline="")
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


class Kitchen(Section):
    runs: Literal["all"] | int = "all"
    pans: dict[Literal["small", "large"], list[int]] | None = None
    knives: Annotated[tuple[str, ...], Field(min_length=1, strict=False)] = ("bread",)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"runs": "some"}, "runs: 'some' is not allowed; it should be 'all', or it should be a valid integer."),
        ({"pans": {"medium": []}}, "pans.medium: 'medium' is not allowed; it should be 'small' or 'large'."),
        ({"pans": {"small": [1, "two"]}}, "pans.small.1: 'two' is not allowed; it should be a valid integer."),
        ({"knives": []}, "knives: [] is not allowed; give 1 or more."),
    ],
    ids=str,
)
def test_a_path_has_the_file_s_keys_alone_and_every_kind_that_is_allowed(content, said):
    with pytest.raises(Mistake, match=re.escape(f"kitchen.{said}")):
        typed(Kitchen, content, "kitchen")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [1,\n", "line "),
        ("a: 1\na: 2\n", "line 2: a key stands there twice"),
        ("- 1\n", "holds no keys"),
        ("", "holds no keys"),
        ("a: 1 # \x07\n", "params.yaml: unacceptable character #x0007"),
        ("a: !!python/object/apply:os.system ['true']\n", "params.yaml"),
    ],
)
def test_files_that_are_no_parameters(tmp_path, text, said):
    with pytest.raises(Mistake, match=said):
        read_tree(written(tmp_path, text))


def test_a_folder_is_no_file_of_parameters(tmp_path):
    with pytest.raises(Mistake, match=r"cannot be read \(Is a directory\); give a YAML file\.$"):
        read_tree(tmp_path)


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


MEASURED = {"depth": {"uniform": [0.2, 0.4]}, "file": "somewhere.npz"}


def test_what_was_measured_takes_the_place_of_its_name():
    content = {
        "rows": 9,
        "crack": {"depth": {"measured": "depth"}, "width_px": 3},
        "surface": {"file": {"measured": "file"}},
    }
    assert filled_in(content, MEASURED, "chips.scenario") == {
        "rows": 9,
        "crack": {"depth": {"uniform": [0.2, 0.4]}, "width_px": 3},
        "surface": {"file": "somewhere.npz"},
    }
    assert content["crack"]["depth"] == {"measured": "depth"}


def test_what_was_not_measured_is_named():
    with pytest.raises(
        Mistake, match=r"chips.scenario.crack.hue: nothing was measured as 'hue'; use one of: depth, file"
    ):
        filled_in({"crack": {"hue": {"measured": "hue"}}}, MEASURED, "chips.scenario")


def test_what_is_not_filled_in_can_be_checked_but_not_drawn():
    law = distributions({"depth": {"measured": "depth"}}, "crack")["depth"]
    assert law.limits() == ()
    with pytest.raises(
        Mistake, match=r"measured: depth} is not filled in; name a folder of data/exemplars with --exemplars"
    ):
        law.at(0.5)


PLAIN = {
    "yes": "yes",
    "no": "no",
    "on": "on",
    "Off": "Off",
    "y": "y",
    "true": True,
    "012": 12,
    "0o14": 12,
    "0x1F": 31,
    "1_000": 1000,
    "1e3": 1000.0,
    "5.": 5.0,
    "60:00": "60:00",
    "1,5": "1,5",
    "'5'": "5",
    "5.0": 5.0,
    "~": None,
    "[1, 2.5]": [1, 2.5],
    "1e400": float("inf"),
    "99999999999999999999": 99999999999999999999,
}
"""What stands behind a key, and what that is to us and to DVC."""


@pytest.mark.parametrize("text", PLAIN)
def test_a_value_is_what_dvc_takes_it_for(tmp_path, text):
    file = written(tmp_path, f"a: {text}\nyes: 1\non: 2\n")
    expected = {"a": PLAIN[text], "yes": 1, "on": 2}
    assert repr(read_tree(file)) == repr(expected) == repr(dvc_reads(file))


@pytest.mark.parametrize(
    "text",
    ["x: &x {b: 1, c: 2}\na: {<<: *x, b: 3}\n", "x: &x [1, 2]\na: *x\n", "\ufeffa: 1\r\nb: 2\r\n", "---\na: 1\n"],
)
def test_files_are_read_as_dvc_reads_them(tmp_path, text):
    file = written(tmp_path, text)
    assert read_tree(file) == dvc_reads(file)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 2020-01-02", "line 1: 2020-01-02 is no word or number (timestamp); write one of these, words in quotes."),
        ("a: 2020-13-45", "line 1: 2020-13-45 is no word or number (timestamp)"),
        ("a: !!binary aGVsbG8=", "line 1: aGVsbG8= is no word or number (binary)"),
        ("a: !!set {b, c}", "line 1: this is no list or mapping (set)"),
        ("a: !mine 5", "line 1: 5 is no word or number (!mine)"),
        ("a: !!int five", "line 1: 'five' is no int; correct that line."),
        (f"a: {'9' * 5000}", "is no int; correct that line."),
        ("b: 1\na: {true: 5}", "line 2: the key true is no word (bool); put it in quotes, or give another name."),
        ("5: 1", "line 1: the key 5 is no word (int)"),
        ("null: 1", "line 1: the key null is no word (null)"),
        ("2020-01-02: 1", "line 1: the key 2020-01-02 is no word (timestamp)"),
        ("? [1, 2]\n: 3", "line 1: the key of several parts is no word (seq)"),
        ("a: {b: 1, b: 2}", "line 1: a key stands there twice; keep one of the two."),
        ("a:\n  b: 1\n\n  b: 2", "line 4: a key stands there twice; keep one of the two."),
        ("x: &x {b: 1}\na:\n  <<: *x\n  <<: *x", "line 4: a key stands there twice; keep one of the two."),
        ("a: &a\n  b: *a", "an alias (*) stands within what it stands for; write that out."),
        ("a: &x 1\nb: &x 2", "an anchor (&) stands there twice; give each a name of its own."),
        ("a:\t1", "line 1: found character '\\t' that cannot start any token; correct that line."),
        ("%YAML 1.1\n---\na: yes", "line 1: a line that begins with % is not read alike by all programs; remove it."),
        (
            "b: 0\na: 5 # five\u2028c: 6",
            "line 2: the character '\\u2028' is not read alike by all programs; remove it.",
        ),
        ("a: 1\n---\na: 2", "line 2: but found another document; correct that line."),
    ],
)
def test_what_is_not_plain_or_not_read_alike_is_refused_by_its_line(tmp_path, text, said):
    with pytest.raises(Mistake) as mistake:
        read_tree(written(tmp_path, text))
    assert said in str(mistake.value)
    assert "\n" not in str(mistake.value)


def dvc_reads(file):
    from dvc.utils.serialize import load_yaml

    return load_yaml(str(file))


def test_a_number_in_quotes_is_told_to_lose_them():
    with pytest.raises(Mistake, match=r"oven\.heat: '20\.5' is not allowed; it should be a number, without quotes\."):
        typed(Oven, {"heat": "20.5"}, "oven")

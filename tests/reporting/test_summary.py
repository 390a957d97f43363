"""The first page of a verdict: short whatever it tells of, honest, and its numbers are the verdict's."""

import json
import re

import pandas as pd
import pytest

from micromime.judging.main_scores import OF_MASKS, main_of
from micromime.judging.verdict import verdict
from micromime.reporting.tables.summary import finding, number, opening, summary
from micromime.reporting.tables.verdict import scores_of, verdict_table

REAL = {"kind": "real", "name": "grain_boundaries", "reason": None}
SURROGATE = {"kind": "surrogate", "name": "grain_boundaries", "reason": "no real set was given"}
BETTER, WORSE, ALIKE = [0.71, 0.72, 0.74, 0.73, 0.75], [0.51, 0.52, 0.54, 0.53, 0.55], [0.6, 0.63, 0.59, 0.64, 0.61]
BASE = [0.6, 0.62, 0.61, 0.63, 0.61]
IN_BRACKETS = re.compile(r"\[([+-]?[\d.]+), ([+-]?[\d.]+)\]")


def said_of(arms, test_set=REAL, sources=2, rule=0.5):
    """The verdict on two pictures of each source; of each arm the mean IoU run by run, a tenth less on every second."""
    pictures = [{"picture": f"p{n}", "source": f"source_{n // 2}"} for n in range(2 * sources)]
    rest = {"boundary_f1": 0.5, "matched_grains": 0.25}
    scores = [
        {"arm": arm, "run": run, **picture, "mean_iou": score - 0.1 * (n % 2) - n / 1000, **rest}
        for arm, runs in arms.items()
        for run, score in enumerate(runs, 1)
        for n, picture in enumerate(pictures)
    ]
    rules = [
        {"baseline": name, **picture, "mean_iou": score, **rest}
        for name, score in {"nothing_found": 0.4, "local_threshold": rule}.items()
        for picture in pictures
    ]
    last = list(arms)[-1]
    pairs = [(last, "base")] if len(arms) > 1 else []
    said = verdict(test_set, pd.DataFrame(scores), pd.DataFrame(rules), pairs=pairs)
    return said | {"main_comparison": [*pairs[0]] if pairs else []}


@pytest.fixture(scope="module")
def verdicts(project, tile_verdict):
    """By name: those in git, one of many arms and sources, and the smallest there can be."""
    files = {f"{file.parts[-3]} {file.parts[-2]}": file for file in (project / "metrics").glob("*/*/verdict.json")}
    many = {name: [0.6, 0.5 + n / 100, 0.99] for n, name in enumerate(("base", *(f"round_{n}" for n in range(11))))}
    return {name: json.loads(file.read_text()) for name, file in files.items()} | {
        "many": said_of(many, SURROGATE, sources=40),
        "one": said_of({"base": [0.6]}, sources=1),
        "perfect": said_of({"base": [1.0, 1.0], "other": [0.999, 0.1]}, sources=1),
        "tiles": tile_verdict("surrogate", runs=1),
    }


NAMES = [f"{p} {u}" for p in ("demo", "evidence") for u in ("grain_boundaries", "chip_cracks")]
NAMES += ["many", "one", "perfect", "tiles"]


def test_pictures_that_were_changed_on_reading_are_named():
    changed = {"p1": ["its greys from 0 to 15 were stretched over 0 to 255"]}
    said = said_of({"base": [0.6]}, REAL | {"changes": changed}, sources=1)
    line = "Changed on reading, 1 in all: p1: its greys from 0 to 15 were stretched over 0 to 255."
    assert f"\n- {line}\n" in summary(said)
    assert verdict_table(said).splitlines()[2] == line
    plain = said_of({"base": [0.6]}, REAL | {"changes": {}}, sources=1)
    assert "Changed" not in summary(plain) + verdict_table(plain)
    assert "changes" not in plain["test_set"]


@pytest.fixture(params=NAMES)
def told(request, verdicts):
    return verdicts[request.param], summary(verdicts[request.param])


def table(page):
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line[:1] == "|"]
    return rows[0], rows[2:]


def sentences(said):
    return opening(said).split("\n\n")[:3]


def test_the_page_is_short_and_begins_with_three_sentences(told):
    said, page = told
    assert page.count("\n") <= 60
    assert len(table(page)[1]) <= 10
    title, *first, rows = page.split("\n\n")[:5]
    assert title.startswith("# ")
    assert all(each.endswith(".") and not re.search(r"[.!?] [A-Z]", each) and "\n" not in each for each in first)
    assert rows.startswith("| model |")
    assert page == f"{title}\n\n{opening(said)}\n## More\n{page.partition('## More')[2][1:]}"


def test_every_interval_lies_where_scores_can_and_scores_lie_within_theirs(told):
    said, page = told
    reach = 100 if "subsets" in said else 1
    found = [tuple(map(float, ends)) for ends in IN_BRACKETS.findall(page)]
    assert all(-reach <= lo <= hi <= reach for lo, hi in found)
    for row in table(page)[1]:
        for cell in row[1:]:
            score, *interval = (
                map(float, re.findall(r"[\d.]+", cell.replace("*", ""))) if cell[:1] not in ("", "[") else [0]
            )
            assert not interval or 0 <= interval[0] <= score <= interval[1] <= reach


def test_the_table_has_the_main_arms_every_baseline_and_the_verdict_s_numbers(told):
    said, page = told
    main = main_of(said)
    head, rows = table(page)
    assert len(rows) == min(10, len(scores_of(main.part)))
    if "subsets" in said:
        shown = {row[0]: row for row in rows}
        assert (
            shown["mixed model"][1]
            .strip("*")
            .startswith(number(main.part["arms"]["mixed"]["error_rate"]["mean"], "error_rate"))
        )
        return
    assert head == ["model", "mean IoU", "on other sources", "boundary F1", "matched grains (F1)"]
    shown = {row[0].strip("`"): row[1:] for row in rows}
    assert {*main.arms} <= shown.keys()
    for name in set(said["arms"]) & shown.keys():
        cells = [shown[name][place].replace("*", "") for place in (0, 2, 3)]
        for cell, metric in zip(cells, OF_MASKS, strict=True):
            score = said["arms"][name][metric]
            ends = score["ci99"] and f" [{score['ci99']['lo']:.3f}, {score['ci99']['hi']:.3f}]"
            assert cell == f"{score['mean']:.3f}{ends or ''}"
    rule = said["baselines"]["local_threshold"]
    assert [each.strip("*") for each in shown["simple rule: local threshold"]] == [
        f"{rule['mean_iou']:.3f}",
        "",
        f"{rule['boundary_f1']:.3f}",
        f"{rule['matched_grains']:.3f}",
    ]


def test_links_lead_to_what_lies_beside_the_page(project, verdicts):
    for name in NAMES[:4]:
        profile, use_case = name.split()
        page = project / "metrics" / profile / f"{use_case}.md"
        assert page.read_text() == summary(verdicts[name])
        links = re.findall(r"\]\((\S+)\)", page.read_text())
        assert len(links) == 4
        made_here = f"{use_case}/report.html"
        assert made_here in links
        assert all((page.parent / link).is_file() for link in links if link != made_here)


@pytest.mark.parametrize(
    ("runs", "best", "words", "rule"),
    [
        (BETTER, "last", "**better** (mean IoU +0.116 [", "**better** (mean IoU +0.178 ["),
        (WORSE, "base", "**worse** (mean IoU -0.084 [", "**no difference can be shown** (mean IoU +0.062 ["),
        (ALIKE, "base", "**no difference can be shown** (mean IoU +0.000 [", ""),
    ],
)
def test_it_says_better_or_worse_only_where_the_test_does(runs, best, words, rule):
    first, second, third = sentences(said_of({"base": BASE, "last": runs}))
    assert first.startswith(f"Of 2 models, `{best}` scores highest: **mean IoU 0.")
    assert "(1 is perfect, finding nothing gives 0.400), from 0." in first
    compared, beside = second.split("; ")
    start = "New training images chosen by a sampler (`last`) against as many drawn at random (`base`): "
    assert compared.startswith(start + words)
    assert beside.startswith(f"the best model against the best simple rule, local threshold (0.500): {rule}")
    assert third == (
        "Tested on **4 real pictures** of 2 sources, with 5 runs of each model; paired two-tailed t-tests between "
        "models by run, against the simple rule by picture."
    )


def test_a_simple_rule_that_is_ahead_is_said_to_be():
    _, second, _ = sentences(said_of({"base": BASE}, sources=9, rule=0.9))
    assert second.startswith(
        "The best model against the best simple rule, local threshold (0.900): **worse** (mean IoU -"
    )
    assert second.endswith("p < 0.001), ahead on 0, behind on 9 of 9 sources.")


def test_one_arm_of_one_run_is_compared_with_nothing_but_the_rule():
    first, second, third = sentences(said_of({"base": [0.6]}, sources=1))
    assert first.startswith(
        "There is one model, `base`: **mean IoU 0.549** (1 is perfect, finding nothing gives 0.400);"
    )
    assert second.startswith("The best model against the best simple rule, local threshold (0.500): ")
    assert third == (
        "Tested on **2 real pictures** of 1 source, with 1 run of each model; paired two-tailed t-tests, against the "
        "simple rule by picture; **so few runs show that the cycle works, not which model is better**."
    )


def test_one_run_of_two_arms_cannot_be_tested():
    _, second, _ = sentences(said_of({"base": [0.6], "last": [0.7]}))
    assert "(`base`): **no test is possible** (mean IoU +0.100; 1 pair);" in second


@pytest.mark.parametrize(("runs", "said"), [(3, True), (5, False)])
def test_few_runs_are_said_to_be_few(runs, said):
    third = sentences(said_of({"base": BASE[:runs], "last": BETTER[:runs]}))[2]
    assert ("**so few runs show that the cycle works, not which model is better**" in third) == said


def test_a_surrogate_is_named_with_its_reason_in_title_and_evidence():
    said = said_of({"base": BASE}, SURROGATE)
    tested_on = "4 surrogate pictures, not real (no real set was given)"
    assert summary(said).startswith(f"# Grain boundaries: verdict on {tested_on}\n")
    assert sentences(said)[2].startswith(f"Tested on **{tested_on}** of 2 sources, ")


def test_of_tiles_it_tells_of_the_fewest_and_names_the_control(tile_verdict):
    first, second, third = sentences(tile_verdict(runs=3))
    assert first == (
        "Of 4 models made with 16 real training tiles (the fewest tried, where synthetic ones can matter most), the "
        "mixed model makes the fewest mistakes: "
        "**20.0 of 100 test tiles wrong**, from 0.0 on part_1 to 40.0 on part_0."
    )
    gain = "**no test is possible** (-10.0 of 100 tiles wrong; all 3 pairs differ by the same)"
    assert second.startswith(
        f"The mixed model against the real model: {gain}; against the real model trained as long as mixed (control): "
        f"{gain}; the best model against the best simple rule, line filter (50.0): "
    )
    assert second.endswith(
        f"with the most training tiles, 64, mixed against real: {gain}; against the control: {gain}."
    )
    assert "by run (p not corrected for their number), against the simple rule by tile" in third


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, "**better** (-2.5 of 100 tiles wrong [-4.6, -0.4], p = 0.045)"),
        ({"mean_difference": 0.025, "ci99_difference": None}, "**worse** (+2.5 of 100 tiles wrong, p = 0.045)"),
        ({"p_holm": 0.09}, "**no difference can be shown** (-2.5 of 100 tiles wrong [-4.6, -0.4], p = 0.090)"),
        ({"p_value": 0.0000551}, "**better** (-2.5 of 100 tiles wrong [-4.6, -0.4], p < 0.001)"),
    ],
)
def test_a_finding_in_tiles_by_hand(changed, said):
    interval = {"lo": -0.046, "hi": -0.004, "n": 10}
    test = {"metric": "error_rate", "mean_difference": -0.025, "p_value": 0.045, "n_pairs": 10}
    assert finding(test | {"ci99_difference": interval} | changed) == said


def test_models_that_the_table_has_no_room_for_are_counted(verdicts):
    page = summary(verdicts["many"])
    assert "- 4 more models are in the details. Brackets beside" in page
    assert {"`base`", "`round_10`"} <= {row[0] for row in table(page)[1]}


def test_it_says_for_how_many_tests_p_values_are_corrected(verdicts):
    third = sentences(verdicts["evidence grain_boundaries"])[2]
    assert "paired two-tailed t-tests between models by run (p corrected for 63 tests, Holm), against" in third

from micromime.reporting.tables.summary import compared_table, summary_table


def scores(iou, f1, sd=0.01):
    return {"mean_iou": {"mean": iou, "sd": sd}, "boundary_f1": {"mean": f1, "sd": sd}}


def part(n, base, later, otsu):
    """One source's scores, (mean IoU, boundary F1) of each."""
    baselines = {"otsu": {"mean_iou": otsu[0], "boundary_f1": otsu[1]}, "all_grain": {"mean_iou": 0, "boundary_f1": 0}}
    return {"n": n, "arms": {"base": scores(*base), "later": scores(*later)}, "baselines": baselines}


def gains(difference, tests, *metrics):
    """Of all metrics as much, among so many tests."""
    interval = {"lo": difference - 0.01, "hi": difference + 0.01, "n": 9}
    numbers = {"n_pairs": 9, "p_value": 0.2, "p_holm": 0.4, "n_tests": tests, "ci99_difference": interval}
    return {
        f"later_vs_base_{metric}": {"a": "later", "b": "base", "mean_difference": difference, **numbers}
        for metric in ("mean_iou", "boundary_f1", *metrics)
    }


def verdict():
    whole = part(3, (0.5, 0.6), (0.51, 0.62), (0.4, 0.3))
    for arm in whole["arms"].values():
        arm["n_runs"] = 9
    return {
        "test_set": {"kind": "real", "name": "x", "reason": None, "n": 3},
        **whole,
        "by_source": {"steel": part(2, (0.55, 0.65), (0.56, 0.66), (0.45, 0.35))},
        "paired": gains(0.01, 5, "average_precision"),
        "at_operating_points": {
            "paired": gains(0.03, 2),
            "arms": {"base": scores(0.49, 0.58), "later": scores(0.48, 0.59)},
        },
    }


def test_each_source_has_a_row_and_all_pictures_the_last():
    assert summary_table(verdict(), ["base", "later"], ["otsu"]).splitlines() == [
        "| mean IoU / boundary F1 | otsu | base, runs: 9 | later, runs: 9 |",
        "| --- | ---: | ---: | ---: |",
        "| steel (2) | 0.450 / 0.350 | 0.550 / 0.650 | 0.560 / 0.660 |",
        "| ALL (3) | 0.400 / 0.300 | 0.500 / 0.600 | 0.510 / 0.620 |",
        "| ALL (3), each run at its own threshold | none | 0.490 / 0.580 | 0.480 / 0.590 |",
    ]


def test_arms_are_compared_at_one_threshold_and_at_their_own():
    same, own = "+0.010 [+0.000, +0.020], p = 0.40", "+0.030 [+0.020, +0.040], p = 0.40"
    assert compared_table(verdict(), [("later", "base")]).splitlines() == [
        "| score | later - base |",
        "| --- | ---: |",
        f"| mean IoU at 0.5 | {same} |",
        f"| boundary F1 at 0.5 | {same} |",
        f"| average precision | {same} |",
        f"| mean IoU at its own threshold | {own} |",
        f"| boundary F1 at its own threshold | {own} |",
        "",
        "Mean difference over runs [99 % interval, Student's t, n = 9 pairs of runs]; p of paired two-tailed t-tests "
        "by run, corrected for 5 and 2 tests (Holm), significant below 0.05.",
    ]


def test_one_pair_of_runs_is_no_test():
    said, no_test = verdict(), {"n_pairs": 1, "p_value": None, "p_holm": None, "ci99_difference": None}
    for part in (said, said["at_operating_points"]):
        part["paired"] = {name: test | no_test for name, test in part["paired"].items()}
    row = compared_table(said, [("later", "base")]).splitlines()[2]
    assert row == "| mean IoU at 0.5 | +0.010 none, p = none |"

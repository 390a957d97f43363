"""Exponents of made-up curves, and what is said and drawn of them; and two points of a curve in earnest."""

import json

import growth
import numpy as np
import pytest

from docs.speed import grown

N = (10, 100, 1000, 10_000)


def curve(name, seconds, memory=(100, 101, 102, 103)):
    points = [{"n": n, "seconds": s, "peak_memory_mib": m} for n, s, m in zip(N, seconds, memory, strict=True)]
    return growth.grown(name, points)


def test_exponents_are_slopes_with_their_standard_error():
    n = np.array([1.0, 2, 4])
    assert growth.exponent(n, 5 * n**1.5) == pytest.approx((1.5, 0))
    slope, error = growth.exponent(np.exp([0.0, 1, 2]), np.exp([0.0, 2, 1]))
    assert (slope, error) == pytest.approx((0.5, np.sqrt(1.5 / 2)))  # residuals -.5, 1, -.5
    assert growth.exponent(n[:2], n[:2] ** 2) == (pytest.approx(2), None)


@pytest.mark.parametrize(("power", "worse"), [(0.5, False), (1, False), (1.12, False), (1.4, True), (2, True)])
def test_worse_is_what_exceeds_n_log_n_over_the_same_points(power, worse):
    said = curve("images", np.array(N, float) ** power)
    assert said["exponent"] == pytest.approx(power)
    assert 1.15 < said["compared_with"] < 1.25
    assert said["worse"] is worse


def test_what_cannot_be_told_apart_from_n_log_n_is_not_called_worse():
    assert not curve("images", [1, 60, 100, 9000])["worse"]


def test_memory_is_flat_or_has_an_exponent():
    assert curve("images", N)["memory_is_flat"]
    said = curve("images", N, [100, 1000, 10_000, 100_000])
    assert not said["memory_is_flat"]
    assert said["memory_exponent"] == pytest.approx(1)


def test_the_table_and_the_picture_have_every_curve():
    curves = {name: curve(name, np.array(N) / 1000) for name in growth.CURVES}
    rows = grown(curves).splitlines()[2:]
    assert len(rows) == len(growth.CURVES)
    assert "| pictures: 10 to 10,000 | 0.01 to 10 | 1.00 ± 0.00 (at its end 1.00) |" in rows[0]
    assert "no worse than n log n | 100 to 103, flat |" in rows[0]
    assert "0.00 times as fast" in rows[-1]
    picture = growth.drawing(curves)
    assert all(f">{each.unit}<" in picture for each in growth.CURVES.values())
    assert picture == growth.drawing(curves)


@pytest.mark.slow
def test_curves_are_measured_quickly(tmp_path):
    out, picture = tmp_path / "growth.json", tmp_path / "growth.svg"
    growth.main(quick=True, curves=["side", "images"], out=out, picture=picture)
    found = json.loads(out.read_text())
    assert [*found] == ["images", "side"]  # in the order of CURVES
    assert [point["n"] for point in found["images"]["points"]] == [100, 300]
    assert all(point["seconds"] > 0 and point["peak_memory_mib"] > 50 for point in found["side"]["points"])
    assert picture.read_text().startswith("<svg")


@pytest.mark.slow
@pytest.mark.parametrize(("name", "n"), [("runs", 2), ("dictionary", 1000)])
def test_a_point_of_other_curves_is_measured(name, n, monkeypatch):
    pytest.importorskip("noise", reason="benchmarks/render.py needs it")
    monkeypatch.setenv("MICROMIME_WORKERS", "1")
    assert growth.in_new_process(growth.measured, name, n)["seconds"] > 0

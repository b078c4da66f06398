"""Figures of learning curves: drawn from values alone, with what they show in them."""

import numpy as np

from equitangents import plots
from equitangents.plots.data_efficiency import ErrorCurve, ErrorPanel, ErrorSheet, FactorRow, FactorSheet, OrbitSheet


def test_curves_leave_out_what_was_not_measured():
    n = np.array([8.0, 16.0, 32.0])
    value = np.array([0.5, np.nan, 0.1])
    curve = ErrorCurve("augmented", "augmented", n, value, 0.9 * value, 1.1 * value)
    sheet = ErrorSheet("title", [("error", [ErrorPanel("one", [curve, curve._replace(arm="equivariant")])])])
    figure = plots.error_curves(sheet)
    (axis,) = figure.axes
    assert axis.lines[0].get_xdata().tolist() == [8, 32] and axis.get_xscale() == axis.get_yscale() == "log"
    assert axis.lines[1].get_markerfacecolor() == "none"
    assert plots.to_svg(figure) == plots.to_svg(plots.error_curves(sheet))


def test_bounds_are_arrows():
    rows = [FactorRow("a", 3.0, 2.0, 4.0, False), FactorRow("b", 4.0, 1.0, 4.0, True, "plain")]
    (axis,) = plots.data_factors(FactorSheet("title", rows)).axes
    assert [axis.lines[i].get_marker() for i in (1, 3)] == ["D", ">"]
    assert [label.get_text() for label in axis.get_yticklabels()] == ["a", "b"]


def test_orbits_show_random_rotations_and_solids():
    r = np.array([1.0, 2.0, 4.0])
    values = np.array([[3.0, 2.0, 1.0], [3.2, 2.1, 1.2]])
    solids = np.array([[1.0, 0.9], [1.1, 0.8]])
    sheet = OrbitSheet("t", r, values, values, [("T", 12), ("O", 24)], solids, solids, np.array([0.8, 0.9]), "meV")
    error, distance = plots.orbit_curves(sheet).axes
    assert error.lines[0].get_xdata().tolist() == [1, 2, 4] and error.lines[1].get_xdata().tolist() == [12, 24]
    assert "SO(3)" in distance.get_title(loc="left")

"""Panels of points beside the lines that theory foretells."""

import numpy as np

from equitangents import plots


def result(**options):
    x = np.array([1.0, 4.0, 16.0])
    y = x**-0.5
    line = plots.Line("measured", 0, x, y, low=0.9 * y, high=1.1 * y, band=(0.8 * y, 1.2 * y), foretold=(x, y))
    panel = plots.Panel("left", "members", "deviation", (line,), "xy", rule=0.5, ticks=(1.0, 4.0, 16.0))
    return plots.Lines("Title", (panel, panel), **options)


def test_points_bars_bands_and_foretold_lines_are_drawn():
    figure = plots.lines(result())
    for axes in figure.axes:
        points, foretold, _, rule = axes.get_lines()  # the third stands in the legend
        np.testing.assert_allclose(points.get_ydata(), [1, 0.5, 0.25])
        np.testing.assert_allclose(foretold.get_ydata(), [1, 0.5, 0.25])
        assert points.get_linestyle() == "None" or points.get_linewidth() == 0
        assert foretold.is_dashed()
        assert rule.get_ydata()[0] == 0.5
        assert len(axes.collections) == 2  # bars and band


def test_the_legend_names_what_is_foretold_unless_nothing_is():
    for theory, count in (("predicted by the kernel", 2), ("", 1)):
        figure = plots.lines(result(theory=theory))
        assert len(figure.legends[0].get_texts()) == count


def test_logarithmic_panels_have_plain_numbers():
    svg = plots.to_svg(plots.lines(result()))
    assert "mathdefault" not in svg

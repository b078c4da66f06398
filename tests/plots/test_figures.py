"""Every figure: drawn from a result alone, the same each time, with hostile names, and with what it shows in it."""

import re
import warnings
import xml.etree.ElementTree as ET

import numpy as np
import pytest

import synthetic
from equitangents import plots
from equitangents.plots.cost import same_kernels
from equitangents.plots.rows import Rows, group_order, of_group
from equitangents.studies.result import Result

FIGURES = {
    name: getattr(plots, name)
    for name in (
        "accuracy_against_cost",
        "audit_heatmap",
        "confusion_difference",
        "deviation_against_members",
        "equivariance_against_time",
        "error_against_training_size",
        "recall_cost",
        "same_prediction_against_members",
    )
}
HOSTILE = ("<script>alert(1)</script>", "$\\frac{", '"><img src=x onerror=1>', "naïve 猫", "a" * 60, "&amp;", "0", "1")


@pytest.fixture(scope="module")
def result():
    return synthetic.study()


@pytest.fixture(scope="module")
def empty(result):
    return Result(result.config, {name: column[:0] for name, column in result.columns.items()})


@pytest.mark.parametrize("draw", FIGURES.values(), ids=FIGURES)
def test_a_figure_is_the_same_svg_each_time_without_a_date(draw, result):
    first, second = plots.to_svg(draw(result)), plots.to_svg(draw(result))
    assert first == second
    assert "dc:date" not in first
    ET.fromstring(first)


@pytest.mark.parametrize("draw", FIGURES.values(), ids=FIGURES)
def test_a_figure_of_nothing_says_why(draw, empty):
    assert plots.why_empty(draw(empty)).endswith(".")


def test_costs_are_drawn_beside_the_limit_of_the_same_network():
    """Another network at infinite width may err less, but it is not where these ensembles go."""
    rows = {"model": ["kernel"] * 3 + ["ensemble"], "net": ["other", "same", "same", "same"]}
    rows |= {"n_train": [20, 20, 10, 20], "time": [np.inf, np.inf, np.inf, 5.0], "value": [0.01, 0.05, 0.2, 0.06]}
    errors = Rows(rows)
    assert same_kernels(errors, errors.where(model="ensemble"))["value"].tolist() == [0.05]


@pytest.mark.parametrize("draw", FIGURES.values(), ids=FIGURES)
def test_hostile_class_names_stay_text(draw):
    hostile = synthetic.study(classes=HOSTILE, lost={}, confused=(("r2", HOSTILE[0], HOSTILE[2]),))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        svg = plots.to_inline(draw(hostile), "figure", '<"&>')
    root = ET.fromstring(svg)
    assert root.tag.endswith("svg")
    assert not [node for node in root.iter() if node.tag.endswith(("script", "img"))]


def test_ids_of_inline_figures_do_not_clash(result):
    ids = []
    for name, draw in list(FIGURES.items())[1:3]:
        svg = plots.to_inline(draw(result), name, name)
        ids += set(re.findall(r'\bid="([^"]+)"', svg))
        used = set(re.findall(r"url\(#([^)]+)\)", svg)) | set(re.findall(r'href="#([^"]+)"', svg))
        assert used <= set(ids)
    assert len(ids) == len(set(ids))


def test_figures_are_700_pixels_wide_and_nothing_leaves_them(result):
    for draw in FIGURES.values():
        figure = draw(result)
        assert figure.get_size_inches()[0] * figure.dpi == 700
        plots.to_png(figure, dpi=100)  # the size of the figure itself
        box, renderer = figure.bbox, figure.canvas.get_renderer()
        texts = [*figure.texts, *(t for legend in figure.legends for t in legend.get_texts()), figure._suptitle]
        for text in filter(None, texts):
            extent = text.get_window_extent(renderer)
            assert extent.x0 >= box.x0 - 1 and extent.x1 <= box.x1 + 1, (draw.__name__, text.get_text())


def test_drawing_leaves_the_users_settings_alone(result):
    import matplotlib

    before = dict(matplotlib.rcParams)
    plots.to_svg(plots.recall_cost(result))
    assert dict(matplotlib.rcParams) == before


def test_the_learning_curve_shows_the_errors_of_the_table(result):
    axes = plots.error_against_training_size(result).axes[0]
    line = next(line for line in axes.lines if line.get_label() == "equivariant")
    rows = result.select(metric="error", model="kernel", net="cnn", arm="equivariant", inputs="canonical").columns
    np.testing.assert_allclose(sorted(line.get_ydata()), sorted(100 * rows["value"]))


def test_the_audit_outlines_the_named_pairs(result):
    axes = plots.audit_heatmap(result).axes[0]
    assert sorted(p.get_xy() for p in axes.patches) == [(5.5, 1.5), (8.5, 1.5)]


def test_of_group_takes_what_is_stored_under_the_group_or_under_none():
    table = {"arm": np.array(["plain", "equivariant", "equivariant"]), "group": np.array(["C1", "C2", "C4"])}
    assert of_group(Rows(table), "C4")["arm"].tolist() == ["plain", "equivariant"]
    assert [group_order(name) for name in ("C4", "D4", "Z7", "S3", "mine")] == [4, 8, 7, 6, None]


def test_largest_ignores_unknown_times():
    rows = Rows({"time": np.array([np.nan, 1.0, np.inf]), "value": np.arange(3.0)})
    assert rows.largest("time").one("value") == 2.0
    assert len(rows.keep(np.array([0])).largest("time")) == 1

"""The page on augmented and equivariant training: the limit, the widths, the members."""

from typing import Any

import numpy as np

from ... import plots
from ...plots.scaling import Board, Chart, Line, Points
from ..piece import Arrays, Get
from .images import OFF
from .study import Drawing, Page, Section, Table
from .twins import CASE_TEXT, CASES
from .twins_numbers import Ensemble, Ensembles, against_members, along_limit, apart, variance_ratio
from .unbiased import Estimate, difference, power

FITTED = 3  # of the largest widths, for the power


def page(config: Any, get: Get) -> Page:
    """From the closed forms and the ensembles."""
    from .augmented_equals_equivariant import parts, runs

    limits = {case: get(f"limit-{case}") for case in CASES}
    found: dict[tuple[str, bool, int], Ensemble] = {}
    for case, augmented, width, pairs in runs(config):
        arrays = [get(name) for name, _ in parts(config, case, augmented, width, pairs)]
        found[case, augmented, width] = Ensemble.of(arrays)
    ensembles = Ensembles(config, limits, found)
    largest = config.widths[-FITTED:]
    exponent = power(np.array(largest), [absolute(gap(ensembles, w)) for w in largest])
    sections = (
        limit_section(ensembles),
        training_section(ensembles),
        width_section(ensembles, exponent),
        covariance_section(ensembles),
        members_section(ensembles),
        how_section(ensembles),
    )
    return Page(answer(ensembles, exponent), sections)


def answer(e: Ensembles, exponent: Estimate) -> str:
    """Two sentences with the numbers."""
    last = len(e.config.moments) - 1
    small, large = (gap(e, e.config.widths[i]) for i in (0, -1))
    controls = " and ".join(
        f"{percent(apart(e, case, e.config.control_widths[-1], last))} ({CASE_TEXT[case]})" for case in CASES[1:]
    )
    return (
        f"At infinite width the two mean predictors differ by at most {worst(e.limits['theorem']):.0e} at all moments. "
        f"At width {e.config.widths[0]} the mean of augmented networks is {signed(small)} off that of equivariant "
        f"ones, at width {e.config.widths[-1]} {signed(large)}, and the difference falls as the power "
        f"{show(exponent, 2)} of the width; where a condition of the theorem is broken, "
        f"{controls} remain at width {e.config.control_widths[-1]}."
    )


def gap(e: Ensembles, width: int, t: int = -1) -> Estimate:
    """Augmented minus equivariant along the limit."""
    return difference(along_limit(e, "theorem", True, width, t), along_limit(e, "theorem", False, width, t))


def limit_section(e: Ensembles) -> Section:
    """Closed forms of each case."""
    rows = []
    for case in CASES:
        limit = e.limits[case]
        rms = np.sqrt(np.mean(limit["mean"] ** 2, axis=(1, 2)))
        relative = np.sqrt(np.mean((limit["mean"] - limit["mean_imposed"]) ** 2, axis=(1, 2)))[-1] / rms[-1]
        orbits = limit["on_orbits"]
        rows.append(
            (
                CASE_TEXT[case],
                f"{worst(limit):.1e}",
                f"{relative:.1e}" if relative < 1e-6 else f"{relative:.1%}".replace("%", " %"),
                f"{np.abs(orbits - orbits[:, :1]).max():.1e}",
                f"{np.abs(limit['covariance'] - limit['covariance_imposed']).max():.1e}",
            )
        )
    limit = e.limits["theorem"]
    unmatched = np.sqrt(np.mean((limit["mean"] - limit["mean_unmatched"]) ** 2, axis=(1, 2)))
    rms = np.sqrt(np.mean(limit["mean"] ** 2, axis=(1, 2)))
    shown = [i for i, r in enumerate(rms) if r > 0]
    return Section(
        "At infinite width",
        (
            "Both are gradient descent on the sum of squares, in closed form: the plain network on all images "
            f"of the orbits at rate {float(limit['rate']):.3g}, the equivariant one on the images alone at rate "
            f"{float(limit['matched']):.3g}, as match_learning_rate says. Their means are one curve. Their covariances "
            "differ, but averaged over the two orbits that of the plain network is that of the equivariant one: a "
            "member averaged over the orbit is a draw of the equivariant network.",
            "The two controls break one condition each: a nonlinear head keeps the mean invariant and changes it; a "
            "footprint that rotations do not map to itself breaks invariance too. At a learning rate that is not "
            f"matched the two means of the theorem's pair are up to {max(unmatched[i] / rms[i] for i in shown):.0%} "
            "apart, root mean square.".replace("%", " %"),
        ),
        tables=(
            Table(
                f"Closed forms, over {len(e.config.moments)} moments and {e.config.test + e.config.n_off} test images",
                (
                    "case", "largest difference of means", "relative, at the end", "mean over an orbit varies by",
                    "orbit-averaged covariances differ by",
                ),
                tuple(rows),
            ),
        ),
    )  # fmt: skip


def training_section(e: Ensembles) -> Section:
    """Both means along training, as shares of the limit."""
    times = [i for i, step in enumerate(e.config.moments) if step > 0]
    steps = [e.config.moments[i] for i in times]
    charts = []
    for width in e.config.widths:
        points = []
        for look, (augmented, label) in enumerate(((True, "augmented"), (False, "group-convolutional"))):
            values = [along_limit(e, "theorem", augmented, width, t) for t in times]
            points.append(Points(label, steps, [v.value for v in values], [v.error for v in values], 1 - look))
        charts.append(Chart(f"width {width}", points, (Line("infinite width, both", steps, [1.0] * len(steps)),)))
    board = Board(
        "Mean of finite networks along training, as a share of the limit",
        "steps", "share of the limit", charts, log_y=False,
    )  # fmt: skip
    return Section(
        "Along training",
        (
            "The share is the coefficient of the limit in the finite mean, over all test images and classes: 1 means "
            "the limit. Finite networks learn more slowly here, both alike: their tangent kernels fluctuate, and "
            "1 - exp(-eta lambda t) is concave in lambda. They catch up as training ends.",
        ),
        (Drawing("along-training", plots.measured_against(board), "Bars are two standard errors."),),
    )


def width_section(e: Ensembles, exponent: Estimate) -> Section:
    """The difference of the two means against width."""
    last = len(e.config.moments) - 1
    widths = e.config.widths
    gaps = [gap(e, w) for w in widths]
    sizes = [absolute(g) for g in gaps]
    weights = np.array([1 / (w * s.error) ** 2 for w, s in zip(widths, sizes, strict=True)])
    constant = float(np.average([w * s.value for w, s in zip(widths, sizes, strict=True)], weights=weights))
    first = Chart(
        "along the limit",
        (Points(CASE_TEXT["theorem"], widths, [s.value for s in sizes], [s.error for s in sizes], 0),),
        (Line(f"{constant:.2g} / width", widths, [constant / w for w in widths], 0),),
    )
    points, lines, rows = [], [], []
    for look, case in enumerate(CASES):
        limit = e.limits[case]
        here = widths if case == "theorem" else e.config.control_widths
        values = [apart(e, case, w, last) for w in here]
        points.append(Points(CASE_TEXT[case], here, [v.value for v in values], [v.error for v in values], look))
        predicted = float(
            np.sqrt(np.mean((limit["mean"] - limit["mean_imposed"])[last] ** 2) / np.mean(limit["mean"][last] ** 2))
        )
        if case != "theorem":
            lines.append(Line(f"{CASE_TEXT[case]}, limit", here, [predicted] * len(here), look))
        for w, v in zip(here, values, strict=True):
            g = gap(e, w) if case == "theorem" else None
            rows.append(
                (
                    CASE_TEXT[case], str(w), f"{e.pairs(case, w):,}",
                    f"{signed(g)}" if g else "", f"{g.z:+.1f}".replace("-", "−") if g else "",
                    show(Estimate(w * g.value, w * g.error), 2) if g else "",
                    percent(v), "0" if case == "theorem" else f"{100 * predicted:.1f} %",
                )
            )  # fmt: skip
    board = Board(
        f"Difference of the two means after {e.config.moments[-1]} steps, relative to the limit",
        "width", "difference", (first, Chart("root mean square", points, lines)), shared=False,
    )  # fmt: skip
    return Section(
        "Against width",
        (
            f"The difference of the two means falls as the power {show(exponent, 2)} of the width (O(1/width) is the "
            f"power −1; the fit is to the {min(3, len(widths))} largest widths, and holds higher orders as well). "
            "It is measured along the limit, where it is "
            "linear in the outputs and so free of bias, and as a root mean square over images and classes, from which "
            "the noise of both ensembles is subtracted. The controls stay where the closed forms put them.",
            f"Diverged, and left out: {e.diverged:,} of {e.total:,} networks.",
        ),
        (
            Drawing(
                "against-width", plots.measured_against(board),
                "Bars are two standard errors; where they reach zero, an arrow marks the upper limit.",
            ),
        ),
        (
            Table(
                "Augmented minus equivariant, with standard errors",
                ("case", "width", "pairs", "along the limit", "in errors", "times width", "root mean square", "limit"),
                tuple(rows),
            ),
        ),
    )  # fmt: skip


def covariance_section(e: Ensembles) -> Section:
    """Variances over initialisations."""
    last, rows = len(e.config.moments) - 1, []
    for width in e.config.widths:
        for t in sorted({0, last}):
            cells = [variance_ratio(e, kind, width, t) for kind in ("averaged", "imposed", "raw")]
            rows.append((str(width), str(e.config.moments[t]), *(show(c, 3) for c in cells)))
    return Section(
        "Covariance",
        (
            "The same relation at finite width: variances over initialisations, mean over test images and classes, "
            "in units of those of infinite width. Columns 3 and 4 are divided by the same number, that of the "
            "equivariant network, so they should agree as widths grow; column 5 by that of the plain one.",
        ),
        tables=(
            Table(
                "Variance over its infinite-width value, with standard errors",
                ("width", "steps", "augmented, member averaged over the orbit", "equivariant", "augmented, as it is"),
                tuple(rows),
            ),
        ),
    )


def members_section(e: Ensembles) -> Section:
    """The difference of two ensembles against their size."""
    charts, texts = [], []
    for width in (e.config.widths[0], e.config.widths[-1]):
        points, lines = [], []
        floor = apart(e, "theorem", width, len(e.config.moments) - 1)
        for look, opposite in enumerate((False, True)):
            label = "pairs of opposite sign" if opposite else "independent networks"
            sizes, values, predicted = against_members(e, width, opposite)
            points.append(Points(label, sizes, [v.value for v in values], [v.error for v in values], look))
            if predicted is not None:
                lines.append(Line("from the covariances of infinite width", sizes, predicted))
                if len(sizes) > 1:
                    texts.append(f"{show(power(np.array(sizes), values), 2)} at width {width}")
        if floor.value > 2 * floor.error:
            lines.append(Line("difference of the means", sizes, [floor.value] * len(sizes), 2))
        charts.append(Chart(f"width {width}", points, lines))
    board = Board(
        "Two ensembles of M networks: rms difference, relative to the limit",
        "members M", "difference", charts,
    )  # fmt: skip
    return Section(
        "Against members",
        (
            f"Measured powers of M: {' and '.join(texts) or 'none, of so few networks'}, over all M shown; noise alone "
            "gives −1/2. An ensemble of augmented networks and one of equivariant networks come closer as M grows, "
            "until the difference of the means at that width is left. Networks in pairs of opposite sign, theta and "
            "theta with its last layer negated, have no fluctuation at infinite width, and less of it at any.",
        ),
        (Drawing("against-members", plots.measured_against(board), "Disjoint ensembles; bars are two errors."),),
    )


def how_section(e: Ensembles) -> Section:
    """Data, networks and training."""
    c = e.config
    return Section(
        "How it was measured",
        (
            f"Scikit-learn's digits 0 to {c.classes - 1} at 8 x 8 pixels: {c.train} for training, {c.test} held out, "
            f"and {c.n_off} images off their manifold ({OFF[c.off]}). Targets are centred one-hot vectors, "
            "the loss is the sum of squares. Networks: two 3 x 3 convolutions without padding, ReLU, mean over "
            f"what is left, one linear layer; under {c.group}. The learning rate is {c.rate:g} of the largest stable "
            "one at infinite width. All members are trained in single precision by full-batch descent; closed forms "
            "are in double precision.",
            "A mean over pairs of opposite sign is a mean over networks of the prior, as negating the last layer does "
            "not change its law. The means of augmented networks are averaged over the orbit of each test image, which "
            "changes no expectation: their law is invariant at any width. Errors of root mean squares come from "
            "products of different pairs.",
        ),
    )


def worst(limit: Arrays) -> float:
    """Largest difference of the two means at infinite width."""
    return float(np.abs(limit["mean"] - limit["mean_imposed"]).max())


def absolute(estimate: Estimate) -> Estimate:
    """Its size, with the same error."""
    return Estimate(abs(estimate.value), estimate.error)


def show(estimate: Estimate, digits: int) -> str:
    """Value and standard error.

    >>> show(Estimate(-1.0234, 0.051), 2)
    '−1.02 ± 0.05'
    """
    return f"{estimate.value:.{digits}f} ± {estimate.error:.{digits}f}".replace("-", "−")


def percent(estimate: Estimate) -> str:
    """In per cent."""
    return f"{100 * estimate.value:.1f} ± {100 * estimate.error:.1f} %"


def signed(estimate: Estimate) -> str:
    """In per cent, with its sign."""
    return f"{100 * estimate.value:+.1f} ± {100 * estimate.error:.1f} %".replace("-", "−")

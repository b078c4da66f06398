"""The page on filter supports: which are symmetric, what falls with members and what does not, orbit-closed starts."""

from typing import Any

import numpy as np

from ... import plots
from ...dynamics import flops
from ...groups import point_group
from ...plots.scaling import Board, Chart, Line, Points
from ...symmetry import support_is_invariant
from ..piece import Get
from .images import OFF
from .study import Drawing, Page, Section, Table
from .support_numbers import Measured, kept, measured, orbit_gap
from .support_train import CLASSES, CLOSED, SHAPE, images
from .supports import SUPPORTS, support_net

KINDS = ("digits", "off the manifold")
PAPER_FLOPS = 3 * 2 * (28**2 * 5 + 14**2 * 5 * 16 + 7**2 * 5 * 16) * 16 * 60_000 * 10 * 1000


def page(config: Any, get: Get) -> Page:
    """From the orbit-closed ensembles and the members."""
    from .support_symmetry import parts

    data, found, diverged = images(config), {}, 0
    for name in config.supports:
        outputs, lost = kept([get(piece) for piece, _ in parts(config, name)])
        diverged += lost
        found[name] = (
            measured(config, outputs[:, :, : config.test], data.y_test),
            measured(config, outputs[:, :, config.test :], None),
        )
    closed = {name: get(f"closed-{name}") for name in config.supports}
    sections = (
        supports_section(config),
        members_section(config, found),
        plateau_section(found),
        closed_section(config, closed),
        how_section(config, found, diverged),
    )
    return Page(answer(config, found), sections)


def symmetric(name: str) -> bool:
    """Whether rotations map the support to itself."""
    return support_is_invariant(SUPPORTS[name][0], point_group("C4"))


def answer(config: Any, found: dict[str, tuple[Measured, Measured]]) -> str:
    """Two sentences with the numbers."""
    resolved = [n for n in found if found[n][1].plateau.z > 3]
    rest = [n for n in found if n not in resolved]
    said = [f"{n} {found[n][1].plateau.z:.1f}".replace("-", "−") for n in found]
    kl = [f"{found[n][1].values['kl'][-1].value:.2g} ({n})" for n in found]
    return (
        f"With {config.members:,} members the squared orbit deviation that more members would not remove is, off the "
        f"manifold and in standard errors, {', '.join(said)}: resolved for {', '.join(resolved) or 'none'}, not for "
        f"{', '.join(rest) or 'none'}. The symmetric KL divergence of the ensembles of {config.sizes[-1]:,} there is "
        f"{', '.join(kl)}."
    )


def supports_section(config: Any) -> Section:
    """Which supports and starts the group maps to themselves."""
    rows = []
    for name in config.supports:
        support, start = SUPPORTS[name]
        began = support if start is None else start
        invariant = (symmetric(name), support_is_invariant(began, point_group("C4")))
        rows.append((name, drawn(support), drawn(began), *("yes" if i else "no" for i in invariant)))
    return Section(
        "Supports",
        (
            "support_is_invariant decides: a support is symmetric under C4 if quarter turns about its centre map it to "
            "itself. SYMINIT starts with filters on a symmetric part of an asymmetric support, so that the law of "
            "the first weights is invariant, but not the space in which they move.",
        ),
        tables=(
            Table(
                "Filters of all three convolutions, row by row; x: a weight",
                ("name", "support", "drawn at the start", "support symmetric", "start symmetric"),
                tuple(rows),
            ),
        ),
    )


def members_section(config: Any, found: dict[str, tuple[Measured, Measured]]) -> Section:
    """Three measures against the number of members."""
    drawings = []
    for metric, y_label, title, caption in (
        ("kl", "symmetric KL", "Symmetric KL divergence of rotated copies", "What keeps falling has no plateau."),
        ("deviation", "squared orbit deviation", "Squared orbit deviation of the mean logits", "Dashed: 1/M from one "
         "member on, what would be left if nothing but noise were there."),
        ("same", "same prediction, of 4", "Rotated copies with the same prediction", "The identity included; 4 of 4 "
         "is invariance."),
    ):  # fmt: skip
        charts = []
        for k, kind in enumerate(KINDS):
            points: list[Points] = []
            lines: list[Line] = []
            for look, name in enumerate(found):
                one = found[name][k]
                values = one.values[metric]
                points.append(Points(name, config.sizes, [v.value for v in values], [v.error for v in values], look))
                if metric == "deviation" and not lines:
                    noise = [one.noise.value / m for m in config.sizes]
                    lines.append(Line(f"noise of {name} alone, 1/M", config.sizes, noise, None))
            charts.append(Chart(kind, points, lines))
        board = Board(title, "members M", y_label, charts, log_y=metric != "same")
        drawings.append(Drawing(f"members-{metric}", plots.measured_against(board), f"{caption} Bars: two errors."))
    rows = []
    for name in found:
        for k, kind in enumerate(KINDS):
            one = found[name][k]
            rows.append((name, kind, *(f"{one.values['same'][i].value:.3f}" for i in marks(config))))
            rows[-1] += tuple(f"{one.values['kl'][i].value:.2g}" for i in marks(config))
    sizes = [f"{config.sizes[i]:,}" for i in marks(config)]
    head = ("support", "inputs", *(f"same, M = {m}" for m in sizes), *(f"KL, M = {m}" for m in sizes))
    return Section(
        "Against members",
        (
            "Logits are averaged over members, then measured on the four rotations of each input. Values are means "
            "over disjoint ensembles of M; their errors come from ensembles resampled from all members.",
        ),
        tuple(drawings),
        (Table("Orbit-same-prediction (1 to 4) and symmetric KL divergence", head, tuple(rows)),),
    )


def marks(config: Any) -> list[int]:
    """Which sizes the table shows: a small, a middle and the largest."""
    last = len(config.sizes) - 1
    return sorted({min(2, last), last // 2 + 1 if last > 2 else last, last})


def plateau_section(found: dict[str, tuple[Measured, Measured]]) -> Section:
    """What more members would not remove."""
    rows = []
    for name, both in found.items():
        for kind, one in zip(KINDS, both, strict=True):
            share = one.plateau.value / one.noise.value
            crossing = f"{1 / share:,.0f}" if one.plateau.z > 3 else ""
            cells = (f"{one.noise.value:.3g}", f"{one.plateau.value:.2e} ± {one.plateau.error:.1e}")
            rows.append((name, "yes" if symmetric(name) else "no", kind, *cells, f"{one.plateau.z:.1f}", crossing))
    return Section(
        "What more members would not remove",
        (
            "The squared orbit deviation of a mean of M is a + b/M. The plateau a is that of the expected network, "
            "estimated without the bias of the noise (products of different members), so it may be negative where "
            "theory says 0. Beyond b/a members the plateau is what is left.",
        ),
        tables=(
            Table(
                "Squared orbit deviation of logits, mean over rotations, inputs and classes",
                ("support", "symmetric", "inputs", "noise b", "plateau a", "a in errors", "b/a, if resolved"),
                tuple(tuple(cell.replace("-", "−") for cell in row) for row in rows),
            ),
        ),
    )


def closed_section(config: Any, closed: dict[str, Any]) -> Section:
    """Ensembles that are orbits of one start."""
    rows = []
    for name, arrays in closed.items():
        alone = orbit_gap(arrays["independent"])
        orbit = orbit_gap(arrays["closed"]) if arrays["closed"].size else None
        for i, step in enumerate(config.closed_steps):
            rows.append(
                (
                    name,
                    f"{step:,}",
                    f"{orbit[i]:.1e}" if orbit is not None else "none",
                    f"{alone[i]:.2g}",
                    f"{arrays['rounding'][i]:.1e}",
                )
            )
    return Section(
        "Orbits of one start",
        (
            "Four networks whose first weights are one draw, turned by each rotation, trained by full-batch descent on "
            "full orbits in double precision: on a symmetric support their mean is invariant up to rounding, with "
            "four members, at each step, for any input. On the asymmetric support that starts symmetric it is "
            "invariant before the first step only. Where turned filters leave the support there is no such ensemble.",
            "Training amplifies rounding, the norm over few sites most: the last column is the change of the outputs "
            "of one network whose first weights are changed in the last place.",
        ),
        tables=(
            Table(
                "Largest difference of the mean of four networks on the orbits of "
                f"{min(CLOSED, config.test)} test inputs and {min(CLOSED, config.n_off)} off the manifold",
                ("support", "steps", "orbit of one start", "four independent starts", "one network nudged"),
                tuple(rows),
            ),
        ),
    )


def how_section(config: Any, found: dict[str, tuple[Measured, Measured]], diverged: int) -> Section:
    """Data, networks and training."""
    net = support_net("SYM", config.channels, CLASSES)
    ours = 3 * flops(net, SHAPE) * config.batch * config.steps * config.members
    right = {name: [f"{100 * share:.0f}" for share in one.accuracy] for name, (one, _) in found.items()}
    accuracy = "; ".join(f"{name} {' and '.join(both)} %" for name, both in right.items())
    return Section(
        "How it was measured",
        (
            f"Three convolutions of {config.channels} channels on one support, each followed by tanh, the first two by "
            "the mean over 2 x 2, all by a norm over sites without parameters; then one linear layer to ten classes; "
            f"no biases. Scikit-learn's digits at 8 x 8: {config.train} for training by {config.steps} steps of "
            f"descent on the cross-entropy with batches of {config.batch} at rate {config.rate:g}, each example moved "
            f"by a random quarter turn; {config.test} held-out digits and {config.n_off} images off the manifold "
            f"({OFF[config.off]}). Correct on digits as they are, a single member and the ensemble: {accuracy}. "
            f"Diverged, and left out: {diverged}.",
            "Nordenfors and Flinth train 1,000 members for each support on MNIST, 28 x 28, ten epochs, and test on "
            f"CIFAR-10; about {PAPER_FLOPS:.0e} floating-point operations for the cross support, against "
            f"{ours:.0e} here. MNIST and CIFAR-10 are in no package this library depends on. Supports, architecture, "
            "measures and the number of members are theirs; data, size and learning rate are not, so numbers are to be "
            "compared within this page, and shapes of curves with the paper's.",
        ),
    )


def drawn(mask: Any) -> str:
    """A support as text.

    >>> drawn(((True, False), (False, True)))
    'x· ·x'
    """
    return " ".join("".join("x" if place else "·" for place in row) for row in np.asarray(mask))

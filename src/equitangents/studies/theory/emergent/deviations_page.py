"""The sections on energies and on cross products: deviations against members, and what they say."""

import numpy as np

from .... import plots
from ...piece import Arrays, Get
from ..study import Drawing, Section, Table
from . import cross, ising, measures
from .config import Emergent

ANY = "of an ensemble of M members: root mean square over the orbit, the inputs and the outputs"


def deviation_line(label: str, look: int, arrays: Arrays, row: int, scale: float) -> plots.Line:
    """Measured root mean squares, the band of independent members, and the kernel's curve."""
    square, band = arrays["square"][row], arrays["band"][row]
    counts = 2 ** np.arange(len(square))
    floor, variance = arrays["law"][row]
    foretold = np.sqrt(floor + variance / counts) / scale
    return plots.Line(
        label, look, counts, np.sqrt(square) / scale, band=np.sqrt(band) / scale, foretold=(counts, foretold)
    )


def within(arrays: Arrays, row: int) -> tuple[int, int]:
    """How many of the ensemble sizes lie inside the band, of how many."""
    square, (low, high) = arrays["square"][row], arrays["band"][row]
    return int(((low <= square) & (square <= high)).sum()), len(square)


def row_of(name: str, arrays: Arrays, row: int) -> tuple[str, ...]:
    """One ensemble in the table: its deviation, slope, band and what is left of infinitely many members."""
    (variance, error, square, z), (floor, foretold) = arrays["found"][row], arrays["law"][row]
    slope, low, high = arrays["slope"][row]
    inside, of = within(arrays, row)
    falls = floor < 1e-12  # without a floor the law is M to the power -1/2
    remains = f"{np.sign(square) * np.sqrt(abs(square)):.2g}" if abs(z) > 3 else "0"
    return (
        name,
        f"{np.sqrt(variance):.4f} ± {error / 2 / np.sqrt(variance):.4f}",
        f"{np.sqrt(foretold):.4f}",
        f"{slope:.3f} [{low:.3f}, {high:.3f}]" if falls else f"{slope:.3f}, to a floor",
        f"{inside} of {of}" if falls else "-",
        f"{remains} (z = {z:.1f})",
        f"{np.sqrt(floor):.2g}" if floor > 1e-12 else "0",
    )


HEAD = (
    "ensemble, inputs",
    "deviation of one member",
    "by the kernel",
    "slope in log M [95 % band]",
    "sizes in the band",
    "left at M = infinity",
    "by the kernel",
)
ABOUT = (
    "The band is where 95 % of such measurements lie if members are independent and Gaussian with the measured "
    "variance. What is left of infinitely many members is estimated without bias from products of different members; "
    "z is that over its standard error where nothing is left, and up to 3 in size counts as 0. It is no normal number "
    "but a square of few independent ones, less its mean: values beyond 3 are rarer below 0 than above it."
)


def ising_section(config: Emergent, get: Get) -> Section:
    """Four groups, two kinds of inputs, widths, and the coverage of the lemma."""
    names = {group: f"ising-{ising.file_name(group)}-measured" for group in ising.GROUPS}
    wide, plain = config.ising_widths[-1], get("ising-plain-measured")
    scale = float(plain["scale"])
    every = {group: get(name) for group, name in names.items()} | {"C4, not augmented": plain}
    panels, rows = [], []
    for k, title in enumerate(("spins", "off the manifold: normal numbers")):
        drawn = tuple(deviation_line(g, i, a, k, scale) for i, (g, a) in enumerate(every.items()))
        label = "orbit deviation / spread of energies" if k == 0 else ""
        panels.append(plots.Panel(title, "members M", label, drawn, "xy", ticks=(1, 4, 16, 64, 256, 1024)))
    for group, arrays in every.items():
        rows += [row_of(f"{group}, {what}", arrays, k) for k, what in enumerate(("spins", "normal numbers"))]
    widths = [get(f"ising-c4-w{w}-measured") for w in config.ising_widths[:-1]] + [every["C4"]]
    ratio = np.array([[a["found"][k][0] / a["law"][k][1] for k in (0, 1)] for a in widths])
    error = np.array([[a["found"][k][1] / a["law"][k][1] for k in (0, 1)] for a in widths])
    sweep = tuple(
        (
            f"{w}",
            *(f"{100 * (r[k] - 1):+.1f} ± {100 * e[k]:.1f} %" for k in (0, 1)),
            *(f"{w * (r[k] - 1):+.1f} ± {w * e[k]:.1f}" for k in (0, 1)),
        )
        for w, r, e in zip(config.ising_widths, ratio, error, strict=True)
    )
    coverage = tuple(
        (
            str(w),
            f"{100 * confidence:.0f} %",
            *(f"{100 * mean:.1f} ± {100 * e:.1f} %" for mean, e in a["coverage"][i]),
        )
        for w, a in zip(config.ising_widths, widths, strict=True)
        for i, confidence in enumerate(ising.CONFIDENCES)
    )
    errors = tuple(
        (group, *(f"{100 * e:.0f} %" for e in arrays["error"]), f"{2 ** (len(arrays['square'][0]) - 1)}")
        for group, arrays in every.items()
    )
    drawing = Drawing(
        "ising-members",
        plots.lines(plots.Lines("Ising energies: deviation from invariance against members", tuple(panels))),
        f"Networks of width {wide}. Dashed: predicted by the kernel, before any network was trained. Shaded: where "
        "95 % of such measurements lie if members are independent. Without augmentation more members do not help.",
    )
    text = (
        f"Networks of one hidden ReLU layer learn the energy per spin of {config.ising_train} configurations of 4 x 4 "
        f"spins on a torus and of all their images under one group, by {config.ising_steps} full-batch steps on half "
        f"the mean square; the learning rate is {config.rate:g} of the largest stable one. The infinite ensemble after "
        "as many steps of the same rate is the kernel's prediction: nothing is fitted. Deviation from invariance "
        f"{ANY}, in units of the standard deviation of energies. Off the manifold spins are replaced by independent "
        "normal numbers.",
        ABOUT,
    )
    return Section(
        "Ising energies",
        text,
        (drawing,),
        (
            Table(f"Deviation from invariance at width {wide}, in units of energy per spin", HEAD, tuple(rows)),
            Table(
                "Variance of the deviation of one network under C4 against the kernel's, and times the width",
                ("width", "spins", "normal numbers", "width x, spins", "width x, normal numbers"),
                sweep,
            ),
            Table(
                f"Gaps f(gx) - f(x) of ensembles of {ising.COVERED} under C4 inside what was allowed from the kernel's "
                "variance, at the stated confidence",
                ("width", "stated", "exact, Gaussian", "Lemma B.4", "Chebyshev"),
                coverage,
            ),
            Table(
                "Error of the energy of new spins, of its spread",
                ("trained on orbits of", "one network", "all", "members"),
                errors,
            ),
        ),
    )


def cross_section(config: Emergent, get: Get) -> Section:
    """Finite groups of rotations, seen under their own elements and under random ones."""
    every = {group: get(f"cross-{group.lower()}-measured") for group in cross.GROUPS}
    plain = get("cross-c1-measured")
    scale = float(plain["scale"])
    orders = {"T": 12, "O": 24, "I": 60}
    names = {group: f"{group}, {orders[group]} rotations" for group in cross.GROUPS}
    own = tuple(deviation_line(names[g], i, a, 0, scale) for i, (g, a) in enumerate(every.items()))
    haar = tuple(deviation_line(names[g], i, a, 1, scale) for i, (g, a) in enumerate(every.items()))
    haar += (deviation_line("not augmented", 4, plain, 0, scale),)
    ticks = (1.0, 4.0, 16.0, 64.0, 256.0, 1024.0)
    panels = (
        plots.Panel(
            "under the group trained on", "members M", "deviation / length of products", own, "xy", ticks=ticks
        ),
        plots.Panel("under random rotations", "members M", "", haar, "xy", ticks=ticks),
    )
    rows = [row_of(f"{names[g]}, own", a, 0) for g, a in every.items()]
    rows += [row_of(f"{names[g]}, random", a, 1) for g, a in every.items()]
    rows.append(row_of("not augmented, random", plain, 0))
    errors = tuple(
        (names.get(g, "not augmented"), *(f"{100 * e:.0f} %" for e in a["error"]))
        for g, a in (*every.items(), ("", plain))
    )
    text = (
        f"Networks of one hidden ReLU layer of width {config.cross_width} learn the cross product of "
        f"{config.cross_train} pairs of unit vectors, turned by all elements of a finite group of rotations, as "
        f"before ({config.cross_steps} steps). Outputs turn with the inputs, so they are turned back first; "
        f"deviation from equivariance {ANY}, over {config.cross_rotations} elements of the group (the first of them), "
        "or as many random rotations of space, in units of the root mean square length of products.",
        "Under the group that they were trained on, ensembles become equivariant as the root of their number. Under "
        "other rotations of SO(3) the infinite ensemble keeps a deviation, which the kernel foretells and which falls "
        "with the order of the group.",
    )
    drawing = Drawing(
        "cross-members",
        plots.lines(plots.Lines("Cross products: deviation from SO(3) equivariance against members", panels)),
        "Dashed: predicted by the kernel, with the floor that infinitely many members keep under random rotations. "
        "Shaded: where 95 % of such measurements lie if members are independent.",
    )
    return Section(
        "Cross product",
        text,
        (drawing,),
        (
            Table("Deviation from equivariance, in units of the outputs", HEAD, tuple(rows)),
            Table("Error of new products, of their length", ("trained on orbits of", "one network", "all"), errors),
        ),
    )


def summary(config: Emergent, get: Get) -> str:
    """The numbers of these sections in one sentence."""
    arrays = [get(f"ising-{ising.file_name(group)}-measured") for group in ising.GROUPS]
    arrays += [get(f"cross-{group.lower()}-measured") for group in cross.GROUPS]
    inside, of = 0, 0
    slopes = []
    for i, a in enumerate(arrays):
        for row in (0, 1) if i < len(ising.GROUPS) else (0,):
            good, count = within(a, row)
            inside, of = inside + good, of + count
            slopes.append(a["slope"][row][0])
    members = 2 ** (len(measures.sizes(config.ising_members)) - 1)
    return (
        f"Deviations of ensembles of 1 to {members} members fall as M to the power {min(slopes):.2f} to "
        f"{max(slopes):.2f} (theory -0.5; {inside} of {of} sizes inside the 95 % band of independent members)"
    )

"""The sections on images: quarter turns and what the same cost buys, and rotations by any angle."""

import numpy as np

from .... import plots
from ...piece import Arrays, Get
from ..study import Drawing, Section, Table
from . import fashion, measures, turns
from .config import Emergent

INPUTS = {"fashion": "test images", "digits": "digits", "noise": "noise"}
ARMS = (
    ("fashion-augmented", "accuracy", "augmented ensemble", 0),
    ("fashion-augmented", "averaged", "averaged at test time", 2),
    ("fashion-canonical", "accuracy", "canonicalised", 3),
    ("fashion-twin", "accuracy", "group convolutions", 1),
    ("fashion-plain", "accuracy", "not augmented", 4),
)


def number(value: np.ndarray, digits: int = 2, scale: float = 1.0) -> str:
    """Value and interval."""
    mean, low, high = scale * np.asarray(value)
    return f"{mean:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def same_line(label: str, look: int, x: np.ndarray, values: np.ndarray, foretold: tuple | None = None) -> plots.Line:
    """A line of counts with intervals, (points, 3), and the kernel's beside it."""
    return plots.Line(label, look, x, values[:, 0], values[:, 1], values[:, 2], foretold=foretold)


def fashion_section(config: Emergent, get: Get) -> Section:
    """Orbit-same-prediction against members and epochs, and the baselines at equal cost."""
    measured, plain, known = (get(f"fashion-{n}") for n in ("augmented-measured", "plain-measured", "foretold"))
    sizes = measures.sizes(config.fashion_members[0])
    counts = np.array(sizes)
    many = np.array(measures.sizes(config.fashion_members[1]))
    far = 2 ** np.arange(known["same"].shape[-1])
    against_members, against_epochs = [], []
    epochs = np.array(fashion.moments(config))
    shown = [m for m in (1, 8, 64) if m <= counts[-1]]
    for k, title in enumerate(INPUTS.values()):
        label = "orbit-same-prediction, of 4" if k == 0 else ""
        pair = (
            same_line("augmented", 0, counts, measured["same"][-1, k], (far, known["same"][-1, k])),
            same_line("not augmented", 4, many, plain["same"][-1, k]),
        )
        against_members.append(
            plots.Panel(title, "members M", label, pair, "x", (1, 4.1), 4, tuple(map(float, (1, 4, 16, 64, 256))))
        )
        curves = tuple(
            same_line(
                f"M = {m}",
                look,
                epochs,
                measured["same"][:, k, sizes.index(m)],
                (epochs, known["same"][:, k, sizes.index(m)]),
            )
            for look, m in zip((3, 5, 0), shown, strict=False)
        )
        against_epochs.append(plots.Panel(title, "epochs", label, curves, "x", (1, 4.1), 4, tuple(map(float, epochs))))
    gap = np.abs(measured["same"][-1, :, :, 0] - known["same"][-1, :, : len(counts)])
    image = f"{config.fashion_side} x {config.fashion_side}"
    text = (
        f"Convolutional networks of {config.fashion_channels} channels (windows 4 x 4 with strides 2 and 3 x 3, ReLU, "
        f"a linear readout of all sites; no symmetry in them) learn {config.fashion_train} training images, averaged "
        f"to {image} pixels, with all their quarter turns: full-batch descent on half the mean square of one-hot "
        f"labels less 1/10, {config.fashion_steps} epochs of one step, at {config.rate:g} of the largest stable rate. "
        "Orbit-same-prediction counts the quarter turns of an input, itself included, whose predicted class is that of "
        "the input: 4 is invariant, and 1.3 is chance among ten classes.",
        f"Measured on {config.fashion_test} test images and, off the distribution, {config.fashion_off} digits "
        "enlarged to the same size and as many images of independent uniform pixels. Bars: 95 % by bootstrap over test "
        f"items and over disjoint ensembles (over items alone where there are fewer than {measures.BLOCKS}). The "
        "kernel's curve is the expected count for Gaussian outputs with the mean and 1/M times the covariance of the "
        "infinitely wide network after as many steps, by sampling; nothing is fitted. The largest difference is "
        f"{gap.max():.2f}, {gap.mean():.2f} on average: the networks have {config.fashion_channels} channels, the "
        "kernel's infinitely many.",
    )
    drawings = (
        Drawing(
            "fashion-members",
            plots.lines(plots.Lines("Fashion-MNIST: the same prediction on all quarter turns", tuple(against_members))),
            "Against the number of members, at the end of training. Dashed: predicted by the kernel.",
        ),
        Drawing(
            "fashion-epochs",
            plots.lines(plots.Lines("Fashion-MNIST: the same prediction while training", tuple(against_epochs))),
            "Against epochs, for ensembles of several sizes. Dashed: predicted by the kernel.",
        ),
        cost_drawing(config, get),
    )
    return Section("Fashion-MNIST under quarter turns", text, drawings, (cost_table(config, get),))


def cost_drawing(config: Emergent, get: Get) -> Drawing:
    """Accuracy and orbit-same-prediction against the operations of training."""
    accuracy, same = [], []
    for name, kind, label, look in ARMS:
        found = get(f"{name}-measured")
        cost = float(found["flops"]) * 2 ** np.arange(len(found[kind]))
        accuracy.append(same_line(label, look, cost, 100 * found[kind]))
        exact = np.full((len(cost), 3), 4.0)
        same.append(same_line(label, look, cost, exact if kind == "averaged" else found["same"][-1, 2]))
    single = [get(f"fashion-single-{c}-measured") for c in config.fashion_single]
    cost = np.array([float(get("fashion-augmented-measured")["flops"]), *(float(s["flops"]) for s in single)])
    first = get("fashion-augmented-measured")
    values = np.array([first["accuracy"][0], *(s["accuracy"][0] for s in single)])
    accuracy.append(same_line("one wider network", 5, cost, 100 * values))
    same.append(
        same_line(
            "one wider network", 5, cost, np.array([first["same"][-1, 2, 0], *(s["same"][-1, 2, 0] for s in single)])
        )
    )
    panels = (
        plots.Panel("test images in all orientations", "training cost, FLOP", "accuracy, %", tuple(accuracy)),
        plots.Panel("noise", "training cost, FLOP", "orbit-same-prediction, of 4", tuple(same), "x", (1, 4.1), 4),
    )
    return Drawing(
        "fashion-cost",
        plots.lines(plots.Lines("What the cost of training buys", panels, share=False, theory="")),
        "Cost: three forward passes (as the compiler counts their operations) for each training image and epoch, for "
        "all members. Averaging at test time costs four forward passes for each prediction, and no training.",
    )


def cost_table(config: Emergent, get: Get) -> Table:
    """All arms at the cost of training some augmented members."""
    unit = float(get("fashion-augmented-measured")["flops"])
    budget = max(m for m in (1, 4, 16) if m <= config.fashion_members[0])
    rows = []
    singles = [(f"fashion-single-{c}", "accuracy", f"one network of {c} channels", 0) for c in config.fashion_single]
    one = (("fashion-augmented", "accuracy", f"one network of {config.fashion_channels} channels", 0),)
    for name, kind, label, _ in (*one, *singles, *ARMS):
        found = get(f"{name}-measured")
        cost = float(found["flops"])
        each = 1 if "one network" in label else budget * unit / cost
        j = min(max(int(np.floor(np.log2(each) + 0.3)), 0), len(found[kind]) - 1)
        same = found["same"][-1, :, j]
        exact = kind == "averaged"
        rows.append(
            (
                label,
                str(2**j),
                f"{2**j * cost / unit:.2f}",
                str(2**j * (4 if exact else 1)),
                number(100 * found[kind][j], 1),
                *("4, exact" if exact or row[1] == 4 else number(row) for row in same),
            )
        )
    return Table(
        f"Baselines at about the cost of training {budget} augmented networks",
        (
            "arm",
            "members",
            "training cost, in augmented networks",
            "forward passes for a prediction",
            "accuracy in all orientations, %",
            *(f"same prediction: {title}" for title in INPUTS.values()),
        ),
        tuple(rows),
    )


def turn_panels(
    config: Emergent, found: dict[int, Arrays], names: dict[int, str], counts: np.ndarray
) -> tuple[plots.Panel, plots.Panel]:
    """The same prediction against members, and how far outputs change with the angle."""
    degrees = 360 * np.arange(config.turn_angles) / config.turn_angles
    half = degrees <= 180
    looks = dict(zip(found, (4, 0, 1, 2) if 1 in found else (0, 1, 2, 3), strict=False))
    same = tuple(
        plots.Line(
            names[k],
            looks[k],
            counts,
            100 * a["same"][:, 0],
            100 * a["same"][:, 1],
            100 * a["same"][:, 2],
            foretold=(counts, 100 * a["foretold"]),
        )
        for k, a in found.items()
    )
    change = tuple(
        plots.Line(
            names[k], looks[k], degrees[half], a["change"][0][half], foretold=(degrees[half], a["change"][1][half])
        )
        for k, a in found.items()
    )
    ticks = tuple(float(c) for c in counts if np.log2(c) % 2 == 0)
    return (
        plots.Panel("over all angles", "members M", "same prediction, % of angles", same, "x", (0, 103), 100, ticks),
        plots.Panel(
            f"{config.turn_members} members",
            "angle, degrees",
            "rms change of the outputs",
            change,
            "",
            None,
            None,
            (0.0, 45.0, 90.0, 135.0, 180.0),
        ),
    )


def turns_section(config: Emergent, get: Get) -> Section:
    """Orders of groups against all angles, and the bound."""
    found = {k: get(f"turn-c{k}-measured") for k in config.turn_orders}
    names = {k: "not augmented" if k == 1 else f"C{k}" for k in found}
    counts = np.array(measures.sizes(config.turn_members))
    limits = tuple(
        (
            names[k],
            number(a["same"][-1], 1, 100),
            f"{100 * a['foretold'][-1]:.1f}",
            f"{100 * float(a['limit']):.1f}",
            f"{np.sqrt((a['change'][2] ** 2).mean()):.3f}",
        )
        for k, a in found.items()
    )
    values, least = get("turn-bound")["values"], float(get("turn-bound")["least"])
    bounds = tuple(
        (f"C{k}", f"{radius:.3f}", f"{change:.2g}", f"{allowed:.3g}")
        for k, (radius, change, allowed) in zip(turns.ORDERS, values, strict=True)
    )
    *most, last = [f"{360 / k:g}" for k in found if k > 1]
    steps = f"{', '.join(most)} or {last}" if most else last
    text = (
        f"Networks of one hidden Erf layer of width {config.turn_width} learn {config.turn_train} images turned by the "
        f"multiples of {steps} degrees, and are then looked at under all multiples of "
        f"{360 / config.turn_angles:g} degrees. Images are turned about their centre with bilinear interpolation and "
        "zeros outside. By quarter turns this is exact; by others it smooths, loses corners, and is neither orthogonal "
        "nor a group action, so the theorem does not promise invariance under other turns even for infinitely many "
        "members. The kernel foretells what happens all the same.",
        "The lemma for continuous groups needs an orthogonal action. Angular harmonics of the images on circles, up to "
        f"frequency {turns.FREQUENCIES}, are turned exactly: there the change of the infinite ensemble's mean under "
        "SO(2), after training on full orbits of C_k, is compared with its bound, at infinite width. The bound holds "
        f"for each image and output; it is at least {least:.3g} times the largest change found.",
    )
    drawing = Drawing(
        "turns",
        plots.lines(
            plots.Lines("From finite groups to all rotations", turn_panels(config, found, names, counts), share=False)
        ),
        "Left: share of angles at which the prediction is that of the image itself. Right: root mean square change of "
        "the outputs over test images. Dashed: predicted by the kernel for so many members.",
    )
    return Section(
        "From finite groups to SO(2)",
        text,
        (drawing,),
        (
            Table(
                f"Same prediction over all angles, % ({counts[-1]} members)",
                ("trained on orbits of", "measured", "kernel", "kernel, M = infinity", "rms change, M = infinity"),
                limits,
            ),
            Table(
                "Change of the mean under SO(2) and its bound, on angular harmonics; root mean square over images and "
                "outputs of the largest over all angles",
                ("trained on orbits of", "covering radius", "change", "bound"),
                bounds,
            ),
        ),
    )


def summary(config: Emergent, get: Get) -> str:
    """The numbers of these sections in one sentence."""
    found, known = get("fashion-augmented-measured")["same"][-1], get("fashion-foretold")["same"][-1]
    counts = measures.sizes(config.fashion_members[0])
    last = len(counts) - 1
    return (
        f"on Fashion-MNIST the count of quarter turns with the same prediction rises from {found[0, 0, 0]:.2f} (one "
        f"network) to {number(found[0, last])} ({counts[last]} members; kernel {known[0, last]:.2f}), and on noise "
        f"from {found[2, 0, 0]:.2f} to {number(found[2, last])} (kernel {known[2, last]:.2f})"
    )

"""The page of the benchmark of equivariant kernels."""

import numpy as np

from ...data import has_qm9
from ..piece import Get
from .kernel_benchmark_checks import EXAMPLES, RIDGE
from .kernel_benchmark_config import KernelBenchmark
from .kernel_benchmark_figures import factors, image_curves, molecule_curves, orbits
from .kernel_benchmark_images import ARMS, CASES, GROUPS, KERNELS
from .kernel_benchmark_qm9 import TARGETS
from .kernel_benchmark_tables import NAMES, Line, image_lines, molecule_lines
from .study import Drawing, Page, Section, Table

HEAD = ("data", "group", "kernel", "orientation", "n", "plain", "equivariant", "factor, 95 % interval")
ORIENTED = {"random": "random", "own": "as in the data"}


def page(config: KernelBenchmark, get: Get) -> Page:
    """All sections, from finished pieces."""
    molecules = bool(config.molecule_pool) and has_qm9()
    images = image_lines(config, get)
    lines = images + (molecule_lines(config, get) if molecules else [])
    sections = [method(config), images_section(config, get, images)]
    sections += [molecules_section(config, get, lines[len(images) :])] if molecules else [missing(config)]
    sections.append(factor_section(lines))
    sections.append(equality(config, get, molecules))
    if molecules:
        sections.append(orbit_section(config, get))
    return Page(answer(config, get, lines), tuple(sections))


def answer(config: KernelBenchmark, get: Get, lines: list[Line]) -> str:
    """The factors of the NTK in random orientation, those on data as they are, and the equality."""

    def told(what: str, group: str, orientation: str = "random") -> str:
        (one,) = (
            line
            for line in lines
            if (line.what, line.group, line.kernel, line.orientation) == (what, group, "ntk", orientation)
        )
        return one.interval

    text = (
        f"In random orientation the plain NTK needs {told('convolutions', 'C4')} times (C4) and "
        f"{told('convolutions', 'D4')} times (D4) the images that the equivariant one needs on {config.images} "
        f"(convolutions), and {told('textures', 'D4')} times (D4) on isotropic textures"
    )
    if any(line.data == "qm9" for line in lines):
        text += (
            f"; on QM9 {told('energy', 'SO(3)')} times the molecules for energies under SO(3), {learned(config, get)}"
        )
    scratch = max(float(get(f"check-{case.name}")["apart"].max()) for case in CASES)
    apart = max(float(get(f"{case.name}-{kernel}-curves")["apart"].max()) for case in CASES for kernel in KERNELS)
    return (
        f"{text}. Augmented and equivariant predictions on images and textures differ by at most {apart:.0e} of the "
        f"largest, computed in two ways that share nothing by {scratch:.0e}. On {config.images} as they are, where the "
        "group is no symmetry of the data, the factor is "
        f"{told('convolutions', 'C4', 'own')}: there the equivariant kernel "
        f"{'costs' if below(lines) else 'does not cost'} examples."
    )


def learned(config: KernelBenchmark, get: Get) -> str:
    """What the plain kernel has learned of energies with the most molecules."""
    losses = get("qm9-curves")
    plain = float(losses[f"energy/ntk/{ARMS[2]}"][:, -1].mean()) / float(losses["energy/spread"])
    return f"where the plain one is at {plain:.2f} times the error of no learning"


def below(lines: list[Line]) -> bool:
    """Whether the interval on images as they are lies below 1."""
    (one,) = (
        line
        for line in lines
        if (line.what, line.group, line.kernel, line.orientation) == ("convolutions", "C4", "ntk", "own")
    )
    return one.high < 1


def method(config: KernelBenchmark) -> Section:
    """How errors and factors are measured."""
    ridges = ", ".join(f"{r:g}" for r in config.ridges)
    return Section(
        "How it is measured",
        (
            "Each predictor is kernel regression at the end of training. Its ridge is the one of "
            f"{ridges} (times the mean diagonal of its kernel) with the least leave-one-out error on the training "
            "examples; augmented training has |G| times the ridge of the equivariant kernel, to which it is equal.",
            f"Training sets are {config.draws} random draws from a pool, each with the smaller sets inside the larger "
            "ones, and the same for all arms. Draws of the largest size share many examples; intervals are those of "
            "the draws and of the test examples (bootstrap over both), not of another pool.",
            "The factor is n / n': n is the largest training size, n' the size at which the equivariant kernel has the "
            "plain kernel's error at n, by linear interpolation of log error in log n (beyond its largest size with "
            "its mean slope, up to four times that size). “At least” (at the end of an interval: “or more”) says "
            "that the "
            "equivariant kernel is better with its smallest training set already.",
            "Orientation “as in the data”: training and test examples as they come. “Random”: each training and each "
            "test example in one orientation, drawn uniformly from the group. The equivariant kernel does not tell "
            "these apart. The dashed control is trained as in the data and tested in random orientation.",
        ),
    )


def images_section(config: KernelBenchmark, get: Get, lines: list[Line]) -> Section:
    """Learning curves of images and textures."""
    side = f"{config.image_side} x {config.image_side}" if config.image_side else "their own"
    text = (
        f"{config.images}, {side} pixels, {config.image_pool} images to draw from and {config.image_test} test images: "
        "a dense ReLU network with three hidden layers, and three convolutions with a flattened readout. Textures: "
        f"Gaussian random fields of {config.texture_side} x {config.texture_side} pixels with "
        f"{config.texture_classes} radial spectra ({config.texture_pool} to draw from, {config.texture_test} tests), "
        "and two circular convolutions with a global average.",
        "The textures stand in for histological slices, which no package holds. Their law is invariant under the eight "
        "symmetries of the periodic grid and under translations, exactly, so all orientations are alike and the two "
        "columns differ by chance only.",
    )
    caption = (
        "NTK. Orange squares inside blue diamonds: training on all |G| images of each example and the equivariant "
        "kernel give the same predictions. Bands: 95 %. Dashed: plain, trained as in the data."
    )
    drawing = Drawing("images", image_curves(config, get), caption)
    return Section("Images and textures", text, (drawing,), (table("Errors are shares of test examples.", lines),))


def table(caption: str, lines: list[Line]) -> Table:
    """One row for each line, errors and factor."""
    rows = tuple(
        (
            one.what,
            one.group,
            one.kernel.upper(),
            ORIENTED[one.orientation],
            str(one.n),
            f"{one.plain:.3g}",
            f"{one.equivariant:.3g}",
            one.interval,
        )
        for one in lines
    )
    return Table(caption, HEAD, rows)


def molecules_section(config: KernelBenchmark, get: Get, lines: list[Line]) -> Section:
    """QM9: what is learned, both audits, learning curves."""
    found, losses, checked = get("qm9-audit"), get("qm9-curves"), get("qm9-check")
    spread = "; ".join(f"{target} {float(losses[f'{target}/spread']):.3g} {unit}" for target, unit in TARGETS.items())
    own, random, axes = (found[name] for name in ("own", "random", "axes"))
    text = (
        f"{config.molecule_pool} molecules to draw from and {config.molecule_test} tests, from the files of the Python "
        "package qm9pack. Each heavy atom sees the density of the other atoms, a signal on the sphere with a channel "
        f"for each element and each of the powers r^-2 and r^-6, up to degree {config.lmax}. A network of the "
        "element's own, shared by all its atoms, gives a number, and the output is their sum: the kernel of two "
        "molecules is the sum over pairs of atoms of one element. Two hidden layers of erf, over SO(3) with "
        f"{config.order} as order of the quadrature, or the same dense network without rotations.",
        "Targets are energies at 0 K and isotropic polarisabilities less their linear fit in the numbers of atoms "
        "of each "
        f"element, which is fitted to the pool alone; without learning the mean absolute error is: {spread}.",
        f"Are the molecules aligned? Yes. The mean unit vector from the first to the second atom has length "
        f"{float(found['bond']):.3f}; {config.audited:,} random orientations have about "
        f"{float(found['bond_expected']):.3f}, and {float(found['bond_random']):.3f} is left after each molecule is "
        f"turned at random. The axes of the largest moment of inertia deviate from isotropy by "
        f"{float(found['axis']):.3f}, against {float(found['axis_expected']):.3f} at random and "
        f"{float(found['axis_random']):.3f} after turning. A kernel that knows orientations can use that: hence the "
        f"two "
        "columns.",
        f"Do the polarisability tensors stand in the frame of the atoms? No. {len(own):,} of these molecules have a "
        "reflection or a half turn about a principal axis, under which their tensor must not change. As published, its "
        f"traceless part changes by {np.median(own):.2g} of its size in the median (up to {own.max():.2g}); tensors in "
        f"random frames would by {np.median(random):.2g}; with the tensor's axes put along the principal axes of the "
        f"molecule it changes by {np.median(axes):.1g} (up to {axes.max():.1g}). So the tensors were written in the "
        "standard orientation of the program that computed them, with unknown signs of its axes; they are no labels "
        "for these positions. No equivariant target is learned here, and of the tensors the trace alone is used.",
        beginning(config, losses),
        f"Turning molecules changes the SO(3) kernel by {checked['moved'][1]:.0e} of its largest entry (NTK, single "
        "precision and quadrature).",
    )
    caption = "NTK. Augmented: all 60 rotations of the icosahedron, as the averaged kernel. Bands: 95 %."
    drawing = Drawing("molecules", molecule_curves(config, get), caption)
    return Section("QM9", text, (drawing,), (table("Errors in meV (energy) and bohr^3 (polarisability).", lines),))


def beginning(config: KernelBenchmark, losses: dict[str, np.ndarray]) -> str:
    """How much the plain kernel learns at all, and how far 60 rotations are from all."""
    spread, n = float(losses["energy/spread"]), config.molecule_sizes[-1]
    plain, sixty, invariant = (float(losses[f"energy/ntk/{ARMS[k]}"][:, -1].mean()) for k in (2, 3, 4))
    return (
        f"With {n} molecules in random orientation, the plain kernel (NTK, energies) has {plain / spread:.2f} times "
        f"the "
        f"error of no learning, the SO(3) kernel {invariant / spread:.2f}. Where the first is near 1, the factor "
        f"below says "
        "only when the equivariant kernel begins to learn, and is less than what the symmetry is worth. Sixty "
        "rotations "
        f"are not all of SO(3): augmentation by them comes to {sixty:.0f} meV, the SO(3) kernel to {invariant:.0f} meV."
    )


def missing(config: KernelBenchmark) -> Section:
    """Why there is no QM9 on this page."""
    why = "its pool is empty" if not config.molecule_pool else "the package qm9pack is not installed here"
    return Section(
        "QM9",
        (
            f"Left out, as {why}. `pip install equitangents[qm9]` installs the data (104 MB); give the same command "
            f"again.",
        ),
    )


def factor_section(lines: list[Line]) -> Section:
    """All factors in one figure."""
    caption = (
        "NTK, at the largest training size, 95 % intervals. Blue: random orientation. Grey: as in the data. Arrows: "
        "lower bounds, and intervals without an upper end."
    )
    return Section("What the symmetry saves", (), (Drawing("factors", factors(lines), caption),))


def equality(config: KernelBenchmark, get: Get, molecules: bool) -> Section:
    """How far augmented predictions are from equivariant ones."""
    rows = []
    for case in CASES:
        checked = get(f"check-{case.name}")
        for k, kernel in enumerate(KERNELS):
            apart = get(f"{case.name}-{kernel}-curves")["apart"].max(1)
            cells = [f"{apart[j]:.0e}" for j in range(len(GROUPS))]
            more = [f"{checked[name][k]:.1e}" for name in ("apart", "twin", "plain")]
            rows.append((NAMES[case.name], kernel.upper(), *cells, *more))
    head = ("data", "kernel", "C4, all draws", "D4, all draws", "D4, from scratch", "kernels", "plain instead")
    text = [
        "Largest differences of augmented from equivariant predictions on moved tests, relative to the largest "
        "prediction. Over all draws both are solved in float64 from one table of kernels (of textures in single "
        f"precision), for |G| n up to {config.explicit}. “From scratch”, on {EXAMPLES} examples with a ridge of "
        f"{RIDGE:g} and float64 throughout: the augmented images on one side, on the other the kernel of the "
        "group-convolutional network itself; the two have nothing in common. “Kernels”: that network's kernel from the "
        "mean over images. “Plain instead”: the plain predictor from the equivariant one, for comparison.",
    ]
    if molecules:
        checked = get("qm9-check")
        text.append(
            "QM9, NNGP and NTK: training on all 12 rotations of the tetrahedron differs from the averaged kernel by "
            f"{checked['apart'][0]:.0e} and {checked['apart'][1]:.0e}; the kernel averaged over the 60 rotations of "
            f"the "
            f"icosahedron deviates from that of SO(3) by {checked['sixty'][0]:.0e} and {checked['sixty'][1]:.0e} of "
            f"the "
            "spread of its entries."
        )
    return Section("Augmented is equivariant", tuple(text), (), (Table("Relative differences", head, tuple(rows)),))


def orbit_section(config: KernelBenchmark, get: Get) -> Section:
    """Augmentation by some rotations of each molecule."""
    text = (
        f"The plain kernel trained on r random rotations of each of {config.orbit_size} molecules, for "
        f"{config.orbit_draws} draws of molecules and rotations; NTK, energies. With r the predictions approach those "
        "of the SO(3) kernel. Green: all rotations of the tetrahedron, the octahedron and the icosahedron (T, O, "
        "I). Their "
        "means are those of SO(3) for low degrees, but functions of degree 3, 4 and 6 pass as invariant under them, "
        f"and the densities have degrees up to {config.lmax} before the nonlinearities.",
    )
    caption = "Bars: two standard errors over draws."
    return Section("Several rotations of each molecule", text, (Drawing("orbits", orbits(config, get), caption),))

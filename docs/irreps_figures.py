"""How fast is each irreducible representation learned? Predicted by the kernel, measured on finite networks.

python docs/irreps_figures.py [FOLDER] [--width 1024] [--members 192]

Is a handwritten digit even or odd? Ten digits, one of each class, under rotations and flips (D4): a network of one
hidden layer trained on the digits alone, on all 80 images, and its group-convolutional twin. The loss on all 80 images
is split into A1, A2, B1, B2 and E; speeds are measured at twice the width, too. Writes two figures and prints tables.
About five minutes on two free cores.
"""

import argparse
from pathlib import Path

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np

from equitangents.data import load
from equitangents.dynamics import GradientFlow, ensemble
from equitangents.equivariant import ActionLift, GroupPool
from equitangents.groups import image_action, irreps, point_group
from equitangents.nets import Dense, Erf, Flatten, Serial
from equitangents.plots import loss_by_irrep, save, spectrum_by_irrep
from equitangents.plots.irreps import Arm, Decomposed, Spectra
from equitangents.symmetry import (
    augment,
    expected_irrep_power,
    irrep_loss,
    irrep_power,
    irrep_spectrum,
    irrep_speed,
    measured_speeds,
    orbit_covariance,
)

D4 = point_group("D4")
TURN = image_action(D4)
NAMES = [irrep.name for irrep in irreps(D4, "real")]
SCALES = {"sigma_w": 1.5, "sigma_b": 0.1}
RATE, STEPS = 0.2, (0, 1, 2, 4, 7, 12, 20, 35, 60, 100, 175, 300, 500)
RANKS, PIECE = 5, 32  # eigenfunctions of each representation whose speed is measured; networks trained in one call


def plain(width):
    return Serial(Flatten(), Dense(width, **SCALES), Erf(), Dense(1))


def equivariant(width):
    return Serial(ActionLift(TURN, width, **SCALES), Erf(), GroupPool(), Dense(1))


def digits():
    """(10, 8, 8, 1), scaled to mean 0 and variance 1 over the whole data set, and +1 or -1 (10, 1) for even and odd."""
    data = load("digits")
    first = [int(np.flatnonzero(data.y == c)[0]) for c in range(10)]
    parity = jnp.where(jnp.arange(10) % 2 == 0, 1.0, -1.0)
    return jnp.asarray((data.x[first] - data.x.mean()) / data.x.std()), parity[:, None]


def trained(arm, width, members, x, y):
    """Outputs on all images at `STEPS` of networks of one arm, shape (members, times, 8, 10, 1)."""
    x, y = x.astype(jnp.float32), y.astype(jnp.float32)
    images, labels = augment(x, y, TURN)
    net = equivariant(width) if arm == "equivariant" else plain(width)
    data = (images, labels) if arm == "augmented" else (x, y)
    options = {"loss": "mean", "learning_rate": RATE, "steps": STEPS[-1], "record": STEPS, "x_record": images}
    found = ensemble(net, data, members=members, key=jr.key(width), **options).outputs
    return np.asarray(found).reshape(len(members), len(STEPS), D4.order, *y.shape)


def losses(residuals):
    """In each representation, per image: (members, times, irreps)."""
    power = jax.vmap(jax.vmap(lambda r: irrep_power(r, D4)))(jnp.asarray(residuals, float))
    return np.asarray(power) / (2 * residuals.shape[2] * residuals.shape[3])


def predicted_plain(x, y, steps, noise=1.0):
    """The same of infinitely wide networks trained on the digits alone, (steps, irreps); noise=0: of their mean."""
    descent = GradientFlow(plain(1), x, y, loss="mean").descent(RATE)
    images = augment(x, y, TURN)[0]
    mean = descent.mean(images, steps).reshape(len(steps), D4.order, *y.shape) - y
    covariance = orbit_covariance(lambda inputs: descent.covariance(inputs, t=steps), x, TURN)
    power = jax.vmap(lambda m, c: expected_irrep_power(m, c, D4))(mean, noise * covariance)
    return np.asarray(power) / (2 * D4.order * len(x))


def compare(title, line, measured):
    """An arm of the figure from losses (members, times, irreps) and a line over `fine()`."""
    root = len(measured) ** 0.5
    mean, share = measured.mean(0), measured / measured.sum(-1, keepdims=True)
    total = mean.sum(-1, keepdims=True)  # a share of the mean loss, not the mean of shares
    deviation = (measured - mean / total * measured.sum(-1, keepdims=True)) / total
    times = RATE * np.array(STEPS[1:])
    error, share = measured.std(0, ddof=1) / root, mean / total
    points = (array[1:] for array in (mean, error, share, deviation.std(0, ddof=1) / root))
    return Arm(title, RATE * fine(), line, times, *points)


def table_row(label, predicted, measured):
    mean, error = measured.mean(0), measured.std(0, ddof=1) / len(measured) ** 0.5
    cells = [f"{p:.4f} ({m:.4f} ± {e:.4f})" for p, m, e in zip(predicted, mean, error, strict=True)]
    return f"| {label} | " + " | ".join(cells) + " |"


def fine():
    return np.unique(np.geomspace(1, STEPS[-1], 60).astype(int))


def speeds(spectrum, residuals):
    """Speeds of the first eigenfunctions of each representation, each at the record nearest to its time constant."""
    n = spectrum.order * spectrum.examples
    at = [measured_speeds(spectrum, residuals[:, [0, i]], STEPS[i], loss="mean", learning_rate=RATE)
          for i in range(1, len(STEPS))]  # fmt: skip
    found = []
    for b, block in enumerate(spectrum.blocks):
        constants = n / (RATE * block.values[:RANKS])
        which = [int(np.argmin(np.abs(np.log(np.array(STEPS[1:]) / c)))) for c in constants]
        found.append(tuple(np.array([part[b][k] for k, part in enumerate(parts)])
                           for parts in ([at[i].value for i in which], [at[i].error for i in which])))  # fmt: skip
    return found


def main():
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", nargs="?", default="docs/figures", type=Path)
    parser.add_argument("--width", type=int, default=1024)
    parser.add_argument("--members", type=int, default=192)
    options = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    x, y = digits()
    labels = jnp.broadcast_to(y, (D4.order, *y.shape))
    steps = fine()

    def sample(arm, width):
        pieces = range(0, options.members, PIECE)
        found = [trained(arm, width, range(i, min(i + PIECE, options.members)), x, y) for i in pieces]
        return np.concatenate(found) - np.asarray(y)

    spectra = {"augmented": irrep_spectrum(plain(1), x, TURN), "equivariant": irrep_spectrum(equivariant(1), x, TURN)}
    lines = {
        arm: irrep_loss(spectrum, labels, steps, loss="mean", learning_rate=RATE) for arm, spectrum in spectra.items()
    } | {"plain": predicted_plain(x, y, steps)}
    starts = {
        arm: irrep_loss(spectrum, labels, jnp.array([0, STEPS[-1]]), loss="mean", learning_rate=RATE)
        for arm, spectrum in spectra.items()
    } | {"plain": predicted_plain(x, y, jnp.array([0, STEPS[-1]]))}
    arms, residuals = [], {}
    print(f"Loss per image in each representation, D4, width {options.width}, {options.members} networks\n")
    print("| arm, time | " + " | ".join(NAMES) + " |\n|" + " --- |" * (1 + len(NAMES)))
    for arm in ("plain", "augmented", "equivariant"):
        residuals[arm] = sample(arm, options.width)
        measured = losses(residuals[arm])
        arms.append(compare(arm, lines[arm], measured))
        for row, moment in zip(starts[arm], (0, -1), strict=True):
            print(table_row(f"{arm}, t = {RATE * STEPS[moment]:g}", row, measured[:, moment]))
    widths = {options.width: residuals["augmented"], 2 * options.width: sample("augmented", 2 * options.width)}
    last = losses(widths[2 * options.width])[:, -1]
    print(table_row(f"augmented, width {2 * options.width}, t = {RATE * STEPS[-1]:g}", starts["augmented"][-1], last))
    mean = predicted_plain(x, y, jnp.array([STEPS[-1]]), noise=0.0)[0]
    print("\nError of the mean over networks, plain, at the end:", ", ".join(f"{value:.4f}" for value in mean))

    spectrum = spectra["augmented"]
    n = spectrum.order * spectrum.examples
    initial = dict(zip(NAMES, irrep_speed(spectrum, labels, loss="mean"), strict=True))
    print("\nLearning speed at the start:", ", ".join(f"{name} {value:.4f}" for name, value in initial.items()))
    found = {width: speeds(spectrum, r) for width, r in widths.items()}
    ratios = []
    for width, parts in found.items():
        relative = [
            (v / b.values[:RANKS], e / b.values[:RANKS]) for (v, e), b in zip(parts, spectrum.blocks, strict=True)
        ]
        ratios.append((f"width {width}", relative))
    limit = [
        (2 * wide[0] - half[0], np.hypot(2 * wide[1], half[1]))
        for half, wide in zip(ratios[0][1], ratios[1][1], strict=True)
    ]
    ratios.append(("extrapolated", limit))
    print("\n| speed | eigenvalue | " + " | ".join(label for label, _ in ratios) + " | z |\n|" + " --- |" * 6)
    for i, block in enumerate(spectrum.blocks):
        for k in range(RANKS):
            cells = [f"{1e2 * (r[i][0][k] - 1):+.1f} ± {1e2 * r[i][1][k]:.1f} %" for _, r in ratios]
            z = (limit[i][0][k] - 1) / limit[i][1][k]
            print(f"| {block.irrep.name} {k + 1} | {block.values[k] / n:.5f} | " + " | ".join(cells) + f" | {z:+.1f} |")
    scores = np.concatenate([(value - 1) / error for value, error in limit])
    print(f"\nOf {len(scores)} speeds, extrapolated: rms z = {np.sqrt(np.mean(scores**2)):.2f}, "
          f"largest {np.abs(scores).max():.1f}")  # fmt: skip

    options.folder.mkdir(parents=True, exist_ok=True)
    title = "Loss in each representation of D4: predicted (lines), measured (points)"
    save(loss_by_irrep(Decomposed(title, NAMES, arms)), options.folder / "irreps-training")
    values = [block.values / n for block in spectrum.blocks]
    save(spectrum_by_irrep(Spectra("Learning speeds of the eigenfunctions", NAMES, values, ratios)),
         options.folder / "irreps-speeds")  # fmt: skip


if __name__ == "__main__":
    main()

"""Which part of the symmetry is learned first from Ising energies? Translations and rotations of a 4 x 4 torus (p4).

python docs/irreps_ising.py [--width 1024] [--members 64]

Five spin configurations and their energy per spin, all 64 images of each, a ReLU network of one hidden layer. Prints
for each irreducible representation its largest eigenvalue and its loss, predicted and measured. Half a minute.
"""

import argparse

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np

from equitangents.dynamics import ensemble
from equitangents.groups import image_action, p4
from equitangents.nets import Dense, Flatten, Relu, Serial
from equitangents.symmetry import augment, irrep_loss, irrep_power, irrep_spectrum

GROUP = p4(4)
ACT = image_action(GROUP)
RATE, STEPS = 0.3, (0, 10, 50, 200)


def net(width):
    return Serial(Flatten(), Dense(width, sigma_w=1.5, sigma_b=0.5), Relu(), Dense(1))


def configurations():
    """Spins (5, 4, 4, 1), from disordered to nearly ordered, and the energy of each spin (5, 1)."""
    up = np.array([0.5, 0.6, 0.7, 0.8, 0.9])[:, None, None, None]
    spins = np.where(np.random.default_rng(0).random((5, 4, 4, 1)) < up, 1.0, -1.0)
    bonds = spins * np.roll(spins, 1, axis=1) + spins * np.roll(spins, 1, axis=2)
    return jnp.asarray(spins), jnp.asarray(-bonds.mean((1, 2)))


def main():
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--width", type=int, default=1024)
    parser.add_argument("--members", type=int, default=64)
    options = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    x, y = configurations()
    images, labels = augment(x, y, ACT)
    spectrum = irrep_spectrum(net(1), x, ACT)
    on_orbits = jnp.broadcast_to(y, (GROUP.order, *y.shape))
    predicted = irrep_loss(spectrum, on_orbits, np.array(STEPS), loss="mean", learning_rate=RATE)
    found = ensemble(
        net(options.width),
        (images.astype(jnp.float32), labels.astype(jnp.float32)),
        members=options.members,
        key=jr.key(0),
        loss="mean",
        learning_rate=RATE,
        steps=STEPS[-1],
        record=STEPS,
    ).outputs
    residuals = jnp.asarray(found, float).reshape(-1, len(STEPS), *on_orbits.shape) - y
    losses = np.asarray(jax.vmap(jax.vmap(lambda r: irrep_power(r, GROUP)))(residuals)) / (2 * len(images))
    mean, error = losses.mean(0), losses.std(0, ddof=1) / options.members**0.5
    times = [f"t = {RATE * step:g}" for step in STEPS]
    print("| p4(4) | dimension | largest eigenvalue | " + " | ".join(times) + " |\n|" + " --- |" * (3 + len(STEPS)))
    for i, block in enumerate(spectrum.blocks):
        cells = [
            f"{p:.1e} ({m:.1e} ± {e:.0e})" for p, m, e in zip(predicted[:, i], mean[:, i], error[:, i], strict=True)
        ]
        name, largest = block.irrep.name, block.values[0] / len(images)
        print(f"| {name} | {block.irrep.dim} | {largest:.4f} | " + " | ".join(cells) + " |")
    z = (mean - predicted) / error
    print(f"\nOf {z.size} losses: rms z = {np.sqrt(np.mean(z**2)):.2f}, largest {np.abs(z).max():.1f}")


if __name__ == "__main__":
    main()

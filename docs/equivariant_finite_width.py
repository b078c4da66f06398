"""How do an equivariant and an augmented network differ in training at finite width? Prints a table, and a check.

python docs/equivariant_finite_width.py [--width 32] [--networks 4000]

Rotations by quarters, two training images and a new one of 3x3 pixels, two hidden layers of `sin`, whose means are
closed forms. The augmented network is dense and sees all turned copies; the equivariant one lifts, convolves over the
group and pools. At infinite width they are the same in the mean. What 1/width adds is expanded for both, and the mean
motion of the tangent kernel in one step of gradient descent is sampled: random networks of two widths, extrapolated.
"""

import argparse
import functools

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np

from equitangents.corrections import NEEDED, expand, gradient_flow_mean, gradient_step
from equitangents.equivariant import ActionLift, GroupPool, RegularConv
from equitangents.groups import image_action, point_group
from equitangents.nets import Dense, Flatten, Serial, Sin

C4 = point_group("C4")
TURN = image_action(C4)
ORDER, SIGMA, RATE = C4.order, 1.2, 0.2
TIMES = np.array([0.5, 1.0, 2.0])


def equivariant(n):
    first = ActionLift(TURN, n, sigma_w=SIGMA)
    return Serial(first, Sin(), RegularConv(C4, n, sigma_w=SIGMA), Sin(), GroupPool(), Dense(1))


def plain(n):
    return Serial(Flatten(), Dense(n, SIGMA), Sin(), Dense(n, SIGMA), Sin(), Dense(1))


def images():
    """(3, 3, 3, 1): two for training, with targets 1 and -1, and a new one."""
    return jr.normal(jr.key(0), (3, 3, 3, 1)), jnp.array([[1.0], [-1.0]])


def turned(x):
    """All copies of one image after the other, (4 n, ...)."""
    return jax.vmap(TURN.orbit)(x).reshape(-1, *x.shape[1:])


def blocks(array):
    """The mean over the copies of each image in the last two axes."""
    m = array.shape[-1] // ORDER
    return array.reshape(*array.shape[:-2], m, ORDER, m, ORDER).mean((-3, -1))


def predicted(n):
    """What the expansion says of both, about the new image."""
    x, y = images()
    one, many = expand(equivariant(n), x, NEEDED)[-1], expand(plain(n), turned(x), NEEDED)[-1]
    covariance = jnp.moveaxis(blocks(jnp.moveaxis(blocks(many.ntk_covariance()), (0, 1), (-2, -1))), (-2, -1), (0, 1))
    copies = jnp.repeat(y, ORDER, axis=0)
    flows = gradient_flow_mean(one, y, TIMES), gradient_flow_mean(many, copies, TIMES / ORDER)
    outputs = [(f.output[:, -1, 0], f.output_shift[:, -1, 0]) for f in flows]
    steps = gradient_step(one, y, RATE), gradient_step(many, copies, RATE / ORDER)
    motions = [steps[0].ntk_shift[0, 0], blocks(steps[1].ntk_shift[0, 0])]
    return {
        "kernel": (one.Theta[2, 2], blocks(many.Theta)[2, 2]),
        "shift of its mean, times n": (one.H1[2, 2], blocks(many.H1)[2, 2]),
        "deviation between networks, times sqrt(n)": tuple(
            jnp.sqrt(n * c[2, 2, 2, 2]) for c in (one.ntk_covariance(), covariance)
        ),
        "output": tuple(o for o, _ in outputs),
        "shift of the output, times n": tuple(s for _, s in outputs),
        "motion of the kernel in a step, times n": (motions[0][2, 2], motions[1][2, 2]),
    }


@functools.partial(jax.jit, static_argnums=(0, 1))
def motion(net, networks, key, x, y, rate):
    """Of the kernel of the new image with itself, averaged over its copies, for random networks: (networks,)."""

    def one(key):
        params = net.init(key, x.shape[1:])[1]
        output = jax.vmap(lambda p, x: net.apply(p, x)[0], (None, 0))
        slope = jax.grad(lambda p: jnp.sum((output(p, x)[: len(y)] - y[:, 0]) ** 2) / 2)(params)
        later = jax.tree.map(lambda p, s: p - rate * s, params, slope)

        def ntk(p):  # of the sum over copies
            total = jax.grad(lambda p: jnp.mean(output(p, x)[len(y) :]))(p)
            return sum(jnp.sum(t**2) for t in jax.tree.leaves(total))

        return ntk(later) - ntk(params)

    return jax.lax.map(one, jr.split(key, networks), batch_size=100)


def sampled(make, widths, networks, x, y, rate):
    """n times the mean motion, extrapolated linearly from two widths, with its standard error."""
    means, errors = [], []
    for i, n in enumerate(widths):
        draws = n * np.asarray(motion(make(n), networks, jr.key(i), x, y, rate))
        means.append(draws.mean())
        errors.append(draws.std() / len(draws) ** 0.5)
    return 2 * means[1] - means[0], float(np.hypot(2 * errors[1], errors[0]))


def main():
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--networks", type=int, default=20000)
    options = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    print(f"| C4, new image, n = {options.width} | equivariant | augmented |\n| --- | --- | --- |")
    found = predicted(options.width)
    for name, (one, many) in found.items():
        if np.ndim(one) == 0:
            print(f"| {name} | {one:.4f} | {many:.4f} |")
        else:
            for t, a, b in zip(TIMES, one, many, strict=True):
                print(f"| {name}, t = {t:g} | {a:.4f} | {b:.4f} |")
    x, y = images()
    cases = (equivariant, x, y, RATE), (plain, turned(x), jnp.repeat(y, ORDER, axis=0), RATE / ORDER)
    widths = options.width, 2 * options.width
    samples = [sampled(make, widths, options.networks, *given) for make, *given in cases]
    print("| the last, sampled | " + " | ".join(f"{mean:.4f} ± {error:.4f}" for mean, error in samples) + " |")


if __name__ == "__main__":
    main()

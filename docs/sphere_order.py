"""How fine the quadrature over SO(3) must be: python docs/sphere_order.py prints the numbers of sphere.md.

Largest error and median of both kernels over 400 pairs of different random signals of lmax = 4 and variance 1, against
order 20; of signals with themselves; and the tangent kernel of two hidden layers of erf at
degree 1 over its limit, with all pairs of nodes held and degrees cut as in finite networks.
"""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np

from equitangents import Dense, Erf, Relu, Serial, nngp_and_ntk, ntk
from equitangents.sphere import SO3, RotationConv, RotationLift, RotationPool

LMAX, REFERENCE = 4, 20


def signals(key, n: int, fall: float):
    """Variance 1 at each rotation; coefficients of degree l of variance (l + 1)^-fall."""
    degree = np.repeat(np.arange(LMAX + 1), 2 * np.arange(LMAX + 1) + 1)
    f = jr.normal(key, (n, degree.size, 1)) * jnp.asarray((degree + 1.0) ** (-fall / 2))[None, :, None]
    return f * jnp.sqrt(4 * np.pi / jnp.sum(f**2, axis=1, keepdims=True))


def kernels(order: int, phi, *x) -> np.ndarray:
    group = SO3(order)
    return np.stack(nngp_and_ntk(Serial(RotationLift(group, 1), phi, RotationPool(group), Dense(1)), *x))


def main() -> None:
    jax.config.update("jax_enable_x64", True)
    columns = [(phi, fall) for phi in (Relu(), Erf()) for fall in (0.0, 2.0)]
    data = {fall: [signals(key, 20, fall) for key in jr.split(jr.key(0))] for fall in (0.0, 2.0)}
    exact = [kernels(REFERENCE, phi, *data[fall]) for phi, fall in columns]
    print("| order | nodes | ReLU, equal | ReLU, falling | erf, equal | erf, falling |\n" + "| --- " * 6 + "|")
    for order in (6, 8, 10, 12):
        errors = [np.abs(kernels(order, *of[:1], *data[of[1]]) - k) for of, k in zip(columns, exact, strict=True)]
        cells = [f"{e.max():.0e}, {np.median(e):.0e}" for e in errors]
        print(f"| {order} | {SO3(order).size} | {' | '.join(cells)} |", flush=True)
    one = data[0.0][0][:1]
    for phi in (Relu(), Erf()):
        end = kernels(2 * REFERENCE, phi, one)
        print(f"with itself, {phi}:", *(f"{o}: {np.abs(kernels(o, phi, one) - end).max():.1e}" for o in (5, 10, 20)))
    f = 2 * jr.normal(jr.key(7), (2, 4, 1))[:1]

    def two(order: int, cap: float | None) -> float:
        group = SO3(order)
        hidden = [RotationLift(group, 1, cap), Erf(), RotationConv(group, 1, sigma_b=0.3), Erf()]
        return float(ntk(Serial(*hidden, RotationPool(group), Dense(1)), f)[0, 0])

    end = two(REFERENCE, None)
    print("two layers of erf as the nodes hold them:", *(f"{n}: {two(n, np.pi) / end - 1:.1%}" for n in (3, 4, 5)))


if __name__ == "__main__":
    main()

r"""Gradient flow at finite width: the mean output and the mean tangent kernel at any time, to order 1/n.

To this order the flow is closed (each index a neuron and a sample, $\varepsilon = z - y$ on the training samples),

$$\dot z_I = -\hat H_{Ia}\varepsilon_a, \quad \dot{\hat H}_{IJ} = -(d\hat H_{IJa} + d\hat H_{JIa})\varepsilon_a, \quad
  \dot{d\hat H}_{IJK} = -(dd\hat I_{IJKa} + dd\hat{II}_{JIaK} + dd\hat{II}_{KIaJ})\varepsilon_a,$$

with $dd\hat I, dd\hat{II}$ constant. Around $\varepsilon^0 = U(z(0) - y)$, $U = e^{-\Theta t}$, the mean at order 1/n
has four sources: the mean of the tangent kernel at the start, its variance, its motion by $d\hat H$, which is
correlated with z(0), and by the constant means of the second differentials.
"""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from numpy.typing import ArrayLike

from .first_step import TrainedMean, _shaped
from .legs import Legs, check_trained, training_indices, with_outputs
from .moments import Moments


class State(NamedTuple):
    r"""At one time; I over all, other indices over the training ones. $u = -U y$, $p = \int u$.

    Attributes:
        shift: n times the shift of the mean of $z_I$.
        u: $U_{ab}$.
        total: $P_{ab} = \int U_{ab}$.
        response: $L_{abc} = \int U_{ab}(t - s) u_c(s)\,ds$.
        w, x: $\int u_b p_c$ and $\int (U K P^T)_{bc}$.
        up, pu: $\int u_b P_{cj}$ and $\int U_{bj} p_c$.
    """

    shift: Array
    u: Array
    total: Array
    response: Array
    w: Array
    x: Array
    up: Array
    pu: Array


def gradient_flow_mean(found: Moments, y: Array, t: ArrayLike) -> TrainedMean:
    r"""Mean output and change of the mean tangent kernel under gradient flow on $\frac12 \sum (z - y)^2$.

    Args:
        found: `expand(net, x, NEEDED)[-1]`, x with the training inputs first, then any others.
        y: targets of the first inputs, shape (n, outputs).
        t: times at least 0 and finite, shape () or (times,), in units of 1 / learning rate.

    Raises:
        ImportError: without diffrax; `pip install 'equitangents[ode]'`.
        ValueError: tensors that are missing; targets of another shape; times that are negative or infinite.

    References:
        Huang and Yau (2019), arXiv:1909.08156 (the hierarchy, here cut after $dd\hat H$); Roberts, Yaida and Hanin
        (2022), arXiv:2106.10165, chapter infinity.
    """
    check_trained(found, y)
    samples, outputs = len(found.K), y.shape[-1]
    times = np.asarray(t, float)
    if times.ndim > 1 or not np.all(np.isfinite(times) & (times >= 0)):
        raise ValueError(f"expected finite times >= 0, shape () or (times,), got {t!r}.")
    legs, a = with_outputs(found, outputs), training_indices(outputs, samples, len(y))
    y_flat = y.T.reshape(-1).astype(legs.k.dtype)
    result = _shaped(found, outputs, *_integrated(legs, a, y_flat, jnp.asarray(np.atleast_1d(times)), _solver()))
    return (
        result
        if times.ndim
        else TrainedMean(result.output[0], result.output_shift[0], result.ntk_shift[0], found.width)
    )


@eqx.filter_jit
def _integrated(legs: Legs, a: Array, y: Array, times: Array, diffrax: Any) -> tuple[Array, Array, Array]:
    m, theta, k = len(a), legs.ntk[:, a], legs.k[a][:, a]
    bend = legs.dz + jnp.swapaxes(legs.dz, 0, 1)  # of both legs of the tangent kernel
    turn = _second_motion(legs)
    inner = (slice(None), a[:, None, None], a[None, :, None], a[None, None, :])
    hh, bend_in, turn_in = legs.hh[inner], bend[inner], turn[inner]

    def velocity(_: Array, s: State, __: Any) -> State:
        u, p = -s.u @ y, -s.total @ y
        kernel = jnp.einsum("iabj,bj,a->i", bend_in, s.total, u) + jnp.einsum("iabj,b,aj->i", bend_in, p, s.u)
        source = legs.ntk1[:, a] @ u - jnp.einsum("iabc,abc->i", hh, s.response) - kernel
        source += jnp.einsum("iabc,bc,a->i", turn_in, s.w + s.x, u)
        source += jnp.einsum("iabc,bcj,aj->i", turn_in, s.up + s.pu, s.u @ k)
        return State(
            -theta @ s.shift[a] - source,
            -theta[a] @ s.u,
            s.u,
            -jnp.einsum("ad,dbc->abc", theta[a], s.response) + jnp.eye(m)[:, :, None] * u[None, None],
            u[:, None] * p[None],
            s.u @ k @ s.total.T,
            u[:, None, None] * s.total[None],
            s.u[:, None, :] * p[None, :, None],
        )

    zero = jnp.zeros((m,) * 3, k.dtype)
    start = State(jnp.zeros(len(theta)), jnp.eye(m), zero[0], zero, zero[0], zero[0], zero, zero)
    order = jnp.argsort(times)
    found = diffrax.diffeqsolve(
        diffrax.ODETerm(velocity),
        diffrax.Tsit5(),
        jnp.zeros((), times.dtype),
        times[order[-1]],
        None,
        start,
        saveat=diffrax.SaveAt(ts=times[order]),
        stepsize_controller=diffrax.PIDController(rtol=1e-8, atol=1e-10),
        max_steps=100_000,
    )
    path: State = jax.tree.map(lambda leaf: leaf[jnp.argsort(order)], found.ys)
    output = jnp.einsum("ia,tab,b->ti", theta, path.total, y)
    ntk = jnp.einsum("ijab,tab->tij", turn[..., a][..., a, :], path.w + path.x)
    return output, path.shift, ntk - jnp.einsum("ijab,tab->tij", bend[..., a][..., a, :], path.total)


def _second_motion(legs: Legs) -> Array:
    r"""n times the mean of $\partial^2 \hat H_{IJ}$ along the flow of b and, earlier, of c: (I, J, b, c)."""
    star, path = legs.dd1, legs.dd2
    one = star + jnp.einsum("jicb->ijbc", path) + jnp.einsum("bicj->ijbc", path)
    return one + jnp.swapaxes(one, 0, 1)


def _solver() -> Any:
    try:
        import diffrax  # an extra, and slow to import
    except ImportError as error:
        raise ImportError("gradient_flow_mean needs diffrax: pip install 'equitangents[ode]'.") from error
    return diffrax

r"""A continuous group learned from a finite subgroup: how far the mean can be from invariant (Lemma 6.2).

The mean is $f_t(x) = \sum_i \Theta(x, x_i) c_i$. Under all rotations of the input the kernel of a dense network depends
on norms and one angle, $\Theta(x, x_i) = F(\theta) = \sum_n f_n \cos n\theta$, and every constant follows from the f_n.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ..dynamics.flow import GradientDescent, GradientFlow
from ..dynamics.regression import evaluate
from ..groups import Action
from ..nets import AbstractActivation
from .checks import check_action, check_batch
from .orbits import outputs_on_orbit

HARMONICS = (64, 256, 1024)
OVERSAMPLING = 16


class EquivarianceBound(NamedTuple):
    r"""Bounds on $|f_t(x) - f_t(\rho(g) x)|$ for every g of the continuous group, shape (m, *outputs) each.

    Attributes:
        bound: the smallest of the three.
        kernel: $\alpha\, C'(x)$, $C'(x) = \|x\| \sum_i \mathrm{Lip}(\Theta(\cdot, x_i)) |c_i|$.
        gradient: $\alpha\, C(x)$, the constant of the lemma at infinite width, all layers taken together:
            $C(x) = \sum_i \|x_i\| |c_i|\, \|\nabla_\theta f(x)\| \mathrm{Lip}_{x_i}(\nabla_\theta f)$.
        features: $\|f_t\|_\Theta \max \|\nabla_\theta f(\rho(g) x) - \nabla_\theta f(x)\|$.
    """

    bound: Array
    kernel: Array
    gradient: Array
    features: Array


def equivariance_bound(flow: Any, x: ArrayLike, t: ArrayLike, action: Action, radius: float | int) -> EquivarianceBound:
    r"""How far the mean of networks trained on full orbits of a subgroup A can be from invariant under G.

    For g in G there is h in A with $\|\rho(g) - \rho(h)\| \le \epsilon$, and $f_t(\rho(h) x) = f_t(x)$, so only the
    way from $\rho(h) x$ to $\rho(g) x$ counts: an arc of angle at most $\alpha = 2 \arcsin(\epsilon / 2)$ on the
    sphere through x. With $c = w_t(S) Y$ and gradients $\psi = \nabla_\theta f$, $\Theta = \psi \cdot \psi$:

    - `kernel`: $\alpha \sum_i |c_i| \max_\theta |F_i'(\theta)|$;
    - `gradient`: $\alpha \sum_i |c_i| \sqrt{\Theta(x, x)}\, (-F_{ii}''(0))^{1/2}$, by Cauchy and Schwarz, for
      $\Theta(\rho(g) x, x_i) = \Theta(x, \rho(g)^{-1} x_i)$;
    - `features`: $\sqrt{c^T \Theta c}\; (2 \sum_n f_n (1 - \cos \min(n \alpha, \pi)))^{1/2}$, f_n of x with itself.

    All are 0 at t = 0. They are loose: the error of smooth networks falls exponentially with the order of A, these as
    $\epsilon$.

    Assumes, and refuses otherwise: a kernel that is invariant under all rotations of the input, as of `Flatten` and
    dense layers; parameter gradients that are Lipschitz in x, so no nonlinearity with kinks in its slope, such as
    ReLU, whose tangent kernel is only 1/2-Hoelder at x = x'; training that made the mean invariant under A. The lemma
    is about means; ensembles add `ensemble_deviation_bound`. Not checked: that A is a subgroup of G and `radius`
    theirs, and that G acts orthogonally.

    Args:
        flow: a `GradientFlow`, or its descent, trained on full orbits of A; with a kernel function.
        x: test inputs, shape (m, *example), of at least two numbers each.
        t: one moment in [0, inf].
        action: of A on the inputs, orthogonal.
        radius: $\epsilon$ in [0, 2], `covering_radius` of A in G.

    Returns:
        Named tuple of shape (m, *outputs) each.

    Raises:
        ValueError: an assumption does not hold; the message names the layer where there is one.

    References:
        Gerken and Kessel (2024), arXiv:2403.03103, Lemma 6.2; `kernel` and `features` are stated here.
    """
    x = jnp.asarray(x)
    check_batch("x", check_action("action", action), x)
    if not isinstance(flow, GradientFlow | GradientDescent):
        raise TypeError(f"expected a GradientFlow or its descent; got {type(flow).__name__}.")
    if not 0 <= radius <= 2:
        raise ValueError(f"expected a covering radius of orthogonal matrices, from 0 to 2; got {radius}.")
    if jnp.ndim(t):
        raise ValueError(f"expected one moment t; got shape {jnp.shape(t)}; call for each.")
    if not action.is_orthogonal:
        raise ValueError(f"expected an orthogonal action; got {action}; the kernel is not invariant under others.")
    kernel, x_train = flow.regression.kernel, flow.regression.x_train
    if kernel is None or x_train is None:
        raise ValueError("expected a flow with a kernel function; got stored matrices only; give it the network.")
    check_lipschitz(kernel)
    _check_rotations(kernel, x)
    _check_learned(flow, x, t, action)
    c = np.asarray(flow.mean_from(jnp.eye(len(x_train), dtype=flow.regression.ntk.dtype), t))
    c = c.reshape(len(x_train), -1)
    bounds = _bounds(kernel, np.asarray(x), np.asarray(x_train), np.asarray(flow.regression.ntk), c, float(radius))
    shaped = [jnp.asarray(b.reshape(len(x), *flow.regression.y_train.shape[1:])) for b in bounds]
    return EquivarianceBound(jnp.minimum(jnp.minimum(*shaped[:2]), shaped[2]), *shaped)


def check_lipschitz(network: Any) -> None:
    """Raise where a nonlinearity of a network, or of a kernel made of one, has a jump in its value or its slope."""
    layers = jax.tree.leaves(network, is_leaf=lambda leaf: isinstance(leaf, AbstractActivation))
    for layer in layers:
        if not isinstance(layer, AbstractActivation):
            continue
        for kink in layer.kinks:
            step = 1e-6 * (1 + abs(kink))
            sides = jnp.array([kink - step, kink + step], float)
            value, slope = layer.phi(sides), jax.vmap(jax.grad(layer.phi))(sides)
            if abs(value[1] - value[0]) > 1e-3 or abs(slope[1] - slope[0]) > 1e-3:
                raise ValueError(
                    f"expected nonlinearities with a Lipschitz slope, as Lemma 6.2 assumes; got {layer!r}, whose slope "
                    f"jumps at {kink:g}; use Erf(), Tanh() or Gelu()."
                )


def _check_rotations(kernel: Any, x: Array) -> None:
    """A random orthogonal matrix of the flattened input shows whether the kernel knows its axes."""
    some = x[:4]
    d = some[0].size
    if d < 2:
        raise ValueError(f"expected inputs of at least two numbers, which rotations mix; got shape {x.shape}.")
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(d, d)))[0]
    turned = (some.reshape(len(some), -1) @ jnp.asarray(turn, x.dtype)).reshape(some.shape)
    plain, moved = (evaluate(kernel, points)[1] for points in (some, turned))
    error = float(jnp.max(jnp.abs(plain - moved)) / jnp.max(jnp.abs(plain)))
    if not error < float(jnp.finfo(x.dtype).eps) ** 0.4:
        raise ValueError(
            f"expected a kernel invariant under all rotations of its input, as of Flatten and dense layers; got one "
            f"that changes by {error:.2g} of itself; the bound needs that."
        )


def _check_learned(flow: Any, x: Array, t: ArrayLike, action: Action) -> None:
    outputs = outputs_on_orbit(lambda points: flow.mean(points, t), x, action)
    gap = float(jnp.max(jnp.abs(outputs - outputs[action.group.identity][None])))
    scale = float(jnp.max(jnp.abs(flow.regression.y_train)))
    if gap > float(jnp.finfo(x.dtype).eps) ** 0.4 * scale:
        raise ValueError(
            f"expected a mean that is invariant under {action.group}, as after training on full orbits; got one that "
            f"changes by {gap:.2g}; augment the training data with this action, or, where they "
            "are, use float64, a ridge or a finite t."
        )


def _bounds(
    kernel: Any, x: np.ndarray, x_train: np.ndarray, gram: np.ndarray, c: np.ndarray, radius: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Kernel, gradient and features, shape (m, outputs) each."""
    arc = 2 * np.arcsin(radius / 2)
    norms, which = np.unique(np.round(_norms(x_train), 12), return_inverse=True)
    share = np.zeros((len(norms), c.shape[1]))
    np.add.at(share, which.ravel(), np.abs(c))  # kernels of training inputs of one norm have one F

    def own(r: float) -> np.ndarray:
        return np.maximum(harmonics(kernel, r, np.array([r]), x.shape[1:])[:, 0], 0)

    curvatures = [(f := own(b)) @ np.arange(len(f)) ** 2.0 for b in norms]
    slopes = np.sqrt(curvatures) @ share
    size = np.sqrt(np.maximum(np.einsum("io,ij,jo->o", c, gram, c), 0))
    rows = []
    for r in _norms(x):
        steepest = arc * _largest_slope(harmonics(kernel, r, norms, x.shape[1:])) @ share
        f = own(r)
        moved = np.sqrt(2 * f @ (1 - np.cos(np.minimum(np.arange(len(f)) * arc, np.pi))))
        rows.append((steepest, arc * np.sqrt(f.sum()) * slopes, moved * size))
    return tuple(np.array(column) for column in zip(*rows, strict=True))  # type: ignore[return-value]


def harmonics(kernel: Any, r: float, norms: np.ndarray, shape: tuple[int, ...]) -> Float[np.ndarray, "n norms"]:
    r"""f_n with $\Theta(x, x') = \sum_n f_n \cos n\theta$ for inputs of norm r and `norms`, $\theta$ between them.

    Their number grows until those of the upper half carry less than 1e-6 of the slope, or 5e-4 in float32.
    """
    size = int(np.prod(shape))
    for count in HARMONICS:
        angles = np.pi * np.arange(count + 1) / count
        points, others = np.zeros((count + 1, size)), np.zeros((len(norms), size))
        points[:, 0], points[:, 1] = r * np.cos(angles), r * np.sin(angles)
        others[:, 0] = norms
        pair = (jnp.asarray(a.reshape(-1, *shape)) for a in (points, others))
        values = np.asarray(evaluate(kernel, *pair)[1])
        f = np.fft.rfft(np.concatenate([values, values[-2:0:-1]]), axis=0).real / count
        f[[0, -1]] /= 2
        slope = np.arange(count + 1)[:, None] * np.abs(f)
        allowed = max(1e-6, 4000 * float(np.finfo(values.dtype).eps))
        if (slope[count // 2 :].sum(0) <= allowed * slope.sum(0) + 1e-300).all():
            return f
    raise ValueError(
        f"expected a kernel that is smooth on the sphere, as Lemma 6.2 assumes; got one that needs more than "
        f"{HARMONICS[-1]} harmonics; use Erf(), Tanh() or Gelu(), in float64."
    )


def _largest_slope(f: np.ndarray) -> np.ndarray:
    """Largest derivative of each series; 16 points for each harmonic miss it by a factor cos(pi / 16) at most."""
    n = np.arange(len(f))
    padded = np.zeros((OVERSAMPLING * len(f), f.shape[1]))
    padded[: len(f)] = n[:, None] * f / 2
    slopes = 2 * np.fft.fft(padded, axis=0).imag  # -sum n f_n sin(n theta)
    return np.abs(slopes).max(0) / np.cos(np.pi / OVERSAMPLING)


def _norms(x: np.ndarray) -> np.ndarray:
    return np.linalg.norm(x.reshape(len(x), -1), axis=1)

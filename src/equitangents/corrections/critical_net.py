r"""A fully connected network at criticality, with rates for which every layer learns and depth does not matter."""

from collections.abc import Sequence

import jax.numpy as jnp
from jaxtyping import Array

from ..kernels import ntk
from ..nets import AbstractActivation, AbstractLayer, Dense, Serial
from .criticality import criticality


def critical_net(
    phi: AbstractActivation, widths: Sequence[int], *, lambda_w: float = 1.0, lambda_b: float = 1.0
) -> Serial:
    r"""Dense layers of these widths with `phi` between them, at the critical prior, with rates for each layer.

    With L layers and $p_\perp$ of `criticality`, the rates of layer $\ell$ are

    $$\lambda_W^{(\ell)} = \tilde\lambda_W (L/\ell)^{p_\perp - 1}, \quad
      \lambda_b^{(\ell)} = \tilde\lambda_b\, \ell^{-p_\perp} L^{p_\perp - 1}
      \quad (K^* = 0), \qquad
      \lambda_W^{(\ell)} = \tilde\lambda_W / L, \quad \lambda_b^{(\ell)} = \tilde\lambda_b / L \quad \text{(else)},$$

    for which all layers contribute alike to a tangent kernel that stays of order 1 as L grows.

    Args:
        phi: the nonlinearity.
        widths: of all layers, the outputs last.
        lambda_w, lambda_b: $\tilde\lambda_W, \tilde\lambda_b$; in gradient descent their product with the learning
            rate counts.

    Raises:
        ValueError: no widths, or a nonlinearity that has no critical prior.

    Caveat: exponents of the leading order in depth, for large L and the limit of infinite width, and for inputs whose
    variance after the first layer, $C_b + C_W |x|^2 / n_0$, is near $K^*$ in the half-stable class (below it they are
    attracted elsewhere). Where $\sigma_b$ is 0 biases start at 0.

    References:
        Roberts, Yaida and Hanin (2022), arXiv:2106.10165, chapter 9 (equivalence principle).

    >>> from equitangents.nets import Tanh
    >>> critical_net(Tanh(), (50, 1))
    Serial(Dense(50, lambda_w=1.0, lambda_b=1.0), Tanh(), Dense(1, lambda_w=1.0, lambda_b=0.5))
    """
    found, depth = criticality(phi), len(widths)
    if not depth:
        raise ValueError("expected at least one width, got none; pass for example (100, 100, 1).")
    if found.universality == "none":
        raise ValueError(f"{phi} has no critical prior: no (sigma_w, sigma_b) makes both susceptibilities 1.")
    layers: list[AbstractLayer] = []
    for number, width in enumerate(widths, start=1):
        if found.universality == "K* = 0":
            rate_w = (depth / number) ** (found.p_perp - 1)
            rate_b = number**-found.p_perp * depth ** (found.p_perp - 1)
        else:
            rate_w = rate_b = 1 / depth
        layers += [Dense(width, found.sigma_w, found.sigma_b, lambda_w * rate_w, lambda_b * rate_b), phi]
    return Serial(*layers[:-1])


def largest_learning_rate(net: AbstractLayer, x: Array) -> float:
    r"""$2 / \lambda_\max(\Theta)$ on the inputs x: beyond it gradient descent on the loss "sum" diverges.

    At infinite width; half of it is the common choice. For the loss "mean" multiply by the number of inputs.
    """
    return 2 / float(jnp.linalg.eigvalsh(ntk(net, x))[-1])

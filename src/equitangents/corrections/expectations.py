"""The open function behind all Gaussian means of the 1/width corrections: one rule for each kind of nonlinearity."""

import functools

from jaxtyping import Array

from ..nets import AbstractActivation
from .grid import grid_means
from .request import Request
from .rules import Rules


@functools.singledispatch
def expectations(layer: AbstractActivation, patterns: tuple[Request, ...], k: Array, rules: Rules) -> Array:
    r"""Values of all `patterns` for a centred Gaussian vector of covariance k.

    The default is quadrature for smooth nonlinearities. A closed form is registered with
    `@expectations.register(MyActivation)`; it may hand what it does not know to `by_quadrature`.

    Args:
        layer: the nonlinearity.
        patterns: requests over the samples 0, ..., s - 1, each with all of them.
        k: (s, s), positive semidefinite, singular or not.
        rules: of the quadrature; closed forms ignore them.

    Returns:
        (number of patterns,).

    Raises:
        NotImplementedError: the nonlinearity has a kink and no rule of its own.
    """
    if layer.kinks:
        raise NotImplementedError(
            f"{type(layer).__name__} has a kink at {', '.join(f'{c:g}' for c in layer.kinks)}, but derivatives up to "
            "the fifth are asked for; take a smooth nonlinearity such as Softplus or Gelu, or one of Relu, LeakyRelu, "
            "AbRelu and Abs, or register a closed form with @expectations.register."
        )
    return by_quadrature(layer, patterns, k, rules)


def by_quadrature(layer: AbstractActivation, patterns: tuple[Request, ...], k: Array, rules: Rules) -> Array:
    """The same for any smooth nonlinearity."""

    def phi(z: Array) -> Array:  # a method would be hashed
        return layer.phi(z)

    return grid_means(phi, patterns, rules[k.shape[0] > 2], k)

r"""One parameterisation for all: the four numbers sigma_w, sigma_b, lambda_w, lambda_b of a layer with weights.

A weight with standard deviation $\sigma_w / \sqrt{n}$ and learning-rate factor $\lambda_w / n$, $n$ = fan_in, is
stored as $\theta$ with $W = \sqrt{\lambda_w / n}\,\theta$, $\theta \sim N(0, \sigma_w^2 / \lambda_w)$, so that plain
gradients at unit rate train it as it should be trained. A parameter of rate 0 has no gradient; an optimiser with weight
decay would still move it.
"""

import math
from collections.abc import Callable

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
from jax import lax
from jaxtyping import Array, PRNGKeyArray

from .base import AbstractLayer, Scalar, Shape, check_range, check_size, is_known


class AbstractWeighted(AbstractLayer):
    """A layer with weights and biases: `width` output channels and the four numbers of its prior and its training."""

    width: eqx.AbstractVar[int]
    sigma_w: eqx.AbstractVar[Scalar]
    sigma_b: eqx.AbstractVar[Scalar]
    lambda_w: eqx.AbstractVar[Scalar | None]
    lambda_b: eqx.AbstractVar[Scalar | None]

    def __check_init__(self) -> None:
        check_size(self, "width")
        check_range(self, "sigma_w", low=0.0)
        check_range(self, "sigma_b", low=0.0)
        check_range(self, "lambda_w", low=0.0, none=True)
        check_range(self, "lambda_b", low=0.0, none=True)

    def fan_in(self, shape: Shape) -> int:
        """Number of inputs of one output channel, for one example of `shape`: channels times window."""
        raise NotImplementedError(f"{type(self).__name__} does not say its fan_in; write the method fan_in(shape).")

    @property
    def rate_w(self) -> Scalar:
        """Learning-rate factor of the weights: lambda_w, or sigma_w**2 where it is None."""
        return self.sigma_w**2 if self.lambda_w is None else self.lambda_w

    @property
    def rate_b(self) -> Scalar:
        """Learning-rate factor of the biases: lambda_b, or sigma_b**2 where it is None."""
        return self.sigma_b**2 if self.lambda_b is None else self.lambda_b

    def channels(self, shape: Shape) -> int:
        """Number of output channels for one example of `shape`."""
        return self.width

    def draw(self, key: PRNGKeyArray, weight_shape: Shape, bias_shape: Shape | None = None) -> dict[str, Array]:
        """Parameters {"w": weight_shape, "b": (width,)}; one that has neither prior nor rate is absent."""
        w_key, b_key = jr.split(key)
        params = {}
        if exists(self.sigma_w, self.lambda_w):
            params["w"] = stored(w_key, weight_shape, self.sigma_w, self.lambda_w)
        if exists(self.sigma_b, self.lambda_b):
            params["b"] = stored(b_key, bias_shape or (self.width,), self.sigma_b, self.lambda_b)
        return params

    def combine(
        self,
        params: dict[str, Array],
        linear: Callable[[Array], Array],
        x: Array,
        fan_in: int,
        weight_shape: Shape | None = None,
    ) -> Array:
        """`linear(W) + b` for the weights W and biases b that `params` stands for; zeros where a parameter is absent.

        `linear` takes weights of `weight_shape`, (fan_in, width) if not given, when they are absent. It
        must be linear in W; the scale of the weights is applied to its result, which is the smaller array.
        """
        if "w" in params:
            out = used(params["w"], self.sigma_w, self.lambda_w, linear) / math.sqrt(fan_in)
        else:
            out = linear(jnp.zeros(weight_shape or (fan_in, self.width), x.dtype))
        if "b" in params:
            out = out + jnp.broadcast_to(used(params["b"], self.sigma_b, self.lambda_b, lambda b: b), out.shape)
        return out


def exists(sigma: Scalar, rate: Scalar | None) -> bool:
    """Whether there is such a parameter: not if sigma is zero and no rate is given."""
    return not (is_known(sigma) and sigma == 0 and (rate is None or (is_known(rate) and rate == 0)))


def stored(key: PRNGKeyArray, shape: Shape, sigma: Scalar, rate: Scalar | None) -> Array:
    """theta: standard normal if the rate is None or zero, else of standard deviation sigma / sqrt(rate)."""
    theta = jr.normal(key, shape)
    if rate is None or (is_known(rate) and rate == 0):
        return theta
    if is_known(rate):
        return theta * sigma / math.sqrt(rate)
    safe = jnp.where(rate > 0, rate, 1.0)
    return theta * jnp.asarray(jnp.where(rate > 0, sigma / jnp.sqrt(safe), 1.0), theta.dtype)


def used(theta: Array, sigma: Scalar, rate: Scalar | None, linear: Callable[[Array], Array]) -> Array:
    """`linear` of the weight that `theta` stands for, up to the factor 1/sqrt(fan_in)."""
    dtype = theta.dtype
    if rate is None:
        return jnp.asarray(sigma, dtype) * linear(theta)
    if is_known(rate):
        if rate == 0:  # frozen at its random value
            return jnp.asarray(sigma, dtype) * linear(lax.stop_gradient(theta))
        return jnp.asarray(math.sqrt(rate), dtype) * linear(theta)
    moving = jnp.where(rate > 0, jnp.sqrt(jnp.where(rate > 0, rate, 1.0)), 0.0)
    frozen = jnp.where(rate > 0, 0.0, sigma)
    return jnp.asarray(moving, dtype) * linear(theta) + jnp.asarray(frozen, dtype) * linear(lax.stop_gradient(theta))

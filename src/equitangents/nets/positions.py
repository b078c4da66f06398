r"""Positional embeddings: a trained number for each site and channel, the same for all inputs."""

import itertools
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PRNGKeyArray

from .base import AbstractLayer, Params, Scalar, Shape, check_range, check_shape
from .weights import exists, stored, used


class Positions(AbstractLayer):
    r"""$x_i(s) + \sigma_b \sum_t L_{st} P_i(t)$ with $P \sim N(0, 1)$ and $L L^T = R$, or both side by side.

    R is the covariance of the embedding between sites, $R_{st} = \text{decay}(\sum_a |s_a - t_a|^2)$ over the axes of
    sites, and the identity without `decay`. With `share` the embedding has channels of its own behind those of x,
    this share of all; the covariance is then $(1 - \text{share})\,k + \text{share}\,\sigma_b^2 R$, and a layer with
    weights must come before the next nonlinearity.

    Attributes:
        sigma_b: standard deviation of the embedding.
        lambda_b: its learning-rate factor; None means sigma_b**2.
        decay: a function of squared distances of sites, an array, that makes R positive semidefinite and is 1 at 0,
            such as `lambda d: jnp.exp(-d / 8)`; None is 1 at distance 0 and 0 elsewhere.
        share: share of the channels after the layer, between 0 and 1; None adds to x.

    References:
        Hron et al. (2020), arXiv:2006.10540 (positional encodings).

    >>> from equitangents.nets import output_shape
    >>> output_shape(Positions(0.5), (6, 4)), output_shape(Positions(0.5, share=0.5), (6, 4))
    ((6, 4), (6, 8))
    """

    sigma_b: Scalar = 1.0
    lambda_b: Scalar | None = None
    decay: Callable[[Array], Array] | None = eqx.field(static=True, default=None)
    share: float | None = eqx.field(static=True, default=None)

    def __check_init__(self) -> None:
        check_range(self, "sigma_b", low=0.0)
        check_range(self, "lambda_b", low=0.0, none=True)
        if self.decay is not None and not callable(self.decay):
            raise TypeError(f"Positions: expected decay to be a function of squared distances, got {self.decay!r}.")
        if self.share is not None and not 0 < self.share < 1:
            raise ValueError(f"Positions: expected share between 0 and 1, or None to add to x, got {self.share!r}.")

    @property
    def rate_b(self) -> Scalar:
        """Learning-rate factor: lambda_b, or sigma_b**2 where it is None."""
        return self.sigma_b**2 if self.lambda_b is None else self.lambda_b

    def covariance(self, sites: Shape) -> np.ndarray:
        """R between all sites, flat: (number of sites, number of sites).

        Raises:
            ValueError: R is not positive semidefinite, or not 1 on its diagonal.
        """
        place = np.array(list(itertools.product(*map(range, sites))), float).reshape(-1, len(sites))
        apart = np.sum((place[:, None] - place[None]) ** 2, axis=-1)
        if self.decay is None:
            return np.asarray(apart == 0, float)
        with jax.ensure_compile_time_eval():
            r = np.asarray(self.decay(jnp.asarray(apart)), float)
        if r.shape != apart.shape or not np.allclose(np.diag(r), 1) or np.linalg.eigvalsh(r)[0] < -1e-6 * len(r):
            raise ValueError(
                f"Positions expected decay to give a positive semidefinite matrix with ones on its diagonal for the "
                f"sites {sites}; use a covariance function of squared distances, such as lambda d: jnp.exp(-d / 8)."
            )
        return r

    def channels(self, before: int) -> int:
        """Number of channels of the embedding behind this number of channels."""
        if self.share is None:
            return before
        own = round(before * self.share / (1 - self.share))
        if abs(own - self.share * (before + own)) > 1e-6 * (before + own):
            raise ValueError(
                f"Positions expected channels of which the share {self.share:g} is a whole number, got {before} before "
                "it; adapt share or the width."
            )
        return own

    def init(self, key: PRNGKeyArray, shape: Shape) -> tuple[Shape, Params]:
        check_shape(self, shape)
        if len(shape) < 2:
            raise ValueError(f"Positions expected sites, an example (*sites, channels), got shape {tuple(shape)}.")
        *sites, before = shape
        self.covariance(tuple(sites))
        own = self.channels(before)
        drawn = exists(self.sigma_b, self.lambda_b)
        params = {"b": stored(key, (*sites, own), self.sigma_b, self.lambda_b)} if drawn else {}
        return (*sites, before if self.share is None else before + own), params

    def embedding(self, params: Params, x: Array) -> Array:
        """What is added to x, or put behind it."""
        *sites, before = x.shape
        own = self.channels(before)
        if "b" not in params:
            return jnp.zeros((*sites, own), x.dtype)
        values, vectors = np.linalg.eigh(self.covariance(tuple(sites)))
        root = jnp.asarray(vectors * np.sqrt(np.maximum(values, 0)), x.dtype)  # root @ root.T = R

        def spread(b: Array) -> Array:
            return (root @ b.reshape(-1, own)).reshape(*sites, own)

        return used(params["b"], self.sigma_b, self.lambda_b, spread)

    def apply(self, params: Params, x: Array) -> Array:
        own = self.embedding(params, x)
        return x + own if self.share is None else jnp.concatenate([x, own], axis=-1)

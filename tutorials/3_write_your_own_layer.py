"""How does a layer of your own get its kernel, without touching the package?

A layer is a description with `init` and `apply`. Its rule at infinite width is registered from outside, here for two
layers: one that is linear over sites, and a nonlinearity.
"""

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr

from equitangents import Activation, Conv, Dense, Flatten, Serial, monte_carlo, nngp, nngp_and_ntk, ntk
from equitangents.kernels import Kernel, dual, needs, propagate
from equitangents.nets import AbstractActivation, AbstractWeighted
from equitangents.testing import assert_matches_monte_carlo, assert_positive_semidefinite


# 1. A locally connected layer: a convolution over 1-D signals whose filter is another one at every site.
class Local(AbstractWeighted):
    r"""$z_i(t) = \sigma_w (c |S|)^{-1/2} \sum_{j, s} k_{ij}(t, s) f_j(t + s)$, over places of the window."""

    width: int = eqx.field(static=True)
    window: int = eqx.field(static=True)
    sigma_w: float = 1.0
    sigma_b: float = 0.0
    lambda_w: float | None = None
    lambda_b: float | None = None

    def fan_in(self, shape):
        return shape[-1] * self.window

    def init(self, key, shape):
        sites = shape[0] - self.window + 1
        return (sites, self.width), self.draw(key, (sites, self.fan_in(shape), self.width))

    def apply(self, params, x):
        sites = x.shape[0] - self.window + 1
        patches = jnp.stack([x[t : t + self.window].ravel() for t in range(sites)])
        return self.combine(params, lambda w: jnp.einsum("ti,tiw->tw", patches, w), x, self.fan_in(x.shape))


# 2. Its rule: that of a convolution, but outputs at different sites are independent, as their filters are.
def as_convolution(layer):
    return Conv(layer.width, layer.window, 1, "VALID", layer.sigma_w, layer.sigma_b, layer.lambda_w, layer.lambda_b)


@propagate.register(Local)
def _(layer, k):
    k = propagate(as_convolution(layer), k)
    same = jnp.eye(k.sites[0], dtype=bool)

    def alone(array, other=0.0):
        return array if array is None or array.ndim == 1 else jnp.where(same, array, other)

    d = alone(k.d, other=1.0)  # the angle defect of independent outputs
    return Kernel(alone(k.k11), alone(k.k12), alone(k.k22), d, alone(k.ntk), k.sites, gaussian=True)


# 3. What must be known before it: as for the convolution. (Without a rule, variances at the sites are kept.)
@needs.register(Local)
def _(layer, after):
    return needs(as_convolution(layer), after)


# A nonlinearity needs `phi` only; its dual is found by quadrature. A closed form is one more function, here for z^2:
# E[u^2 v^2] = k11 k22 + 2 k12^2, E[2u 2v] = 4 k12, and the angle defect afterwards, 1 - cos^2 = d (2 - d), times 2/3.
class Square(AbstractActivation):
    """phi(z) = z^2."""

    def phi(self, z):
        return z**2


@dual.register(Square)
def _(layer, k11, k22, d):
    cosine = 1 - d
    return k11 * k22 * (1 + 2 * cosine**2), 4 * jnp.sqrt(k11 * k22) * cosine, 2 / 3 * d * (2 - d)


# The answer, checked. First against finite networks, then by a theorem: without pooling, sharing weights makes no
# difference at infinite width, so the layer has the kernels of the convolution.
x = jr.normal(jr.key(0), (4, 6, 2))
net = Serial(Local(16, 3), Square(), Local(16, 2), Flatten(), Dense(1))
finite = monte_carlo(net, x, key=jr.key(1), networks=4000)
for mean, error, exact in zip(finite[:2], finite[2:], nngp_and_ntk(net, x), strict=True):
    assert_matches_monte_carlo((mean, error), exact)
    assert_positive_semidefinite(exact)

shared = Serial(Conv(16, 3, padding="VALID"), Square(), Conv(16, 2, padding="VALID"), Flatten(), Dense(1))
assert jnp.allclose(ntk(net, x), ntk(shared, x), rtol=1e-5)

by_quadrature = Serial(Dense(16), Activation(jnp.square), Dense(1))
assert jnp.allclose(nngp(Serial(Dense(16), Square(), Dense(1)), x[:, 0]), nngp(by_quadrature, x[:, 0]), rtol=1e-4)
print(f"NTK of the locally connected network, first pair: {ntk(net, x)[0, 1]:.4f}; of the convolution the same")

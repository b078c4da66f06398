"""Sums over layers against plain Jacobians, wherever a parameter may stand in a function of JAX."""

import jax
import jax.flatten_util
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from jax import lax

from equitangents import empirical_ntk
from equitangents.equivariant import GroupConv, GroupPool, Lift
from equitangents.kernels.layerwise import cheapest, taken_apart
from equitangents.nets import Conv, Dense, Flatten, GlobalAvgPool, LayerNorm, Relu, Residual, Serial, Tanh


def net(*layers):
    network = Serial(*layers)
    return lambda key, shape: (network.apply, network.init(key, shape)[1])


def function(apply, **shapes):
    def make(key, shape):
        keys = jr.split(key, len(shapes))
        return apply, {name: jr.normal(k, s) for k, (name, s) in zip(keys, shapes.items(), strict=True)}

    return make


def tied(p, x):  # one weight in two products, once transposed
    return jnp.tanh(jnp.tanh(x @ p["w"]) @ p["w"].T) @ p["v"]


def recurrent(p, x):
    return lax.scan(lambda h, y: (jnp.tanh(h @ p["w"] + y * p["v"][0]), None), jnp.zeros(4), x)[0]


def stacked(p, x):
    return lax.scan(lambda h, w: (jnp.tanh(h @ w), None), x, p["w"])[0] @ p["v"]


@jax.custom_jvp
def swish(w, x):
    return x * jax.nn.sigmoid(w * x)


@swish.defjvp
def _(primals, tangents):
    w, x = primals
    s = jax.nn.sigmoid(w * x)
    return x * s, s * (1 - s) * x**2 * tangents[0] + (s + w * x * s * (1 - s)) * tangents[1]


def custom(p, x):
    return swish(jnp.broadcast_to(p["s"], (4,)), x @ p["w"]) @ p["v"]


def scaled(p, x):  # factors before the product: numbers, arrays that repeat one, a parameter, an input
    hidden = jnp.tanh((-2.0 * p["w"] / jnp.sqrt(3.0)) @ x)
    return jnp.einsum("i,ji,jk->k", hidden, p["v"] * p["s"], p["u"] * x[0])


def convolved(p, x):
    numbers = ("NHWC", "HWIO", "NHWC")
    out = lax.conv_general_dilated(x[None], p["w"], (2, 1), [(1, 0), (2, 1)], (1, 2), (1, 2), numbers)
    return lax.conv_general_dilated(out.transpose(0, 3, 1, 2), p["v"], (1, 1), "VALID")[0]


def grouped(p, x):
    return lax.conv_general_dilated(x[None], p["w"], (1, 1), "SAME", feature_group_count=2).mean((0, 2, 3))


def attention(p, x):
    q, k = (jnp.einsum("sd,dhe->she", x, p[name]) for name in ("q", "k"))
    return jnp.einsum("hst,td->hsd", jax.nn.softmax(jnp.einsum("she,the->hst", q, k)), x) @ p["g"]


def odd(p, x):  # itself an output, never used, twice in one product, only through stop_gradient
    return p["a"] + x @ (p["b"] @ p["b"]) + x @ lax.stop_gradient(p["c"])


@jax.jit
def dense(w, x):
    return jnp.tanh(x @ w)


CASES = {
    "dense, residual, norm": (
        net(Dense(4, 1.2, 0.3, 0.7, 2.0), Residual(Tanh(), Dense(4)), LayerNorm(), Relu(), Dense(2, sigma_b=0.2)),
        (3,),
    ),
    "conv strided and circular": (
        net(Conv(3, (3, 2), (2, 1), sigma_b=0.3), Relu(), Conv(2, (2, 2), padding="CIRCULAR"), GlobalAvgPool()),
        (4, 3, 2),
    ),
    "dense behind conv, frozen body": (net(Conv(3, 2, lambda_w=0.0), Relu(), Flatten(), Dense(2)), (4, 2)),
    "group conv": (net(Lift("C4", 2, 3), Relu(), GroupConv("C4", 2, 3), GroupPool(), GlobalAvgPool()), (3, 3, 1)),
    "shared weights": (function(tied, w=(3, 4), v=(3, 2)), (3,)),
    "recurrent": (function(recurrent, w=(4, 4), v=(1, 4)), (5, 1)),
    "scan over layers": (function(stacked, w=(3, 4, 4), v=(4, 2)), (4,)),
    "custom derivative": (function(custom, w=(3, 4), s=(), v=(4, 2)), (3,)),
    "factors": (function(scaled, w=(4, 3), v=(2, 4), s=(), u=(2, 2)), (3,)),
    "convolutions of XLA": (function(convolved, w=(2, 2, 2, 3), v=(2, 3, 1, 2)), (4, 3, 2)),
    "grouped convolution": (function(grouped, w=(4, 1, 2, 2)), (2, 3, 3)),
    "attention": (function(attention, q=(3, 2, 2), k=(3, 2, 2), g=(3, 3)), (4, 3)),
    "odd uses": (function(odd, a=(3,), b=(3, 3), c=(3, 3), d=(2,)), (3,)),
    "one jitted layer, used twice": (
        function(lambda p, x: dense(p["v"], dense(p["u"], dense(p["w"], x))), w=(3, 3), u=(3, 3), v=(3, 2)),
        (3,),
    ),
}


def by_jacobians(apply, params, x1, x2):
    flat, unflatten = jax.flatten_util.ravel_pytree(params)
    rows = jax.jit(jax.vmap(jax.jacrev(lambda p, x: apply(unflatten(p), x).ravel()), (None, 0)))
    return np.einsum("iop,jqp->ijoq", rows(flat, x1), rows(flat, x2))


def made(name, key):
    make, shape = CASES[name]
    apply, params = make(key, shape)
    return apply, params, jr.normal(jr.fold_in(key, 1), (5, *shape))


# one case for each way in which a weight may be found or missed; the others repeat a way in another dress
QUICK = (
    "dense, residual, norm",
    "shared weights",
    "scan over layers",
    "factors",
    "convolutions of XLA",
    "odd uses",
)


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in CASES]
)
def test_every_way_to_use_a_parameter_has_the_product_of_jacobians(name, getkey):
    apply, params, x = made(name, getkey())
    expected = by_jacobians(apply, params, x, x)
    full = empirical_ntk(apply, params, x, outputs="full")
    np.testing.assert_allclose(full, expected, rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize(
    "name",
    ["factors", *(pytest.param(n, marks=pytest.mark.slow) for n in ("dense, residual, norm", "scan over layers"))],
)
def test_tiles_need_not_divide_the_examples(name, getkey):
    apply, params, x = made(name, getkey())
    expected = by_jacobians(apply, params, x[:2], x[2:])
    trace = empirical_ntk(apply, params, x[:2], x[2:], budget=20000)
    np.testing.assert_allclose(trace, np.einsum("ijoo->ij", expected) / expected.shape[2], rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize(
    ("outputs", "pairs"),
    [
        ("diagonal", 3),
        ("trace", 1000),
        *(pytest.param(*case, marks=pytest.mark.slow) for case in [("trace", 3), ("full", 3), ("full", 1000)]),
        pytest.param("diagonal", 1000, marks=pytest.mark.slow),
    ],
)
def test_gram_matrices_over_sites_and_gradients_agree(outputs, pairs, getkey, monkeypatch):
    """Few sites and a wide layer, so that the split turns with the number of pairs."""
    from equitangents.kernels import plan

    monkeypatch.setattr(plan, "cheapest", lambda network, rows, _, *rest: cheapest(network, rows, pairs, *rest))
    apply, params = net(Conv(6, 2, padding="VALID"), Tanh(), Conv(2, 1))(getkey(), (3, 20))
    x = jr.normal(getkey(), (4, 3, 20))
    expected = by_jacobians(apply, params, x, x)
    expected = {"full": expected, "diagonal": np.einsum("ijoo->ijo", expected)}.get(outputs, expected)
    expected = np.einsum("ijoo->ij", expected) / 4 if outputs == "trace" else expected
    np.testing.assert_allclose(empirical_ntk(apply, params, x, outputs=outputs), expected, rtol=1e-10, atol=1e-12)


def test_dense_weights_are_never_formed_and_convolutions_on_many_sites_are(getkey):
    def split(*layers, shape):
        network = Serial(*layers)
        apply, params = network.apply, jax.eval_shape(lambda key: network.init(key, shape)[1], getkey())
        leaves, structure = jax.tree.flatten(params)
        example = jax.ShapeDtypeStruct(shape, jnp.float64)
        taken = taken_apart(lambda q, x: apply(jax.tree.unflatten(structure, q), x).ravel(), leaves, example)
        found = cheapest(taken, 100, 5000, "trace", taken.size)
        return len(found.gram), len(found.plain)

    assert split(Dense(64, sigma_b=0.1), Relu(), Dense(64), Relu(), Dense(3), shape=(50,)) == (3, 1)
    assert split(Conv(8, (3, 3)), Relu(), Conv(8, (3, 3)), GlobalAvgPool(), Dense(3), shape=(8, 8, 3)) == (1, 2)


def test_products_with_patches_are_read_as_convolutions():
    for layer in (Conv(3, (3, 2), padding="SAME"), Conv(3, 2, 2, dilation=2), Conv(3, (1, 2, 1), padding="CIRCULAR")):
        shape = (5,) * len(layer.window) + (2,)
        params = jax.eval_shape(lambda key, layer=layer, shape=shape: layer.init(key, shape)[1], jr.key(0))
        taken = taken_apart(
            lambda p, x, layer=layer: layer.apply({"w": p[0]}, x).ravel(),
            [params["w"]],
            jax.ShapeDtypeStruct(shape, float),
        )
        (site,) = taken.uses.sites.values()
        assert taken.program.steps[site.step].name == "conv_general_dilated"
        assert site.inputs == 2 * np.prod(layer.window)


@pytest.mark.parametrize("way", ["gradient inside", "linear part"])
def test_what_jax_makes_of_a_convolution_is_not_taken_for_one(way, getkey):
    apply, params = net(Conv(3, 2), Tanh(), GlobalAvgPool(), Dense(1))(getkey(), (4, 2))
    x, other = jr.normal(getkey(), (3, 4, 2)), jax.tree.map(jnp.ones_like, params)

    def gradient(p, y):
        return jax.grad(lambda z: apply(p, z)[0])(y).ravel()

    def linear(p, y):
        return jax.linearize(lambda q: apply(q, y), other)[1](p)

    function = gradient if way == "gradient inside" else linear
    expected = by_jacobians(function, params, x, x)
    np.testing.assert_allclose(empirical_ntk(function, params, x, outputs="full"), expected, rtol=1e-10, atol=1e-12)


def test_kernels_of_convolutions_have_derivatives_both_ways(getkey):
    apply, params = net(Conv(3, (2, 2)), Tanh(), Conv(2, (2, 2)), GlobalAvgPool(), Dense(1))(getkey(), (3, 3, 2))
    x, direction = jr.normal(getkey(), (2, 3, 3, 2)), jax.tree.map(jnp.ones_like, params)

    def k(p):
        return jnp.sum(jnp.sin(empirical_ntk(apply, p, x)))

    forward = jax.jvp(k, (params,), (direction,))[1]
    backward = sum(jnp.sum(leaf) for leaf in jax.tree.leaves(jax.grad(k)(params)))
    h = 1e-5
    up, down = (k(jax.tree.map(lambda a, s=s: a + s * h, params)) for s in (1, -1))
    np.testing.assert_allclose([forward, backward], (up - down) / (2 * h), rtol=1e-7)


def test_complex_parameters_count_as_two_real_ones(getkey):
    w = lax.complex(*jr.normal(getkey(), (2, 3, 4)))
    v = lax.complex(*jr.normal(getkey(), (2, 4, 2)))
    x = jr.normal(getkey(), (3, 3))

    def apply(p, x):
        return jnp.abs(jnp.tanh(x.astype(complex) @ p[0]) @ p[1]) ** 2

    def parts(p, x):
        return apply([lax.complex(*p[0]), lax.complex(*p[1])], x)

    real = [jnp.stack([jnp.real(a), jnp.imag(a)]) for a in (w, v)]
    expected = by_jacobians(parts, real, x, x)
    np.testing.assert_allclose(empirical_ntk(apply, [w, v], x, outputs="full"), expected, rtol=1e-10, atol=1e-11)
    with pytest.raises(TypeError, match="apply to return real numbers"):
        empirical_ntk(lambda p, x: x.astype(complex) @ p, w, x)

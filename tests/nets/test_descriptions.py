"""Descriptions are values: they print, compare and hash; `init` and `apply` agree on shapes."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from cases import ACTIVATIONS, NETS, decaying, smooth_step
from equitangents import nets
from equitangents.nets import AvgPool, Conv, Dense, Flatten, LayerNorm, Parallel, Relu, Residual, Serial, output_shape

NAMES = vars(nets) | {"smooth_step": smooth_step, "decaying": decaying}
DESCRIPTIONS = {name: case.make(3) for name, case in NETS.items()} | ACTIVATIONS


@pytest.mark.parametrize("name", DESCRIPTIONS)
def test_descriptions_print_as_one_would_write_them_and_compare_by_value(name):
    net = DESCRIPTIONS[name]
    again = eval(repr(net), NAMES)
    assert (again == net) is True
    assert (again != net) is False
    assert hash(again) == hash(net)
    assert repr(again) == repr(net)


def test_different_descriptions_differ():
    values = list(DESCRIPTIONS.values())
    assert len(set(values)) == len(set(map(repr, values)))
    assert (Dense(3) == Dense(4)) is False
    assert (Dense(3) == Dense(3, sigma_b=0.1)) is False
    assert (Dense(3) == Conv(3, 1)) is False
    assert (Dense(3, lambda_w=0.0) == Dense(3)) is False
    assert (Relu() == "Relu()") is False


def test_defaults_are_left_out_and_nests_are_kept():
    assert repr(Dense(3, 1.0, 0.0)) == "Dense(3)"
    assert repr(Conv(3, 2, 1)) == "Conv(3, (2,))"
    assert repr(AvgPool((2, 2), 2 * (2,))) == "AvgPool((2, 2))"
    assert repr(Residual(Relu(), Dense(3))) == "Residual(Relu(), Dense(3))"
    assert repr(Residual(Dense(3))) == "Residual(Dense(3))"
    assert (
        repr(Serial(Serial(Relu()), Parallel(Dense(1), Dense(2))))
        == "Serial(Serial(Relu()), Parallel(Dense(1), Dense(2)))"
    )


def test_descriptions_that_hold_arrays_neither_hash_nor_compare():
    mapped = eqx.filter_vmap(lambda s: Serial(Dense(3, s), Relu()))(jnp.arange(3.0))
    with pytest.raises(TypeError, match="numbers are Python floats, got a JAX array"):
        hash(mapped)
    with pytest.raises(TypeError, match="numbers are Python floats, got a JAX array"):
        mapped == mapped  # noqa: B015
    assert repr(mapped) == "Serial(Dense(3, sigma_w=<float64[3]>), Relu())"


def test_descriptions_may_be_built_inside_transformations(getkey):
    x, key = jr.normal(getkey(), (3,)), getkey()

    def output(sigma_w, sigma_b):
        net = Serial(Dense(4, sigma_w, sigma_b), Relu(), Dense(2, sigma_w))
        return net.apply(net.init(key, (3,))[1], x)

    mapped = jax.jit(jax.vmap(output))(jnp.array([0.5, 2.0]), jnp.array([0.0, 0.3]))
    np.testing.assert_allclose(mapped[1], output(2.0, 0.3), rtol=1e-12)
    slope = jax.jvp(output, (2.0, 0.3), (1.0, 0.0))[1]
    np.testing.assert_allclose(slope, (output(2 + 1e-6, 0.3) - output(2 - 1e-6, 0.3)) / 2e-6, rtol=1e-6)


def drawn(net, shape):
    """Shapes and types of the parameters; nothing is compiled."""
    return jax.eval_shape(lambda key: net.init(key, shape)[1], jr.key(0))


@pytest.mark.parametrize("name", NETS)
def test_init_and_apply_agree_on_the_shape(name, getkey):
    case, net, shape = NETS[name], NETS[name].make(3), NETS[name].shape
    out = output_shape(net, shape)
    assert out == jax.eval_shape(net.apply, drawn(net, shape), case.examples(getkey(), 1)[0]).shape
    assert all(isinstance(n, int) for n in out)


# one for each layer that draws; to compile what draws takes long
DRAW = ["dense", "conv 3d", "dilated, transposed", "local, sums", "depthwise", "branches", "recurrent", "attention"]
DRAW += ["masked", "tokens", "parallel", "residual"]


@pytest.mark.parametrize("name", [n if n in DRAW else pytest.param(n, marks=pytest.mark.slow) for n in NETS])
def test_the_same_key_draws_the_same_and_another_key_something_else(name, getkey):
    net, shape, key = NETS[name].make(3), NETS[name].shape, getkey()
    draw = jax.jit(lambda key: net.init(key, shape)[1])
    params, again, other = draw(key), draw(key), draw(getkey())
    assert eqx.tree_equal(params, again)
    assert not eqx.tree_equal(params, other)


@pytest.mark.parametrize("name", NETS)
def test_networks_take_the_precision_of_parameters_and_inputs(name, getkey):
    case, net, shape = NETS[name], NETS[name].make(3), NETS[name].shape
    params = jax.tree.map(lambda p: jax.ShapeDtypeStruct(p.shape, jnp.float32), drawn(net, shape))
    x = case.examples(getkey(), 1)[0]
    x = x if case.tokens else x.astype(jnp.float32)
    assert jax.eval_shape(net.apply, params, x).dtype == jnp.float32


def test_layers_of_one_network_draw_independent_weights(getkey):
    first, second = Parallel(Dense(4), Dense(4)).init(getkey(), (3,))[1]
    assert not np.allclose(first["w"], second["w"])
    first, _, second = Serial(Dense(3), Relu(), Dense(3)).init(getkey(), (3,))[1]
    assert not np.allclose(first["w"], second["w"])


def test_a_layer_norm_leaves_mean_zero_and_variance_one_at_each_site(getkey):
    y = LayerNorm().apply({}, 3 + 2 * jr.normal(getkey(), (4, 8)))
    np.testing.assert_allclose(jnp.mean(y, axis=-1), 0, atol=1e-12)
    np.testing.assert_allclose(jnp.var(y, axis=-1), 1, rtol=1e-9)
    assert not np.any(LayerNorm().apply({}, jnp.ones((4, 8))))


def direct_windows(x, window, steps, padding):
    """The windows that each output site reads, by counting: (*sites, |window|, channels)."""
    sizes, rows = x.shape[:-1], []
    for size, w, s in zip(sizes, window, steps, strict=True):
        outputs = (size - w) // s + 1 if padding == "VALID" else -(-size // s)
        before = 0 if padding == "VALID" else max((outputs - 1) * s + w - size, 0) // 2
        rows.append([[o * s + i - before for i in range(w)] for o in range(outputs)])
    out = np.zeros((*map(len, rows), int(np.prod(window)), x.shape[-1]))
    for site in np.ndindex(*map(len, rows)):
        for number, offset in enumerate(np.ndindex(*window)):
            place = [row[o][i] for row, o, i in zip(rows, site, offset, strict=True)]
            if padding == "CIRCULAR":
                place = [p % n for p, n in zip(place, sizes, strict=True)]
            if all(0 <= p < n for p, n in zip(place, sizes, strict=True)):
                out[(*site, number)] = x[tuple(place)]
    return out


@pytest.mark.parametrize("padding", ["SAME", "VALID", "CIRCULAR"])
@pytest.mark.parametrize(
    ("window", "steps", "shape"),
    [((3,), (1,), (5, 2)), ((2,), (2,), (5, 2)), ((2, 3), (1, 2), (4, 5, 2)), ((2, 1, 3), (2, 1, 1), (3, 2, 4, 1))],
)
def test_convolutions_and_pools_are_sums_over_windows(window, steps, shape, padding, getkey):
    x = jr.normal(getkey(), shape)
    windows = direct_windows(np.asarray(x), window, steps, padding)
    conv = Conv(3, window, steps, padding, 1.3, 0.4)
    _, params = conv.init(getkey(), shape)
    w = np.asarray(params["w"]).reshape(-1, shape[-1], 3)
    fan_in = w.shape[0] * w.shape[1]
    expected = 1.3 * np.einsum("...sc,scd->...d", windows, w) / fan_in**0.5 + 0.4 * np.asarray(params["b"])
    np.testing.assert_allclose(conv.apply(params, x), expected, rtol=1e-12, atol=1e-12)
    pool = AvgPool(window, steps, padding)
    np.testing.assert_allclose(pool.apply({}, x), windows.mean(axis=-2), rtol=1e-12, atol=1e-12)
    assert output_shape(conv, shape)[:-1] == output_shape(pool, shape)[:-1] == windows.shape[:-2]


def test_wrong_descriptions_are_refused_where_they_are_written():
    wrong = [
        (lambda: Dense(0), ValueError, "expected width >= 1, got 0"),
        (lambda: Dense(3, -1.0), ValueError, "sigma_w to be a finite number >= 0, got -1"),
        (lambda: Dense(3, lambda_b=float("nan")), ValueError, "lambda_b to be a finite number"),
        (lambda: Serial(), ValueError, "at least one layer"),
        (lambda: Conv(3, (1, 1, 1, 1)), ValueError, "1 to 3 sizes"),
        (lambda: Conv(3, (3, 3), (2,)), ValueError, "as many strides"),
        (lambda: Conv(3, 3, padding="REFLECT"), ValueError, "'SAME', 'VALID' or 'CIRCULAR'"),
        (lambda: AvgPool((2, 0)), ValueError, "positive integers"),
        (lambda: LayerNorm(-1.0), ValueError, "epsilon to be a finite number >= 1e-30"),
        (lambda: nets.Activation(jnp.tanh, (float("inf"),)), ValueError, "finite kinks"),
    ]
    for make, error, message in wrong:
        with pytest.raises(error, match=message):
            make()


def test_wrong_shapes_are_refused_by_init(getkey):
    wrong = [
        (Conv(3, (3, 3)), (5, 2), r"Conv expected one example of shape \(site0, site1, channels\)"),
        (Conv(3, (3, 3), padding="VALID"), (2, 5, 1), "sites at least as large as its window"),
        (Conv(3, 5, padding="CIRCULAR"), (1, 2), "window of at most twice the torus"),
        (Residual(Dense(3)), (2,), r"keep the shape \(2,\), got \(3,\)"),
        (Parallel(Dense(3), Dense(2)), (2,), "branches of one output shape"),
        (Dense(3), (), "one example of shape"),
        (Serial(Flatten(), Conv(3, 2)), (4, 2), "Conv expected one example"),
    ]
    for net, shape, message in wrong:
        with pytest.raises(ValueError, match=message):
            net.init(getkey(), shape)

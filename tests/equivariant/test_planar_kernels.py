"""Kernels of roto-translational convolutions: direct sums, random networks, invariance, averages over the group."""

import functools
import math

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from equitangents.equivariant import GroupConv, GroupPool, Lift
from equitangents.groups import image_action, point_group
from equitangents.kernels import nngp, nngp_and_ntk
from equitangents.nets import Conv, Dense, Erf, Flatten, GlobalAvgPool, Relu, Serial

QUARTER, FLIP = np.array([[0, -1], [1, 0]]), np.diag([1, -1])
TURNS = [np.linalg.matrix_power(QUARTER, k) for k in range(4)]
MATRICES = {"C4": TURNS, "D4": TURNS + [turn @ FLIP for turn in TURNS]}
SIGMA_W, SIGMA_B, LAMBDA_W, LAMBDA_B = 1.3, 0.4, 0.7, 0.3
NUMBERS = {"sigma_w": SIGMA_W, "sigma_b": SIGMA_B, "lambda_w": LAMBDA_W, "lambda_b": LAMBDA_B}
slow = functools.partial(pytest.param, marks=pytest.mark.slow)  # each compiles; group, padding and size occur in others


def relu_dual(a, c, b):
    scale = np.sqrt(a[:, None] * b[None])
    angle = np.arccos(np.clip(c / scale, -1, 1))
    return scale * (np.sin(angle) + (np.pi - angle) * np.cos(angle)) / (2 * np.pi), (np.pi - angle) / (2 * np.pi)


def erf_dual(a, c, b):
    scale = (1 + 2 * a)[:, None] * (1 + 2 * b)[None]
    return 2 / np.pi * np.arcsin(2 * c / np.sqrt(scale)), 4 / np.pi / np.sqrt(scale - 4 * c**2)


def source(t, offset, n, circular):
    """Number of the pixel t + offset, n * n for a zero beyond the border; t and offset as (row, column)."""
    row, column = t[0] + offset[0], t[1] + offset[1]
    if circular:
        return row % n * n + column % n
    return row * n + column if 0 <= row < n and 0 <= column < n else n * n


class DirectSum:
    """Covariances [(r, t), (r', t')] as matrices over r n^2 + t, by the sums as they are written."""

    def __init__(self, group, n, padding, window=3):
        self.matrices, self.n = MATRICES[group], n
        codes = [m.tobytes() for m in self.matrices]
        self.table = [[codes.index((a @ b).tobytes()) for b in self.matrices] for a in self.matrices]
        half = window // 2
        self.offsets = [np.array([i, j]) for i in range(-half, half + 1) for j in range(-half, half + 1)]
        pixels = [(i, j) for i in range(n) for j in range(n)]
        self.places = [
            [np.array([source(t, m @ x, n, padding == "CIRCULAR") for t in pixels]) for x in self.offsets]
            for m in self.matrices
        ]

    def _collect(self, block_of, count):
        """Mean over q < count and x of block_of(r, r', q)[t + R^r x, t' + R^r' x]."""
        order = range(len(self.matrices))
        rows = []
        for r in order:
            row = []
            for s in order:
                total = 0.0
                for q in range(count):
                    block = np.pad(block_of(r, s, q), (0, 1))
                    for left, right in zip(self.places[r], self.places[s], strict=True):
                        total = total + block[np.ix_(left, right)]
                row.append(total / (count * len(self.offsets)))
            rows.append(row)
        return np.block(rows)

    def lift(self, k):
        return self._collect(lambda r, s, q: k, 1)

    def conv(self, k):
        size, table = self.n**2, self.table

        def block(r, s, q):
            a, b = table[r][q] * size, table[s][q] * size
            return k[a : a + size, b : b + size]

        return self._collect(block, len(self.matrices))


def by_direct_sum(x1, x2, group, padding, convs, dual):
    sums = DirectSum(group, x1.shape[0], padding)
    flat = [np.asarray(x).reshape(-1, x.shape[-1]) for x in (x1, x2)]
    w, b = SIGMA_W**2, SIGMA_B**2
    k = {(i, j): flat[i] @ flat[j].T / x1.shape[-1] for i, j in ((0, 0), (0, 1), (1, 1))}
    k = {ij: sums.lift(v) for ij, v in k.items()}
    ntk = LAMBDA_W * k[0, 1] + LAMBDA_B
    k = {ij: w * v + b for ij, v in k.items()}
    for _ in range(convs):
        v = [np.diag(k[0, 0]), np.diag(k[1, 1])]
        after = {(i, j): dual(v[i], c, v[j]) for (i, j), c in k.items()}
        averaged = {ij: sums.conv(e) for ij, (e, _) in after.items()}
        ntk = LAMBDA_W * averaged[0, 1] + LAMBDA_B + w * sums.conv(after[0, 1][1] * ntk)
        k = {ij: w * v + b for ij, v in averaged.items()}
    return k[0, 1], ntk


@pytest.mark.parametrize(
    ("group", "padding", "n", "convs", "phi"),
    [
        slow("C4", "SAME", 4, 1, Relu()),
        ("C4", "SAME", 5, 2, Erf()),
        slow("C4", "CIRCULAR", 5, 1, Erf()),
        ("C4", "CIRCULAR", 4, 2, Relu()),
        ("D4", "SAME", 5, 1, Relu()),
        slow("D4", "SAME", 4, 1, Erf()),
        ("D4", "CIRCULAR", 4, 2, Erf()),
        slow("D4", "CIRCULAR", 5, 1, Relu()),
    ],
    ids=str,
)
def test_kernels_are_the_direct_sums_over_the_group(group, padding, n, convs, phi, getkey):
    layers = [Lift(group, 8, 3, padding=padding, **NUMBERS)]
    for _ in range(convs):
        layers += [phi, GroupConv(group, 8, 3, padding=padding, **NUMBERS)]
    x1, x2 = jr.normal(getkey(), (2, n, n, 2))
    dual = relu_dual if isinstance(phi, Relu) else erf_dual
    expected = by_direct_sum(x1, x2, group, padding, convs, dual)
    for found, direct in zip(nngp_and_ntk(Serial(*layers), x1[None], x2[None]), expected, strict=True):
        np.testing.assert_allclose(found.reshape(direct.shape), direct, rtol=0, atol=1e-10)


@pytest.mark.parametrize("options", [{"padding": "SAME"}, {"padding": "VALID", "strides": 2}], ids=str)
def test_blocks_and_indices_are_two_routes_to_one_sum(options, getkey, monkeypatch):
    from equitangents.equivariant import group_conv, lift, sums

    cross = ((0, 1, 0), (1, 1, 1), (0, 1, 0))
    net = Serial(Lift("C4", 1, 3, footprint=cross, **options), Relu(), GroupConv("C4", 1, (2, 2), padding="VALID"))
    x1, x2 = jr.normal(getkey(), (2, 1, 5, 5, 1))
    fast = nngp_and_ntk(net, x1, x2)
    other = lambda layer, tiles, k: (  # noqa: E731
        sums.by_indices(layer, tiles, k) if isinstance(k, list) else original(layer, tiles, k)
    )
    original = sums.turned_mean
    for module in (lift, group_conv):
        monkeypatch.setattr(module, "turned_mean", other)
    jax.clear_caches()
    for a, b in zip(fast, nngp_and_ntk(net, x1, x2), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-13)
    jax.clear_caches()


def empirical(net, params, x1, x2):
    """Covariance over output channels, and the tangent kernel of one output channel, of one random network."""
    f1, f2 = net.apply(params, x1), net.apply(params, x2)
    g1, g2 = (jax.grad(lambda p, x: net.apply(p, x)[0])(params, x) for x in (x1, x2))
    return jnp.mean(f1 * f2), sum(jnp.vdot(a, b) for a, b in zip(*map(jax.tree.leaves, (g1, g2)), strict=True))


def test_random_networks_agree_and_lifting_counts_once(getkey):
    body = (Lift("C4", 256, 3, sigma_b=0.3), Relu(), GroupPool())
    net = Serial(*body, Dense(64))
    x1, x2 = jr.normal(getkey(), (2, 3, 3, 1))

    @jax.jit
    def draw(key):
        return empirical(net, net.init(key, x1.shape)[1], x1, x2)

    covariance, tangent = jax.lax.map(draw, jr.split(getkey(), 400))
    k, t = (m[0, 0] for m in nngp_and_ntk(net, x1[None], x2[None]))
    error = [jnp.std(m) / math.sqrt(m.size) for m in (covariance, tangent)]
    assert abs(covariance.mean() - k) < 4 * error[0]
    assert abs(tangent.mean() - t) < 4 * error[1]
    twice = 2 * t - k  # T = K + A(Kdot T1), and T1 = 2 K1 doubles the second term
    assert abs(tangent.mean() - twice) > 20 * error[1]


@pytest.mark.parametrize(
    ("group", "padding", "width", "networks"),
    [pytest.param("C4", "SAME", 64, 100, marks=pytest.mark.slow), ("D4", "CIRCULAR", 32, 50)],
)
def test_random_group_convolutions_agree(group, padding, width, networks, getkey):
    net = Serial(
        Lift(group, width, 3, padding=padding, sigma_b=0.3),
        Erf(),
        GroupConv(group, width, 3, padding=padding, sigma_w=1.2),
        Relu(),
        GroupPool(),
        Dense(32),
    )
    x1, x2 = jr.normal(getkey(), (2, 3, 3, 2))

    def draw(key):
        return empirical(net, net.init(key, x1.shape)[1], x1, x2)

    draws = jax.jit(lambda keys: jax.lax.map(draw, keys))(jr.split(getkey(), networks))
    for found, exact in zip(draws, nngp_and_ntk(net, x1[None], x2[None]), strict=True):
        error = jnp.std(found) / math.sqrt(found.size)
        assert error < 0.08 * exact[0, 0]
        assert abs(found.mean() - exact[0, 0]) < 4 * error + exact[0, 0] / width  # the limit is reached as 1/width


def pair(group, padding, phi, **footprint):
    """A group-convolutional network, and the plain one whose average over the group it is."""
    window = {"padding": padding, "sigma_b": 0.3}
    invariant = Serial(
        Lift(group, 1, 3, **window, **footprint),
        phi,
        GroupConv(group, 1, 3, **window, **footprint),
        phi,
        GroupPool(),
        Dense(1),
    )
    plain = Serial(Conv(1, (3, 3), **window), phi, Conv(1, (3, 3), **window), phi, GlobalAvgPool(), Dense(1))
    return invariant, plain


def averaged(net, action, x1, x2):
    """The mean over g of the kernels of f and rho(g) f', in one call."""
    orbit = action.orbit(x2)
    kernels = nngp_and_ntk(net, x1, orbit.reshape(-1, *x2.shape[1:]))
    return [k.reshape(len(x1), len(orbit), len(x2)).mean(axis=1) for k in kernels]


@pytest.mark.parametrize(
    ("group", "padding", "n", "phi"),
    [
        ("C4", "SAME", 5, Relu()),
        slow("C4", "CIRCULAR", 4, Erf()),
        slow("D4", "SAME", 4, Erf()),
        ("D4", "CIRCULAR", 5, Relu()),
    ],
    ids=str,
)
def test_pooled_kernel_is_the_average_of_the_plain_one_and_invariant_in_each_argument(group, padding, n, phi, getkey):
    invariant, plain = pair(group, padding, phi)
    action = image_action(point_group(group))
    x1, x2 = jr.normal(getkey(), (2, 2, n, n, 2))
    turned = jnp.concatenate([x1, action(1, x1)]), jnp.concatenate([x2, action(action.group.order - 1, x2)])
    for found, expected in zip(nngp_and_ntk(invariant, *turned), averaged(plain, action, x1, x2), strict=True):
        np.testing.assert_allclose(found, np.tile(expected, (2, 2)), rtol=0, atol=1e-12)


def test_average_holds_for_a_closed_footprint_and_fails_for_an_open_one(getkey):
    """Both networks have the same footprint; over the trivial group, lifting is an ordinary convolution."""
    cross, corner = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], bool), np.ones((3, 3), bool)
    corner[0, 0] = False
    x1, x2 = jr.normal(getkey(), (2, 2, 4, 4, 2))
    action = image_action(point_group("C4"))

    def gaps(footprint):
        net, plain = (
            Serial(
                Lift(group, 1, 3, footprint=footprint, negative_control=True),
                Relu(),
                GroupConv(group, 1, 3, footprint=footprint, negative_control=True),
                Relu(),
                GroupPool(),
            )
            for group in ("C4", "C1")
        )
        k = nngp(net, x1, x2)
        np.testing.assert_allclose(k, nngp(net, action(1, x1), x2), rtol=0, atol=1e-12)  # invariant all the same
        return jnp.abs(k - averaged(plain, action, x1, x2)[0]).max()

    assert gaps(cross) < 1e-12
    assert gaps(corner) > 1e-4


def test_average_fails_for_a_nonlinear_head(getkey):
    head = (Dense(1), Relu(), Dense(1))
    x1, x2 = jr.normal(getkey(), (2, 2, 4, 4, 2))
    action = image_action(point_group("C4"))
    net = Serial(Lift("C4", 1, "all"), Relu(), GroupPool(), *head)
    plain = Serial(Flatten(), Dense(1), Relu(), *head)
    k = nngp(net, x1, x2)
    np.testing.assert_allclose(k, nngp(net, action(1, x1), x2), rtol=0, atol=1e-12)
    assert jnp.abs(k - averaged(plain, action, x1, x2)[0]).max() > 1e-3


@pytest.mark.parametrize("group", ["C4", "D4"])
def test_global_lifting_is_the_average_of_a_fully_connected_network(group, getkey):
    x1, x2 = jr.normal(getkey(), (2, 2, 4, 4, 2))
    net = Serial(
        Lift(group, 1, "all", sigma_b=0.2), Relu(), GroupConv(group, 1, 1, sigma_b=0.1), Erf(), GroupPool(), Dense(1)
    )
    plain = Serial(Flatten(), Dense(1, sigma_b=0.2), Relu(), Dense(1, sigma_b=0.1), Erf(), Dense(1))
    action = image_action(point_group(group))
    for found, expected in zip(nngp_and_ntk(net, x1, x2), averaged(plain, action, x1, x2), strict=True):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


def test_kernels_of_sites_that_are_never_mixed_are_the_diagonal_of_the_others(getkey):
    x1, x2 = jr.normal(getkey(), (2, 1, 4, 4, 1))
    body = (Lift("C4", 1, 3), Relu(), GroupConv("C4", 1, 3))
    flat = nngp_and_ntk(Serial(*body, Flatten(), Dense(1)), x1, x2)
    for k, full in zip(flat, nngp_and_ntk(Serial(*body), x1, x2), strict=True):
        mean = jnp.trace(full.reshape(64, 64)) / 64
        extra = 0.0 if k is flat[0] else nngp(Serial(*body, Flatten(), Dense(1)), x1, x2)[0, 0]
        np.testing.assert_allclose(k[0, 0], mean + extra, rtol=0, atol=1e-13)


def test_pool_over_the_point_group_keeps_an_image(getkey):
    x1, x2 = jr.normal(getkey(), (2, 1, 3, 3, 1))
    body = (Lift("C4", 1, 3), Relu())
    full = nngp(Serial(*body, Dense(1)), x1, x2)
    image = nngp(Serial(*body, GroupPool("point"), Dense(1)), x1, x2)
    np.testing.assert_allclose(image, full.mean(axis=(2, 5)), rtol=0, atol=1e-13)
    np.testing.assert_allclose(nngp(Serial(*body, GroupPool()), x1, x2)[0, 0], full.mean(), rtol=0, atol=1e-13)

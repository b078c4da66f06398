"""Kernels of networks over SO(2) and SO(3): symmetry, convergence, and the average of a dense network's kernel."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from equitangents.equivariant import GroupPool
from equitangents.kernels import (
    Needs,
    independent_average,
    joint_average,
    kernel,
    needs,
    nngp,
    nngp_and_ntk,
    ntk,
    propagate,
)
from equitangents.nets import (
    AbstractLayer,
    Attention,
    AvgPool,
    Conv,
    ConvLocal,
    ConvTranspose,
    Dense,
    Dropout,
    Erf,
    Flatten,
    GlobalAvgPool,
    LayerNorm,
    Monomial,
    Parallel,
    Relu,
    Residual,
    Serial,
    SiteMap,
    Slice,
)
from equitangents.sphere import (
    SO2,
    SO3,
    AbstractRotations,
    RotationConv,
    RotationLift,
    RotationPool,
    RotationProjection,
    euler_angles,
    random_rotations,
    rotate,
    rotate_circle,
    rotation_matrix,
    spherical_grid,
    wigner_real,
)


def signals(key, n, coefficients, channels=1):
    """Of variance 1 at each point, on average over the circle or the sphere."""
    f = jr.normal(key, (n, coefficients, channels))
    volume = 2 * jnp.pi if coefficients % 2 and coefficients < 9 else 4 * jnp.pi
    return f * jnp.sqrt(volume * channels / jnp.sum(f**2, (1, 2), keepdims=True))


def pooled(group, phi, depth=1):
    hidden = [RotationConv(group, 1, sigma_w=1.2, sigma_b=0.3), phi] * (depth - 1)
    return Serial(RotationLift(group, 1), phi, *hidden, RotationPool(group), Dense(1, sigma_b=0.2))


def both(net, *x):
    return jnp.stack(nngp_and_ntk(net, *x))


def turns(group, key):
    """A random turn of signals, and another."""
    if isinstance(group, SO2):
        return [lambda f, a=a: rotate_circle(f, a) for a in jr.uniform(key, 2, maxval=6.0).tolist()]
    return [lambda f, r=r: rotate(f, r) for r in random_rotations(key, 2)]


@pytest.mark.parametrize("phi", [Relu(), Erf()], ids=["relu", "erf"])
def test_pooled_kernels_of_different_signals_have_converged_at_order_10(phi, getkey):
    x1, x2 = signals(getkey(), 2, 25), signals(getkey(), 2, 25)
    coarse, order10, order14 = (both(pooled(SO3(order), phi), x1, x2) for order in (5, 10, 14))
    assert jnp.max(jnp.abs(order10 - order14)) < 1e-7 < jnp.max(jnp.abs(coarse - order14))


def axis_and_angle(nodes):
    """Another quadrature, smooth in the angle where k(Q) has a kink at the unit element: matrices and weights."""
    x, w = np.polynomial.legendre.leggauss(nodes)
    angle, weight = np.pi * (x + 1) / 2, w * np.sin(np.pi * (x + 1) / 4) ** 2
    beta, alpha, ring = spherical_grid(nodes // 2)
    a, b, c = np.meshgrid(alpha, beta, angle, indexing="ij")
    frame = rotation_matrix(a, b, 0 * a)
    turn = frame @ rotation_matrix(c, 0 * c, 0 * c) @ np.swapaxes(frame, -1, -2)
    return turn.reshape(-1, 3, 3), (0 * a + ring[:, None] * weight).ravel() / (4 * np.pi)


@pytest.mark.parametrize("phi", [Relu(), Erf()], ids=["relu", "erf"])
def test_pooled_kernels_of_a_signal_with_itself_against_a_quadrature_about_the_unit_element(phi, getkey):
    """ReLU has a kink there, and its error falls with the fourth power of the order; that of erf falls faster."""
    x = signals(getkey(), 1, 9)
    turns, weights = axis_and_angle(24)
    assert abs(weights.sum() - 1) < 1e-14
    angles = euler_angles(turns)
    k1 = sum(
        np.einsum("m,qmn,n->q", x[0, own, 0], wigner_real(l, *angles), x[0, own, 0])
        for l, own in enumerate(SO3(1).degrees(2))
    ) / (4 * np.pi)
    cosine = jnp.asarray(np.clip(k1, -1, 1))
    vectors = jnp.stack([cosine, jnp.sqrt(1 - cosine**2)], 1) * 2**0.5
    expected = both(Serial(Dense(1), phi, Dense(1, sigma_b=0.2)), jnp.array([[2**0.5, 0.0]]), vectors)[:, 0] @ weights
    errors = [jnp.max(jnp.abs(both(pooled(SO3(n), phi), x)[:, 0, 0] - expected)) for n in (4, 8)]
    power = jnp.log2(errors[0] / errors[1])
    assert abs(power - 4) < 1 if isinstance(phi, Relu) else power > 5


@pytest.mark.parametrize("group", [SO2(24), SO3(12)], ids=repr)
@pytest.mark.parametrize("phi", [Relu(), Erf()], ids=["relu", "erf"])
def test_pooled_kernels_are_invariant_in_each_argument(group, phi, getkey):
    lmax = 2
    x1, x2 = (signals(getkey(), 2, group.start(lmax + 1), 2) for _ in range(2))
    net, (one, two) = pooled(group, phi, 2), turns(group, getkey())
    expected = both(net, x1, x2)
    for y1, y2 in ((one(x1), x2), (x1, two(x2)), (one(x1), two(x2))):
        assert jnp.max(jnp.abs(both(net, y1, y2) - expected)) < 1e-8


@pytest.mark.parametrize("group, lmax", [(SO2(5), 4), (SO3(5), 4)], ids=["SO2", "SO3"])
def test_a_square_is_integrated_exactly_and_no_lower_order_does_it(group, lmax, getkey):
    """k(Q)^2 has degree 2 lmax, the quadrature 2 order - 1: the kernel is invariant to rounding."""
    x1, x2 = (signals(getkey(), 2, group.start(lmax + 1)) for _ in range(2))
    one, two = turns(group, getkey())
    net = pooled(group, Monomial(2))
    assert jnp.max(jnp.abs(both(net, one(x1), two(x2)) - both(net, x1, x2))) < 1e-12
    lower = pooled(type(group)(lmax), Monomial(2))
    assert jnp.max(jnp.abs(both(lower, one(x1), two(x2)) - both(lower, x1, x2))) > 1e-5


@pytest.mark.parametrize("group", [SO2(6), SO3(3)], ids=repr)
@pytest.mark.parametrize("depth", [1, 3])
def test_pooled_kernels_are_averages_of_a_dense_networks_kernels(group, depth, getkey):
    """The theorem of Misof, Kessel and Gerken (2024): by rotating inputs at the nodes, here with the same weights."""
    lmax = 2
    size = group.start(lmax + 1)
    x1, x2 = (signals(getkey(), 2, size) for _ in range(2))
    hidden = [Dense(1, sigma_w=1.2, sigma_b=0.3), Relu()] * (depth - 1)
    dense = Serial(Flatten(), Dense(1, sigma_w=(size / group.volume) ** 0.5), Relu(), *hidden, Dense(1, sigma_b=0.2))
    turned = np.zeros((group.size, size, size))
    for l, own in enumerate(group.degrees(lmax)):
        turned[:, own, own] = group.irreps(l)
    orbit = jnp.einsum("qmn,bnc->qbmc", turned, x2).reshape(-1, size, 1)
    k = both(dense, x1, orbit).reshape(2, 2, group.size, 2)
    average = jnp.einsum("q,kaqb->kab", group.weights, k)
    assert jnp.max(jnp.abs(average - both(pooled(group, Relu(), depth), x1, x2))) < 1e-12


class OutsideCircle(AbstractRotations):
    """Three nodes for each order; no part of the package knows it."""

    volume = 2 * np.pi
    start, lmax, multiplicity, irreps, correlation = SO2.start, SO2.lmax, SO2.multiplicity, SO2.irreps, SO2.correlation

    @property
    def angles(self):
        return 2 * np.pi * np.arange(3 * self.order) / (3 * self.order)

    def _weights(self):
        return np.full(3 * self.order, 1 / (3 * self.order))


def test_a_group_from_outside_has_the_kernels_of_the_same_rotations(getkey):
    x = signals(getkey(), 2, 5)
    found, expected = (both(pooled(group, Monomial(2)), x) for group in (OutsideCircle(2), SO2(3)))
    assert jnp.max(jnp.abs(found - expected)) < 1e-13


def test_channels_and_scales_of_the_lift_enter_as_in_the_formula(getkey):
    """sigma_w^2 (c V)^-1 sum_j f_j^T f'_j + sigma_b^2 before any nonlinearity, at Q = 1."""
    x1, x2 = jr.normal(getkey(), (2, 9, 3)), jr.normal(getkey(), (1, 9, 3))
    k = kernel(RotationLift(SO3(2), 1, sigma_w=1.5, sigma_b=0.4, lambda_w=2.0), x1, x2)
    inner = jnp.einsum("amc,bmc->ab", x1, x2) / (12 * jnp.pi)
    assert k.k12.shape == (2, 1, 1, 49)
    assert jnp.max(jnp.abs(k.k12[:, :, 0, 0] - 1.5**2 * inner - 0.4**2)) < 1e-14
    assert jnp.max(jnp.abs(k.ntk[:, :, 0, 0] - 2.0 * inner - 0.4**2)) < 1e-14


@pytest.mark.parametrize("group", [SO2(8), SO3(4)], ids=repr)
def test_any_support_has_one_kernel_and_a_head_may_be_nonlinear(group, getkey):
    x = signals(getkey(), 3, group.start(3))
    end = [Relu(), RotationPool(group), Dense(1), Relu(), Dense(1)]
    wide = Serial(RotationLift(group, 1), Relu(), RotationConv(group, 1, sigma_b=0.2), *end)
    point = Serial(RotationLift(group, 1), Relu(), Dense(1, sigma_b=0.2), *end)
    assert jnp.max(jnp.abs(both(wide, x) - both(point, x))) < 1e-15
    assert jnp.max(jnp.abs(both(wide, x) - both(wide, x, x))) < 1e-13


def test_the_unit_element_is_exact_for_a_signal_with_itself():
    """A constant signal does not turn: its correlation is constant, and rounding must not make an angle of it."""
    constant = jnp.zeros((1, 9, 1)).at[0, 0].set(jnp.sqrt(4 * jnp.pi))
    k = kernel(Serial(RotationLift(SO3(3), 1), Relu()), constant)
    assert jnp.max(jnp.abs(k.k12 - 0.5)) < 1e-15 and jnp.max(jnp.abs(k.ntk - 0.5)) < 1e-15
    d = kernel(pooled(SO3(3), Relu()), jr.normal(jr.key(0), (2, 9, 1))).d
    assert d[0, 0] == 0 and d[0, 1] > 1e-3


def test_residual_blocks_norms_and_branches_follow_the_dense_recursion(getkey):
    """At each Q the layers act as on a pair of vectors with that covariance: checked against two-dimensional ones."""
    group = SO3(2)
    x1, x2 = signals(getkey(), 1, 9), signals(getkey(), 1, 9)
    body = [LayerNorm(), Relu(), Dense(1), Residual(Erf(), Dense(1, sigma_b=0.1)), Parallel(Dense(1), Dense(1)), Relu()]
    row = kernel(Serial(RotationLift(group, 1), *body), x1, x2)
    cosine = kernel(RotationLift(group, 1), x1, x2).k12[0, 0, 0]
    vectors = jnp.stack([cosine, jnp.sqrt(1 - cosine**2)], 1) * 2**0.5
    plane = kernel(Serial(Dense(1), *body), jnp.array([[2**0.5, 0.0]]), vectors)
    assert jnp.max(jnp.abs(row.k12[0, 0, 0] - plane.k12[0])) < 1e-12
    assert jnp.max(jnp.abs(row.ntk[0, 0, 0] - plane.ntk[0])) < 1e-12


def test_flattening_reads_equal_rotations(getkey):
    """Weights of their own at each rotation: the mean of k(R R^-1), which is k(1)."""
    x1, x2 = signals(getkey(), 2, 9), signals(getkey(), 2, 9)
    body = Serial(RotationLift(SO3(2), 1), Relu())
    assert (
        jnp.max(jnp.abs(nngp(Serial(body, Flatten(), Dense(1)), x1, x2) - kernel(body, x1, x2).k12[:, :, 0, 0])) < 1e-15
    )


class OutsidePool(AbstractLayer):
    """As a reader of the docs writes it."""

    def init(self, key, shape):
        return shape[-1:], {}

    def apply(self, params, x):
        return jnp.mean(x, axis=0)


class OutsideConv(OutsidePool):
    """Weights of one filter on all sites."""


@propagate.register(OutsidePool)
def _(layer, k):
    return independent_average(k, jnp.mean, jnp.mean, ())


@propagate.register(OutsideConv)
def _(layer, k):
    return joint_average(k, lambda array, pairs: array, lambda array, pairs: jnp.mean(array), k.sites, ())


@needs.register(OutsidePool)
def _(layer, after):
    return Needs(True, after.variances)


MIXING = {
    "conv": Conv(1, 3),
    "conv without margins": Conv(1, 3, padding="VALID"),
    "local": ConvLocal(1, 3),
    "transposed": ConvTranspose(1, 3, 2),
    "outside pool": OutsidePool(),
    "outside conv": OutsideConv(),
    "global pool": GlobalAvgPool(),
    "group pool": GroupPool(),
    "pool": AvgPool(2),
    "map": SiteMap(tuple((1.0,) * 48 for _ in range(2))),
    "slice": Slice(1),
    "attention": Attention(Dense(1), Dense(1), Dense(1)),
}


@pytest.mark.parametrize("layer", MIXING.values(), ids=MIXING)
def test_layers_that_mix_nodes_as_if_they_were_sites_are_refused(layer, getkey):
    net = Serial(RotationLift(SO3(2), 1), layer)
    with pytest.raises(ValueError, match="expected covariances between all sites, got those of a function on a group"):
        nngp(net, signals(getkey(), 1, 9))


@pytest.mark.parametrize(
    "net, says",
    [
        (Serial(RotationLift(SO3(2), 1), Relu()), "whose output is no function on a group of rotations"),
        (Serial(RotationLift(SO3(2), 1), RotationPool(SO3(3))), r"expected sites \(144,\), got \(48,\)"),
        (RotationPool(SO3(2)), r"expected sites \(48,\), got \(9,\)"),
        (Serial(RotationLift(SO2(3), 1), RotationConv(SO3(2), 1)), r"expected sites \(48,\), got \(6,\)"),
    ],
)
def test_refusals(net, says, getkey):
    with pytest.raises(ValueError, match=says):
        nngp(net, signals(getkey(), 1, 9))


@pytest.mark.parametrize("group", [SO2, SO3])
def test_signals_are_refused_below_the_order_that_integrates_them(group, getkey):
    """A linear network's pool is its degree 0: exact from (lmax + 1)/2 on, the order that the error names."""
    lmax, least = 6, 4
    x = jr.normal(getkey(), (1, group(1).start(lmax + 1), 1))

    def net(order, **cap):
        return Serial(RotationLift(group(order), 1, **cap), RotationPool(group(order)))

    volume = group(1).volume
    assert jnp.abs(nngp(net(least), x) - x[0, 0, 0] ** 2 / volume).max() < 1e-13
    with pytest.raises(ValueError, match=rf"up to degree 5, .* take {group.__name__}\({least}\) or more"):
        nngp(net(least - 1), x)
    with pytest.raises(ValueError, match=rf"take {group.__name__}\({least}\) or more"):
        RotationLift(group(least - 1), 1).init(jr.key(0), x.shape[1:])
    if group is SO3:
        with pytest.raises(ValueError, match=r"up to degree 5 with a cap, .* take SO3\(7\) or more"):
            nngp(net(6, cap=0.5), x)


def test_refusals_of_wrong_arguments():
    with pytest.raises(ValueError, match="expected lmax < 3"):
        RotationConv(SO3(3), 1, lmax=3)
    with pytest.raises(ValueError, match="expected l < 3"):
        RotationProjection(SO3(3), 3)
    with pytest.raises(ValueError, match=r"expected \(lmax \+ 1\)\^2 coefficients"):
        nngp(Serial(RotationLift(SO3(2), 1), RotationPool(SO3(2))), jnp.ones((1, 8, 1)))
    for make in (RotationLift, RotationConv, RotationProjection):
        with pytest.raises(TypeError, match="expected a group SO2"):
            make("SO3", 1)


def test_dropout_is_refused_while_one_row_is_held(getkey):
    """A mask is drawn at each node: one rotation with itself has more variance, at Q = 1 and at the node Q = 1."""
    x, group = signals(getkey(), 1, 9), SO3(2)

    def net(*layers):
        return Serial(RotationLift(group, 1), Relu(), *layers, Dense(1))

    for inputs in ((x,), (x, x)):
        with pytest.raises(ValueError, match="Dropout expected covariances between all sites"):
            ntk(net(Dropout(0.5), RotationPool(group)), *inputs)
    mean = both(net(Dropout(0.5, training=False), RotationPool(group)), x)
    assert jnp.all(mean == both(net(RotationPool(group)), x))
    assert jnp.max(jnp.abs(both(net(RotationPool(group), Dropout(0.5)), x) - 2 * mean)) < 1e-14


def test_dropout_after_a_cap_of_the_whole_sphere_adds_variance_at_equal_nodes(getkey):
    """The sum over nodes of w^2 k(1), once more at a rate of 1/2, in one evaluation; none in two."""
    x, group = signals(getkey(), 1, 4), SO3(2)
    net = Serial(RotationLift(group, 1, cap=np.pi), Relu())
    noisy = Serial(net, Dropout(0.5), RotationPool(group))
    plain = nngp(Serial(net, RotationPool(group)), x)
    added = jnp.sum(group.weights**2) * kernel(Serial(RotationLift(group, 1), Relu()), x).k12[0, 0, 0, 0]
    assert jnp.abs(nngp(noisy, x) - plain - added).max() < 1e-14
    assert jnp.abs(nngp(noisy, x, x) - plain).max() < 1e-14


def test_derivatives_at_equal_signals_are_finite(getkey):
    x = signals(getkey(), 2, 9)
    net = pooled(SO3(3), Relu(), 2)
    slope = jax.grad(lambda y: jnp.sum(ntk(net, y, x)))(x)
    assert jnp.all(jnp.isfinite(slope)) and jnp.any(slope != 0)

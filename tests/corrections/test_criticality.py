"""Critical priors against closed forms and published numbers; susceptibilities by two routes."""

import math

import jax.numpy as jnp
import numpy as np
import pytest

from equitangents import nets, nngp, ntk
from equitangents.corrections import critical_net, criticality, fixed_points, largest_learning_rate, phase_diagram
from equitangents.corrections.susceptibility import moments

# nonlinearity: class, C_W, C_b, K*; Roberts, Yaida and Hanin (2022), table 1 and section 5.3
CRITICAL = {
    nets.Relu(): ("scale-invariant", 2, 0, math.nan),
    nets.LeakyRelu(0.5): ("scale-invariant", 1.6, 0, math.nan),
    nets.Identity(): ("scale-invariant", 1, 0, math.nan),
    nets.Tanh(): ("K* = 0", 1, 0, 0),
    nets.Sin(): ("K* = 0", 1, 0, 0),
    nets.Erf(1.0, 1 / math.sqrt(2)): ("K* = 0", math.pi / 2, 0, 0),
    nets.Erf(): ("K* = 0", math.pi / 4, 0, 0),
    nets.Gelu(): ("half-stable", 1.98305826, 0.17292239, (3 + math.sqrt(17)) / 2),
    nets.Silu(): ("half-stable", 1.98800468, 0.55514317, 14.32017362),
}


@pytest.mark.parametrize("phi", CRITICAL, ids=str)
def test_critical_priors_are_the_known_ones(phi):
    found = criticality(phi)
    universality, c_w, c_b, k_star = CRITICAL[phi]
    assert found.universality == universality
    np.testing.assert_allclose((found.sigma_w**2, found.sigma_b**2, found.k_star), (c_w, c_b, k_star), atol=6e-9)


@pytest.mark.parametrize("phi", [phi for phi, row in CRITICAL.items() if row[0] == "half-stable"], ids=str)
def test_at_a_half_stable_point_both_susceptibilities_are_one_and_the_variance_stays(phi):
    found = criticality(phi)
    g, g_prime, p = moments(phi, found.k_star, nodes=701)  # not the nodes with which it was found
    np.testing.assert_allclose([found.sigma_w**2 * g_prime, found.sigma_w**2 * p], 1, atol=1e-9)
    np.testing.assert_allclose(found.sigma_b**2 + found.sigma_w**2 * g, found.k_star, rtol=1e-9)


@pytest.mark.parametrize("phi", [nets.Sigmoid(), nets.Softplus(), nets.Cos(), nets.Elu()], ids=str)
def test_some_have_no_critical_prior(phi):
    assert criticality(phi).universality == "none"
    with pytest.raises(ValueError, match="has no critical prior"):
        critical_net(phi, (10, 1))


@pytest.mark.parametrize("phi", [nets.Relu(), nets.Erf(), nets.Sin(1.2, 0.8, 0.5), nets.Gelu()], ids=str)
def test_closed_forms_and_quadrature_agree(phi):
    k = jnp.array([0.3, 1.0, 4.0])
    for closed, numeric in zip(moments(phi, k), moments(phi, k, nodes=80 if phi.kinks else 300), strict=True):
        np.testing.assert_allclose(closed, numeric, rtol=1e-9)


def test_the_chaotic_tanh():
    zero, other = fixed_points(nets.Tanh(), math.sqrt(2))
    assert (zero.k, round(other.k, 5), round(other.chi_perp, 5)) == (0, 0.61796, 1.10553)
    assert zero.chi_parallel > 1 > other.chi_parallel
    assert other.xi_perp < 0 < other.xi_parallel


def test_a_scale_invariant_network_has_every_variance_as_fixed_point():
    with pytest.raises(ValueError, match="every variance is a fixed point"):
        fixed_points(nets.Relu(), math.sqrt(2))
    assert [p.k for p in fixed_points(nets.Relu(), 1.0, 1.0)] == pytest.approx([2.0])  # K = 1 + K / 2


def test_depth_scale_is_the_rate_at_which_deep_networks_forget():
    """Two inputs at the fixed point become alike as exp(-depth / xi_perp)."""
    sigma_w, sigma_b = 1.0, 0.5
    (point,) = fixed_points(nets.Erf(), sigma_w, sigma_b)
    size = math.sqrt((point.k - sigma_b**2) * 2)
    x = size * jnp.array([[1.0, 0.0], [0.8, 0.6]])  # K^(1) = K*
    deep = [
        nets.Serial(*[nets.Dense(1, sigma_w, sigma_b), nets.Erf()] * n, nets.Dense(1, sigma_w, sigma_b))
        for n in (20, 30)
    ]
    gaps = [k[0, 0] - k[0, 1] for k in (nngp(net, x) for net in deep)]
    assert math.log(gaps[0] / gaps[1]) / 10 == pytest.approx(1 / point.xi_perp, rel=1e-3)


def test_phase_diagram_agrees_with_fixed_points_and_knows_divergence():
    found = phase_diagram(nets.Tanh(), [0.8, 2**0.5], [0.0, 0.5])
    for i, sigma_b in enumerate(found.sigma_b):
        for j, sigma_w in enumerate(found.sigma_w):
            point = fixed_points(nets.Tanh(), sigma_w, sigma_b)[-1]
            np.testing.assert_allclose(found.k_star[i, j], point.k, rtol=1e-8, atol=1e-12)
            np.testing.assert_allclose(found.chi_perp[i, j], point.chi_perp, rtol=1e-8)
    assert np.isinf(phase_diagram(nets.Relu(), [1.5], [0.1]).k_star[0, 0])
    with pytest.raises(ValueError, match="expected sigma_w to be a vector"):
        phase_diagram(nets.Relu(), 1.0, [0.1])


@pytest.mark.parametrize("phi", [nets.Tanh(), nets.Relu()], ids=str)
def test_rates_of_a_critical_network_keep_its_tangent_kernel_of_order_one(phi):
    x = jnp.array([[1.0, 0.5, -0.3]])
    shallow, deep, constant = (
        ntk(net, x).item()
        for net in (
            critical_net(phi, [1] * 40),
            critical_net(phi, [1] * 160),
            nets.Serial(*[nets.Dense(1, criticality(phi).sigma_w, 0.0, 1.0, 1.0), phi] * 159, nets.Dense(1)),
        )
    )
    assert deep == pytest.approx(shallow, rel=0.1)
    assert constant > 20 * deep


def test_layers_of_a_critical_network_contribute_alike():
    """The kernel with only the biases of one layer trained is about the same for early and late layers."""
    x, depth = jnp.array([[1.0, 0.5, -0.3]]), 64

    def share(number):
        net = critical_net(nets.Tanh(), [1] * depth)
        rates = [layer.lambda_b if i == number else 0.0 for i, layer in enumerate(net.layers[::2])]
        layers = [part for rate in rates for part in (nets.Dense(1, 1.0, 0.0, 0.0, rate), nets.Tanh())]
        return ntk(nets.Serial(*layers[:-1]), x).item()

    shares = [share(number) for number in (15, 31, 63)]
    assert max(shares) < 1.2 * min(shares)


def test_beyond_the_largest_learning_rate_descent_diverges():
    net, x = critical_net(nets.Erf(), (1, 1)), jnp.array([[1.0, 0.5], [0.2, -0.7]])
    assert largest_learning_rate(net, x) * float(jnp.linalg.norm(ntk(net, x), 2)) == pytest.approx(2)

"""The closed forms of training against matrix exponentials, explicit ensembles, explicit loops, and their own laws."""

import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
import scipy.linalg

from equitangents.dynamics import GradientFlow, max_learning_rate, nngp_posterior
from equitangents.kernels import nngp_and_ntk
from equitangents.nets import Dense, Erf, Relu, Serial

N, M, D = 6, 4, 3


@jax.jit
def rbf(x1, x2=None):
    """A kernel pair; the NTK is no function of the NNGP."""
    x2 = x1 if x2 is None else x2
    squares = jnp.sum((x1[:, None] - x2[None]) ** 2, axis=-1)
    return jnp.exp(-squares / 2), jnp.exp(-squares) + 0.3 * (x1 @ x2.T) ** 2


def linear(x1, x2=None):
    return (x1 @ (x1 if x2 is None else x2).T,) * 2


class Scaled(eqx.Module):
    """A kernel with a number to differentiate."""

    scale: jax.Array

    def __call__(self, x1, x2=None):
        nngp, ntk = rbf(self.scale * x1, None if x2 is None else self.scale * x2)
        return nngp, ntk


@pytest.fixture
def data(getkey):
    return jr.normal(getkey(), (N, D)), jr.normal(getkey(), (N, 2)), jr.normal(getkey(), (M, D))


def brute_gain(ntk, ridge, t):
    """w_t(S) = S^-1 (1 - e^{-S t}) by the exponential of a block matrix, without a division by S."""
    n = len(ntk)
    s = np.asarray(ntk) + ridge * np.eye(n)
    return scipy.linalg.expm(t * np.block([[-s, np.eye(n)], [np.zeros((n, 2 * n))]]))[:n, n:]


def test_before_training_the_mean_is_zero_and_the_covariance_is_the_prior(data):
    x, y, x_test = data
    flow = GradientFlow(rbf, x, y, loss="sum")
    assert not flow.mean(x_test, 0.0).any()
    np.testing.assert_allclose(flow.covariance(x_test, t=0.0), rbf(x_test)[0], atol=1e-15)


@pytest.mark.parametrize("loss", ["sum", "mean"])
def test_training_to_the_end_interpolates(data, loss):
    x, y, _ = data
    flow = GradientFlow(rbf, x, y, loss=loss)
    np.testing.assert_allclose(flow.mean(x, jnp.inf), y, atol=1e-12)
    np.testing.assert_allclose(flow.mean_train(jnp.inf), y, atol=1e-12)
    np.testing.assert_allclose(flow.covariance(x, t=jnp.inf), np.zeros((N, N)), atol=1e-12)


@pytest.mark.parametrize("ridge", [0.0, 0.2])
@pytest.mark.parametrize("t", [0.1, 1.0, 10.0])
def test_mean_and_covariance_match_the_matrix_exponential(data, t, ridge):
    x, y, x_test = data
    flow = GradientFlow(rbf, x, y, loss="sum", ridge=ridge)
    k, ntk = rbf(x)
    k_test, ntk_test = rbf(x_test, x)
    b = ntk_test @ brute_gain(ntk, ridge, t)
    np.testing.assert_allclose(flow.mean(x_test, t), b @ y, atol=1e-12)
    sigma = rbf(x_test)[0] - b @ k_test.T - k_test @ b.T + b @ k @ b.T
    np.testing.assert_allclose(flow.covariance(x_test, t=t), sigma, atol=1e-12)
    np.testing.assert_allclose(flow.covariance(x_test, x_test[:2], t), sigma[:, :2], atol=1e-12)


@pytest.mark.parametrize("ridge", [0.0, 0.3])
def test_trained_random_feature_models_have_this_mean_and_covariance(getkey, ridge):
    """Parameters flow down the penalised loss; f_0 is Gaussian, independent of the gradient features."""
    t, width, members = 0.7, 9, 4000
    initial, features = jr.normal(getkey(), (N + M, 12)) / 4, jr.normal(getkey(), (N + M, width)) / 2
    y = jr.normal(getkey(), (N,))
    nngp, ntk = initial @ initial.T, features @ features.T
    flow = GradientFlow.from_gram(nngp[:N, :N], ntk[:N, :N], y, loss="sum", ridge=ridge)
    cross = nngp[N:, :N], ntk[N:, :N]
    mean, covariance = flow.mean_from(cross[1], t), flow.covariance_from(nngp[N:, N:], cross, None, t)

    phi = np.asarray(features[:N])
    hessian = phi.T @ phi + ridge * np.eye(width)
    force = scipy.linalg.expm(t * np.block([[-hessian, phi.T], [np.zeros((N, width + N))]]))[:width, width:]
    moved = np.asarray(features[N:]) @ force
    residual_map = np.asarray(initial[N:] - moved @ initial[:N])  # f_t = moved Y + residual_map xi, xi standard normal
    np.testing.assert_allclose(mean, moved @ np.asarray(y), atol=1e-12)
    np.testing.assert_allclose(covariance, residual_map @ residual_map.T, atol=1e-12)

    draws = moved @ np.asarray(y) + np.asarray(jr.normal(getkey(), (members, 12))) @ residual_map.T
    error = draws.std(axis=0) / np.sqrt(members)
    assert (np.abs(draws.mean(axis=0) - mean) < 5 * error).all()


def test_mean_loss_is_the_sum_loss_at_a_time_divided_by_the_number_of_examples(data):
    x, y, x_test = data
    flows = {loss: GradientFlow(rbf, x, y, loss=loss, ridge=0.1) for loss in ("sum", "mean")}
    for t in (0.3, 5.0, jnp.inf):
        np.testing.assert_allclose(flows["mean"].mean(x_test, N * t), flows["sum"].mean(x_test, t), atol=1e-13)
        np.testing.assert_allclose(
            flows["mean"].covariance(x_test, t=N * t), flows["sum"].covariance(x_test, t=t), atol=1e-13
        )


def test_outputs_do_not_mix_and_times_add_a_leading_axis(data):
    x, y, x_test = data
    flow, times = GradientFlow(rbf, x, y, loss="sum"), jnp.array([0.0, 0.5, 1e6, jnp.inf])
    means, covariances = flow.mean(x_test, times), flow.covariance(x_test, x_test[:2], times)
    assert means.shape == (4, M, 2) and covariances.shape == (4, M, 2)
    for i, t in enumerate(times):
        np.testing.assert_allclose(means[i], flow.mean(x_test, t), atol=1e-13)
        np.testing.assert_allclose(covariances[i], flow.covariance(x_test, x_test[:2], t), atol=1e-13)
    single = GradientFlow(rbf, x, y[:, 1], loss="sum").mean(x_test, times)
    assert single.shape == (4, M)
    np.testing.assert_allclose(single, means[..., 1], atol=1e-13)


@pytest.mark.optimised
def test_covariance_stays_symmetric_and_positive_semidefinite(data):
    x, y, x_test = data
    sigma = GradientFlow(rbf, x, y, loss="mean").covariance(x_test, t=jnp.array([0.0, 0.1, 1.0, 10.0, 1e3, jnp.inf]))
    np.testing.assert_array_equal(sigma, jnp.swapaxes(sigma, 1, 2))
    assert np.linalg.eigvalsh(sigma).min() > -1e-12


def test_variance_on_the_training_set_decreases_when_both_kernels_agree(data):
    x, y, _ = data
    gram = rbf(x)[1]
    flow = GradientFlow.from_gram(gram, gram, y, loss="sum")
    variances = [np.diag(flow.covariance_from(gram, (gram, gram), None, t)) for t in (0.0, 0.1, 1.0, 10.0)]
    assert all((late < early).all() for early, late in itertools.pairwise(variances))


@pytest.mark.parametrize("t", [0.0, 0.1, 1.0, 10.0, 1e3, 1e6, 1e9, 1e15, 1e30, jnp.inf])
def test_repeated_inputs_train_as_one_input_with_the_mean_label_at_a_multiple_of_the_rate(data, t):
    """Labels of the copies agree for one output and not for the other: exact zero modes, consistent and not."""
    x, y, x_test = data
    x, y = x[:3], y[:3]
    shift = jnp.array([[0.0, 1.0]])
    doubled = GradientFlow(rbf, jnp.concatenate([x, x]), jnp.concatenate([y + shift, y - shift]), loss="sum")
    single = GradientFlow(rbf, x, y, loss="sum")
    np.testing.assert_allclose(doubled.mean(x_test, t), single.mean(x_test, 2 * t), atol=2e-9)
    np.testing.assert_allclose(doubled.covariance(x_test, t=t), single.covariance(x_test, t=2 * t), atol=2e-9)


def test_a_kernel_that_is_zero_learns_nothing():
    flow = GradientFlow.from_gram(jnp.eye(2), jnp.zeros((2, 2)), jnp.ones(2), loss="sum")
    times = jnp.array([0.0, 1.0, jnp.inf])
    assert not flow.mean_train(times).any()
    unmoved = flow.covariance_from(jnp.eye(2), (jnp.eye(2), jnp.zeros((2, 2))), None, 1.0)
    np.testing.assert_array_equal(unmoved, np.eye(2))


def test_augmented_ridge_is_the_ridge_of_the_averaged_kernel_times_the_order_of_the_group(data):
    """The group of sign flips: sum loss at |G| times the time, or mean loss at the same time."""
    x, y, x_test = data

    def averaged(x1, x2=None):
        x2 = x1 if x2 is None else x2
        return jax.tree.map(lambda a, b: (a + b) / 2, rbf(x1, x2), rbf(x1, -x2))

    orbit, labels = jnp.concatenate([x, -x]), jnp.concatenate([y, y])
    for loss, faster in (("sum", 2), ("mean", 1)):
        augmented = GradientFlow(rbf, orbit, labels, loss=loss, ridge=0.4)
        imposed = GradientFlow(averaged, x, y, loss=loss, ridge=0.2)
        for t in (0.1, 1.0, jnp.inf):
            np.testing.assert_allclose(augmented.mean(x_test, t), imposed.mean(x_test, faster * t), atol=1e-12)


@pytest.mark.parametrize("loss", ["sum", "mean"])
@pytest.mark.parametrize("fraction", [0.01, 0.6, 0.99])
def test_descent_equals_the_explicit_loop(data, loss, fraction):
    x, y, x_test = data
    ridge, per_example = 0.1, N if loss == "mean" else 1
    ntk, ntk_test = np.asarray(rbf(x)[1]), np.asarray(rbf(x_test, x)[1])
    rate = fraction * float(max_learning_rate(ntk, loss=loss, ridge=ridge))
    descent = GradientFlow(rbf, x, y, loss=loss, ridge=ridge).descent(rate)
    y = np.asarray(y)
    weights, steps = np.zeros((N, 2)), {}
    for k in range(41):
        steps[k] = ntk_test @ weights
        gradient = ntk @ weights - y + ridge * weights
        weights = weights - rate / per_example * gradient
    for k in (0, 1, 2, 7, 40):
        np.testing.assert_allclose(descent.mean(x_test, k), steps[k], atol=1e-12)
    end = GradientFlow(rbf, x, y, loss=loss, ridge=ridge)
    np.testing.assert_allclose(descent.mean(x_test, jnp.inf), end.mean(x_test, jnp.inf), atol=1e-12)
    np.testing.assert_allclose(descent.covariance(x, t=jnp.inf), end.covariance(x, t=jnp.inf), atol=1e-12)


def test_descent_approaches_the_flow_in_proportion_to_the_learning_rate(data):
    x, y, x_test = data
    flow = GradientFlow(rbf, x, y, loss="sum")
    gaps = [jnp.abs(flow.descent(1 / k).mean(x_test, k) - flow.mean(x_test, 1.0)).max() for k in (1000, 2000)]
    assert 1.95 < gaps[0] / gaps[1] < 2.05
    assert gaps[0] < 1e-2


def test_descent_has_the_mean_of_repeated_inputs_too(data):
    x, y, x_test = data
    x, y = x[:3], y[:3]
    doubled = GradientFlow(rbf, jnp.concatenate([x, x]), jnp.concatenate([y, y]), loss="sum").descent(0.05)
    single = GradientFlow(rbf, x, y, loss="sum").descent(0.1)
    for k in (1, 10, 10**6, jnp.inf):
        np.testing.assert_allclose(doubled.mean(x_test, k), single.mean(x_test, k), atol=1e-10)


def test_momentum_raises_the_largest_stable_learning_rate(data):
    x, y, _ = data
    ntk, y, m = np.asarray(rbf(x)[1]), np.asarray(y), 0.8
    limit = float(max_learning_rate(ntk, loss="sum", momentum=m))
    sizes = []
    for factor in (0.999, 1.001):
        weights = velocity = np.zeros(y.shape)
        for _ in range(20000):
            velocity = m * velocity - factor * limit * (ntk @ weights - y)
            weights = weights + velocity
        sizes.append(np.abs(ntk @ weights - y).max())
    assert sizes[0] < 10 < sizes[1]


def test_posterior_is_the_flow_of_the_last_layer_and_with_noise_exact_inference(data):
    x, y, x_test = data
    k, k_test = rbf(x)[0], rbf(x_test, x)[0]
    last_layer = GradientFlow(lambda a, b=None: (rbf(a, b)[0],) * 2, x, y, loss="mean")
    mean, covariance = nngp_posterior(rbf, x, y, x_test, ridge=0.0)
    np.testing.assert_allclose(mean, last_layer.mean(x_test, jnp.inf), atol=1e-12)
    np.testing.assert_allclose(covariance, last_layer.covariance(x_test, t=jnp.inf), atol=1e-12)
    mean, covariance = nngp_posterior(rbf, x, y, x_test, ridge=0.3)
    inverse = np.linalg.inv(k + 0.3 * np.eye(N))
    np.testing.assert_allclose(mean, k_test @ inverse @ y, atol=1e-12)
    np.testing.assert_allclose(covariance, rbf(x_test)[0] - k_test @ inverse @ k_test.T, atol=1e-12)


@pytest.mark.optimised
def test_stored_matrices_give_the_same_as_the_kernel(data):
    x, y, x_test = data
    flow, stored = GradientFlow(rbf, x, y, loss="sum"), GradientFlow.from_gram(*rbf(x), y, loss="sum")
    cross = rbf(x_test, x)
    np.testing.assert_array_equal(stored.mean_from(cross[1], 1.0), flow.mean(x_test, 1.0))
    np.testing.assert_array_equal(
        stored.covariance_from(rbf(x_test)[0], cross, None, 1.0), flow.covariance(x_test, t=1.0)
    )
    both = stored.covariance_from(rbf(x_test)[0], cross, cross, 1.0)
    np.testing.assert_allclose(both, flow.covariance(x_test, x_test, 1.0), atol=1e-15)


def test_it_is_a_pytree_under_jit_and_vmap(data):
    x, y, x_test = data
    flow, times = GradientFlow(rbf, x, y, loss="sum"), jnp.array([0.2, 3.0, jnp.inf])
    expected = flow.mean(x_test, times)
    np.testing.assert_allclose(jax.jit(lambda f, t: f.mean(x_test, t))(flow, times), expected, atol=1e-13)
    np.testing.assert_allclose(jax.vmap(lambda t: flow.mean(x_test, t))(times), expected, atol=1e-13)
    labels = jax.vmap(lambda y: GradientFlow(rbf, x, y, loss="sum").mean(x_test, 0.2), in_axes=1, out_axes=1)(y)
    np.testing.assert_allclose(labels, expected[0], atol=1e-13)


def numerical(f, x, direction, h=1e-5):
    return (f(x + h * direction) - f(x - h * direction)) / (2 * h)


@pytest.mark.parametrize("training", ["flow", "descent"])
def test_derivatives_with_repeated_eigenvalues_match_differences(getkey, training):
    """Four points at the corners of a square: every rotation-invariant kernel has a repeated eigenvalue."""
    x = jnp.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    y, x_test, direction = jr.normal(getkey(), (4,)), jr.normal(getkey(), (2, 2)), jr.normal(getkey(), (4, 2))
    times = (1e-7, 0.5, 50.0, jnp.inf) if training == "flow" else (1.0, 2.0, 50.0, jnp.inf)

    def output(x_train, y, x_test, ridge, scale, t):
        flow = GradientFlow(Scaled(scale), x_train, y, loss="sum", ridge=ridge)
        if training == "descent":
            flow = flow.descent(0.3)
        return jnp.sum(jnp.sin(flow.mean(x_test, t))) + jnp.sum(flow.covariance(x_test, t=t))

    output, gradient = jax.jit(output), jax.jit(jax.grad(output, argnums=range(5)))
    arguments = [x, y, x_test, jnp.array(0.1), jnp.array(0.9)]
    directions = [direction, direction[:, 0], direction[:2], jnp.array(1.0), jnp.array(1.0)]
    for t in times:
        for i, (by_argument, along) in enumerate(zip(gradient(*arguments, t), directions, strict=True)):
            before, after = arguments[:i], arguments[i + 1 :]
            expected = numerical(lambda a: output(*before, a, *after, t), arguments[i], along)  # noqa: B023
            np.testing.assert_allclose(jnp.sum(by_argument * along), expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("t", [1e-12, 1e-6, 3e-5, 1e-3, 0.3, 20.0])
def test_derivative_in_the_training_kernel_is_the_block_of_a_larger_exponential(getkey, t):
    """w([[S, E], [0, S]]) holds the derivative of w(S) along E; eigenvalues repeated, nearly repeated and small."""
    q = np.linalg.qr(jr.normal(getkey(), (N, N)))[0]
    ntk = (q * np.array([2.0, 2.0, 1.0, 0.5, 0.5 + 1e-7, 1e-3])) @ q.T
    y, cross, noise = jr.normal(getkey(), (N,)), jr.normal(getkey(), (M, N)), jr.normal(getkey(), (N, N))
    along = noise + noise.T

    def mean(ntk):
        return GradientFlow.from_gram(jnp.eye(N), ntk, y, loss="sum").mean_from(cross, t)

    _, derivative = jax.jvp(jax.jit(mean), (jnp.asarray(ntk),), (along,))
    expected = cross @ brute_gain(np.block([[ntk, along], [np.zeros((N, N)), ntk]]), 0.0, t)[:N, N:] @ y
    np.testing.assert_allclose(derivative, expected, rtol=3e-6, atol=3e-6 * np.abs(expected).max())


def test_derivatives_at_the_end_of_training_follow_a_null_space_that_turns(getkey):
    """Six examples, a linear kernel of rank three, labels that do not fit: least squares at t = inf."""
    x, y, x_test = (jr.normal(getkey(), shape) for shape in ((N, D), (N,), (M, D)))

    def output(x):
        return jnp.sum(jnp.sin(GradientFlow(linear, x, y, loss="mean").mean(x_test, jnp.inf)))

    def least_squares(x):
        return jnp.sum(jnp.sin(x_test @ jnp.linalg.solve(x.T @ x, x.T @ y)))

    np.testing.assert_allclose(output(x), least_squares(x), atol=1e-11)
    np.testing.assert_allclose(jax.jit(jax.grad(output))(x), jax.jit(jax.grad(least_squares))(x), atol=1e-10)


def test_derivative_in_time_is_the_velocity_of_training(data):
    x, y, x_test = data
    flow = GradientFlow(rbf, x, y, loss="sum")
    velocity = jax.jacfwd(lambda t: flow.mean(x_test, t))(0.4)
    np.testing.assert_allclose(velocity, rbf(x_test, x)[1] @ (y - flow.mean_train(0.4)), atol=1e-12)


def test_second_derivatives_exist_in_the_inputs_and_are_refused_in_the_training_kernel(data):
    x, y, x_test = data
    flow = GradientFlow(rbf, x, y, loss="sum")
    hessian = jax.jit(jax.hessian(lambda z: jnp.sum(flow.mean(z[None], 1.0))))(x_test[0])
    assert hessian.shape == (D, D) and jnp.isfinite(hessian).all()

    def square(y):
        return jnp.sum(GradientFlow(rbf, x, y, loss="sum").mean(x_test, 1.0) ** 2)

    def by_scale(scale):
        return jnp.sum(GradientFlow(Scaled(scale), x, y, loss="sum").mean(x_test, 1.0))

    assert jnp.isfinite(jax.jit(jax.hessian(square))(y[:, 0])).all()
    with pytest.raises(NotImplementedError, match="second derivatives"):
        jax.jit(jax.grad(jax.grad(by_scale)))(jnp.array(0.9))


@pytest.mark.optimised
def test_float32_in_is_float32_out_with_its_digits(data):
    x, y, x_test = data
    exact = GradientFlow(rbf, x, y, loss="sum", ridge=0.1)
    single = GradientFlow(rbf, *(a.astype(jnp.float32) for a in (x, y)), loss="sum", ridge=0.1)
    z = x_test.astype(jnp.float32)
    for t in (0.1, 10.0, jnp.inf):
        mean, covariance = single.mean(z, t), single.covariance(z, t=t)
        assert mean.dtype == covariance.dtype == jnp.float32
        np.testing.assert_allclose(mean, exact.mean(x_test, t), atol=3e-5)
        np.testing.assert_allclose(covariance, exact.covariance(x_test, t=t), atol=3e-5)
    assert single.descent(0.05).mean(z, 3).dtype == jnp.float32
    assert nngp_posterior(rbf, single.regression.x_train, y, z, ridge=0.1).mean.dtype == jnp.float32


def test_a_description_trains_as_its_kernels_do_and_its_numbers_have_derivatives(data):
    x, y, x_test = data
    net = lambda sigma_w: Serial(Dense(64, sigma_w=sigma_w, sigma_b=0.3), Erf(), Dense(1))  # noqa: E731
    by_description = GradientFlow(net(1.2), x, y, loss="mean")
    by_function = GradientFlow(lambda x1, x2=None: nngp_and_ntk(net(1.2), x1, x2), x, y, loss="mean")
    np.testing.assert_allclose(by_description.mean(x_test, 10.0), by_function.mean(x_test, 10.0), atol=1e-13)
    np.testing.assert_allclose(by_description.mean(x, jnp.inf), y, atol=1e-8)

    def output(sigma_w, x, x_test):
        return jnp.sum(GradientFlow(net(sigma_w), x, y, loss="mean").mean(x_test, 10.0))

    output, gradient = jax.jit(output), jax.jit(jax.grad(output))
    sigma_w = jnp.array(1.2)
    expected = numerical(lambda s: output(s, x, x_test), sigma_w, 1.0)
    np.testing.assert_allclose(gradient(sigma_w, x, x_test), expected, rtol=1e-6)


X, Y, GRAM = np.eye(3), np.ones((3, 2)), np.eye(3)
FLOW = lambda: GradientFlow(rbf, X, Y, loss="sum")  # noqa: E731
NAN = np.where(np.eye(3) == 1, np.nan, 0.0)
MISTAKES = {
    "missing loss": (lambda: GradientFlow(rbf, X, Y), ValueError, 'expected loss="sum"'),
    "unknown loss": (lambda: GradientFlow(rbf, X, Y, loss="mse"), ValueError, "got loss='mse'"),
    "no kernel": (lambda: GradientFlow(3.0, X, Y, loss="sum"), TypeError, "got float"),
    "a kernel of one matrix": (lambda: GradientFlow(lambda a, b: a @ a.T, X, Y, loss="sum"), TypeError, "tuple of two"),
    "a kernel of wrong shape": (
        lambda: GradientFlow(lambda a, b: (a, a), X[:, :2], Y, loss="sum"),
        ValueError,
        r"of shape \(3, 3\)",
    ),
    "one example without batch axis": (lambda: GradientFlow(rbf, 1.0, Y, loss="sum"), ValueError, r"shape \(n, ...\)"),
    "no examples": (lambda: GradientFlow(rbf, X[:0], Y[:0], loss="sum"), ValueError, "non-empty"),
    "fewer labels": (lambda: GradientFlow(rbf, X, Y[:2], loss="sum"), ValueError, r"got shape \(2, 2\)"),
    "labels of rank 3": (lambda: GradientFlow(rbf, X, Y[..., None], loss="sum"), ValueError, "y_train of shape"),
    "complex labels": (lambda: GradientFlow(rbf, X, 1j * Y, loss="sum"), TypeError, "real y_train"),
    "nan inputs": (lambda: GradientFlow(rbf, NAN, Y, loss="sum"), ValueError, "x_train to be finite; got 3 NaN"),
    "infinite labels": (lambda: GradientFlow(rbf, X, Y * np.inf, loss="sum"), ValueError, "y_train to be finite"),
    "negative ridge": (lambda: GradientFlow(rbf, X, Y, loss="sum", ridge=-1.0), ValueError, "ridge to be finite and"),
    "several ridges": (lambda: GradientFlow(rbf, X, Y, loss="sum", ridge=np.ones(2)), TypeError, "one number"),
    "nan test inputs": (lambda: FLOW().mean(NAN, 1.0), ValueError, "x to be finite"),
    "test inputs of another shape": (lambda: FLOW().mean(X[:, :2], 1.0), ValueError, r"examples of shape \(3,\)"),
    "negative time": (lambda: FLOW().mean(X, -1.0), ValueError, "from 0 to inf"),
    "nan time": (lambda: FLOW().mean(X, np.array([0.0, np.nan])), ValueError, "from 0 to inf"),
    "times of rank 2": (lambda: FLOW().mean(X, np.ones((2, 2))), ValueError, "1-D array"),
    "no time": (lambda: FLOW().covariance(X), TypeError, "Pass t=jnp.inf"),
    "a Gram that is not square": (
        lambda: GradientFlow.from_gram(GRAM, GRAM[:2], Y, loss="sum"),
        ValueError,
        r"square matrix \(n, n\); got shape \(2, 3\)",
    ),
    "an asymmetric Gram": (
        lambda: GradientFlow.from_gram(GRAM, GRAM + np.eye(3, k=1), Y, loss="sum"),
        ValueError,
        "symmetric training NTK",
    ),
    "an indefinite Gram": (
        lambda: GradientFlow.from_gram(GRAM, np.diag([1.0, 1.0, -0.1]), Y, loss="sum"),
        ValueError,
        "positive semidefinite",
    ),
    "Grams of two sizes": (
        lambda: GradientFlow.from_gram(GRAM[:2, :2], GRAM, Y, loss="sum"),
        ValueError,
        r"NNGP of shape \(3, 3\)",
    ),
    "a Gram of integers": (
        lambda: GradientFlow.from_gram(GRAM, np.eye(3, dtype=int), Y, loss="sum"),
        TypeError,
        "floating point",
    ),
    "new inputs without a kernel": (
        lambda: GradientFlow.from_gram(GRAM, GRAM, Y, loss="sum").mean(X, 1.0),
        ValueError,
        "Use mean_from",
    ),
    "a cross kernel of wrong shape": (
        lambda: FLOW().mean_from(np.ones((4, 2)), 1.0),
        ValueError,
        r"test-train NTK of shape \(4, 3\)",
    ),
    "a lone cross kernel": (
        lambda: FLOW().covariance_from(GRAM, GRAM, None, 1.0),
        TypeError,
        r"pair \(nngp, ntk\)",
    ),
    "an unstable learning rate": (
        lambda: GradientFlow.from_gram(GRAM, GRAM, Y, loss="mean").descent(6.0),
        ValueError,
        "below 6, where",
    ),
    "no learning rate": (lambda: FLOW().descent(0.0), ValueError, "above 0"),
    "half a step": (lambda: FLOW().descent(0.1).mean(X, 1.5), ValueError, "whole numbers of steps"),
    "full momentum": (lambda: max_learning_rate(GRAM, loss="sum", momentum=1.0), ValueError, r"\[0, 1\)"),
}


@pytest.mark.parametrize("make, kind, message", MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_gets_one_clear_line(make, kind, message):
    with pytest.raises(kind, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)


def test_a_network_that_ends_in_a_nonlinearity_is_refused():
    net = Serial(Dense(8), Relu(), Dense(1), Relu())
    with pytest.raises(ValueError, match=r"ends in a layer with weights.*got Relu\(\) at its end"):
        GradientFlow(net, jnp.ones((2, 3)), jnp.ones((2, 1)), loss="sum")

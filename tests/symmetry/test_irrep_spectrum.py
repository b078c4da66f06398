r"""The kernel on orbits, representation by representation, against dense matrices on all images of the orbits."""

import functools
import inspect

import jax.numpy as jnp
import numpy as np
import pytest

from equitangents.dynamics import GradientFlow
from equitangents.equivariant import impose
from equitangents.groups import (
    FiniteGroup,
    cyclic,
    dihedral,
    image_action,
    irreps,
    matrix_action,
    p4,
    permutation_action,
    point_group,
    trivial_action,
)
from equitangents.nets import Dense, Flatten, Relu, Serial
from equitangents.symmetry import (
    augment,
    expected_irrep_power,
    irrep_loss,
    irrep_power,
    irrep_spectrum,
    irrep_speed,
    measured_speeds,
    orbit_covariance,
)

N = 3
TIMES = np.array([0.0, 0.3, 2.0, 50.0])


def gram(x1, x2):
    x1, x2 = (np.asarray(x).reshape(len(x), -1) for x in (x1, x1 if x2 is None else x2))
    return x1 @ x2.T / x1.shape[1]


def kernel(x1, x2=None):
    """Invariant under every orthogonal action; nothing to compile."""
    k = gram(x1, x2)
    return jnp.asarray((1 + k) ** 2), jnp.asarray(np.exp(k) + 0.3 * k)


def normal(*shape):
    return np.random.default_rng(sum(shape)).normal(size=shape)


@functools.cache
def quaternions():
    i, j = np.array([[1j, 0], [0, -1j]]), np.array([[0, 1], [-1, 0]])
    half = [np.eye(2), i, j, i @ j]
    matrices = np.array(half + [-m for m in half])
    return FiniteGroup(np.argmin(np.abs((matrices[:, None] @ matrices)[:, :, None] - matrices).max((-1, -2)), axis=-1))


def regular(group):
    return permutation_action(group, group.table)


def rotations(n):
    angles = 2 * np.pi * np.arange(n) / n
    turns = np.array([[[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]] for a in angles])
    return matrix_action(dihedral(n), np.concatenate([turns, turns @ np.diag([1, -1])]))


CASES = {  # the action, shape of an example, action on the outputs, shape of one output
    "images, C4": lambda: (image_action(point_group("C4")), (3, 3, 1), None, None),
    "images, D4": lambda: (image_action(point_group("D4")), (4, 4, 1), None, None),
    "torus, p4": lambda: (image_action(p4(2)), (2, 2, 1), None, None),
    "quaternions": lambda: (regular(quaternions()), (8,), None, None),
    "vectors to vectors, D4": lambda: (rotations(4), (2,), rotations(4), (2,)),
    "vectors to vectors, D5": lambda: (rotations(5), (2,), rotations(5), (2,)),
    "functions to functions, C3": lambda: (regular(cyclic(3)), (3,), regular(cyclic(3)), (3,)),
    "quaternions to functions": lambda: (regular(quaternions()), (8,), regular(quaternions()), (8,)),
}
cases = pytest.mark.parametrize("make", CASES.values(), ids=CASES)


def problem(make):
    action, shape, target, output = make()
    x = normal(N, *shape)
    return action, x, target, output, irrep_spectrum(kernel, x, action, target=target, output=output)


def dense(action, x, target, output):
    """The NTK on functions from the images to the outputs as one matrix, in the basis of F."""
    order, size = action.group.order, int(np.prod(output or ()))
    images = np.asarray(action.orbit(x)).reshape(order * len(x), -1)
    ntk = np.kron(np.asarray(kernel(images)[1]), np.eye(size))
    rho = np.ones((order, 1, 1))
    if target is not None:
        rho = np.asarray(target.orbit(np.eye(size).reshape(size, *output))).reshape(order, size, size).swapaxes(1, 2)
    change = np.zeros((order, len(x), size, order, len(x), size))
    for g in range(order):
        for i in range(len(x)):
            change[g, i, :, g, i, :] = rho[g].T
    change = change.reshape(order * len(x) * size, -1)
    return change @ ntk @ change.T


@cases
def test_blocks_have_the_spectrum_of_the_dense_kernel(make):
    action, x, target, output, spectrum = problem(make)
    expected = np.linalg.eigvalsh(dense(action, x, target, output))
    found = np.sort(np.concatenate([np.repeat(b.values, b.multiplicity) for b in spectrum.blocks]))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12 * expected.max())
    largest = max(b.vectors.shape[0] for b in spectrum.blocks)
    most = max(irrep.constituent.dim for irrep in irreps(action.group, "real"))
    assert largest == N * int(np.prod(output or ())) * most


def test_kernels_in_single_precision_are_decomposed():
    def single(x1, x2=None):
        return tuple(k.astype(jnp.float32) for k in kernel(x1, x2))

    action, x, _, _, spectrum = problem(CASES["images, C4"])
    for block, expected in zip(irrep_spectrum(single, x, action).blocks, spectrum.blocks, strict=True):
        np.testing.assert_allclose(block.values, expected.values, rtol=0, atol=1e-6 * expected.values[0])


@cases
def test_eigenfunctions_are_orthonormal_and_transform_as_their_representation(make):
    action, x, target, output, spectrum = problem(make)
    matrix, order = dense(action, x, target, output), action.group.order
    shift = permutation_action(action.group, action.group.table)  # (h F)(g) = F(h^-1 g)
    everything = []
    for b, block in enumerate(spectrum.blocks):
        for k, value in enumerate(block.values):
            functions = spectrum.functions(b, k)
            assert functions.shape == (block.multiplicity, order, N, *(output or ()))
            assert np.isrealobj(functions) == (block.irrep.kind != "quaternionic")
            flat = functions.reshape(block.multiplicity, -1)
            np.testing.assert_allclose(flat @ matrix, value * flat, atol=1e-11)
            parts = flat.reshape(len(flat), order, -1).swapaxes(1, 2)
            for part in (parts.real, parts.imag):
                np.testing.assert_allclose(block.irrep.project(shift, part), part, atol=1e-12)
            everything.append(flat)
    everything = np.concatenate(everything)
    np.testing.assert_allclose(everything.conj() @ everything.T, np.eye(len(everything)), atol=1e-12)


@cases
def test_coefficients_are_inner_products_and_their_squares_the_power(make):
    action, _, _, output, spectrum = problem(make)
    f = normal(action.group.order, N, *(output or ()), 2)
    powers = []
    for b, c in enumerate(spectrum.coefficients(f)):
        for k in range(c.shape[1]):
            functions = spectrum.functions(b, k)
            expected = np.tensordot(functions.conj(), f, axes=functions.ndim - 1)
            np.testing.assert_allclose(c[:, k], expected, atol=1e-12)
        powers.append(np.sum(np.abs(c) ** 2))
    np.testing.assert_allclose(irrep_power(f, action.group), powers, atol=1e-11)
    np.testing.assert_allclose(sum(powers), np.sum(f**2), rtol=1e-12)


def on_orbits(spectrum, outputs):
    return normal(spectrum.order, N, outputs)


@pytest.mark.parametrize("loss", ["sum", "mean"])
@pytest.mark.parametrize("steps", [False, True], ids=["flow", "descent"])
def test_loss_in_each_representation_is_that_of_the_dense_closed_form(loss, steps):
    action, x, _, _, spectrum = problem(CASES["images, D4"])
    y = on_orbits(spectrum, 2)
    images = np.asarray(action.orbit(x)).reshape(-1, *x.shape[1:])
    flow = GradientFlow(kernel, images, y.reshape(-1, 2), loss=loss)
    rate = {"sum": 0.01, "mean": 0.2}[loss]
    training = flow.descent(rate) if steps else flow
    times = np.array([0.0, 1.0, 7.0, 40.0]) if steps else TIMES
    found = irrep_loss(spectrum, y, times, loss=loss, learning_rate=rate if steps else None)
    weight = 1 / len(images) if loss == "mean" else 1
    for t, row in zip(times, found, strict=True):
        mean = training.mean(images, t).reshape(y.shape) - y
        covariance = orbit_covariance(lambda x, t=t: training.covariance(x, t=t), x, action)
        expected = weight / 2 * expected_irrep_power(mean, covariance, action.group, outputs=2)
        np.testing.assert_allclose(row, expected, atol=1e-12 * found.max())
    np.testing.assert_allclose(irrep_loss(spectrum, y, 0.0, loss=loss), found[0])
    np.testing.assert_allclose(irrep_loss(spectrum, y, jnp.inf, loss=loss), 0, atol=1e-12)
    centred = irrep_loss(spectrum, y, times, loss=loss, learning_rate=rate if steps else None, centred=True)
    np.testing.assert_allclose(centred[0], weight / 2 * irrep_power(y, action.group), rtol=1e-12)


def test_speed_is_the_slope_of_the_logarithm_of_the_loss():
    *_, spectrum = problem(CASES["images, C4"])
    y, h = on_orbits(spectrum, 1), 1e-5
    losses = np.log(irrep_loss(spectrum, y, np.array([0.0, h]), loss="mean"))
    np.testing.assert_allclose(irrep_speed(spectrum, y, loss="mean"), (losses[0] - losses[1]) / (2 * h), rtol=1e-4)


@pytest.mark.parametrize("name", ["images, D4", "vectors to vectors, D5"])
def test_augmented_targets_lie_in_the_trivial_representation(name):
    action, x, target, output, spectrum = problem(CASES[name])
    y = normal(N, *(output or ()))
    moved = augment(x, y, action, target=target)[1].reshape(-1, *y.shape)
    inverse = action.group.inverse
    back = [y if target is None else target(int(inverse[g]), moved[g]) for g in action.group.elements]
    power = irrep_power(np.array(back), action.group)
    np.testing.assert_allclose(power, [action.group.order * np.sum(y**2), *[0] * (len(power) - 1)], atol=1e-12)
    left = irrep_loss(spectrum, np.array(back), TIMES, loss="mean", centred=True)
    np.testing.assert_allclose(left[:, 1:], 0, atol=1e-15)


def test_covariances_of_outputs_that_transform():
    action, x, target, output, spectrum = problem(CASES["vectors to vectors, D4"])
    zero = np.zeros((spectrum.order, N, *output))
    covariance = orbit_covariance(lambda x: kernel(x)[0], x, action)
    found = expected_irrep_power(zero, covariance, action.group, outputs=2, target=target)
    np.testing.assert_allclose(found / 2, irrep_loss(spectrum, zero, 0.0, loss="sum"), rtol=1e-12)
    assert found.min() > 0


def test_equivariant_training_is_the_trivial_part_of_augmented_training():
    net = Serial(Flatten(), Dense(4, sigma_w=1.4, sigma_b=0.1), Relu(), Dense(1))
    action, x, y = image_action(point_group("C4")), normal(N, 3, 3, 1), normal(N, 1)
    labels = np.broadcast_to(y, (4, N, 1))
    plain, twin = (irrep_spectrum(n, x, action) for n in (net, impose(net, action, (3, 3, 1))))
    augmented, imposed = (irrep_loss(s, labels, TIMES, loss="mean") for s in (plain, twin))
    np.testing.assert_allclose(imposed[:, 0], augmented[:, 0], rtol=1e-10)
    np.testing.assert_allclose(imposed[:, 1:], 0, atol=1e-14)
    assert augmented[:2, 1:].min() > 1e-3 and all(b.values.max() == 0 for b in twin.blocks[1:])
    broken = normal(4, N, 1)  # labels that an invariant network cannot learn stay where they are
    left = irrep_loss(twin, broken, jnp.inf, loss="sum")
    np.testing.assert_allclose(left[1:], irrep_power(broken, action.group)[1:] / 2, rtol=1e-10)


def test_repeated_images_have_eigenvalues_zero_which_labels_and_noise_do_not_meet():
    action, x = image_action(point_group("C4")), normal(2, 3, 3, 1)
    x[0] = np.mean([np.rot90(x[0], k) for k in range(4)], axis=0)
    spectrum = irrep_spectrum(kernel, x, action)
    zeros = [int((block.values == 0).sum()) for block in spectrum.blocks]
    assert zeros == [0, 1, 1]
    y = np.broadcast_to(normal(2, 1), (4, 2, 1))
    np.testing.assert_allclose(irrep_loss(spectrum, y, jnp.inf, loss="sum"), 0, atol=1e-12)


@pytest.mark.parametrize("rate", [None, 0.05], ids=["flow", "descent"])
@pytest.mark.parametrize("name", ["images, D4", "quaternions", "vectors to vectors, D5"])
def test_speeds_of_linear_dynamics_are_the_eigenvalues(name, rate):
    action, x, target, output, spectrum = problem(CASES[name])
    matrix = dense(action, x, target, output) / (spectrum.order * N)
    values, vectors = np.linalg.eigh(matrix)
    remaining = np.exp(-3 * values) if rate is None else (1 - rate * values) ** 3
    start = normal(5, len(matrix))
    residuals = np.stack([start, start @ (vectors * remaining) @ vectors.T], axis=1)
    shape = (5, 2, spectrum.order, N, *(output or ()))
    found = measured_speeds(spectrum, residuals.reshape(shape), 3, loss="mean", learning_rate=rate)
    for value, error, block in zip(*found, spectrum.blocks, strict=True):
        np.testing.assert_allclose(value, block.values, rtol=1e-9, atol=1e-12)
        assert error.max() < 1e-10 * block.values.max()


C4 = image_action(point_group("C4"))
X = normal(N, 3, 3, 1)
SPECTRUM = irrep_spectrum(kernel, X, C4)


def uneven(x1, x2=None):
    """Knows the first pixel from the others."""
    return (jnp.asarray(gram(x1, x2) * np.asarray(x1)[:, 0, 0]),) * 2


ERRORS = {
    "batch": (lambda: irrep_spectrum(kernel, normal(3, 3, 1), C4), ValueError, "images"),
    "not invariant": (
        lambda: irrep_spectrum(uneven, X, C4),
        ValueError,
        "jointly invariant",
    ),
    "target alone": (lambda: irrep_spectrum(kernel, X, C4, target=C4), ValueError, "together"),
    "another group": (
        lambda: irrep_spectrum(kernel, X, C4, target=trivial_action(cyclic(3)), output=(1,)),
        ValueError,
        "of one group",
    ),
    "values": (lambda: SPECTRUM.coefficients(normal(3, N)), ValueError, r"shape \(4, 3\)"),
    "not finite": (lambda: SPECTRUM.coefficients(np.full((4, N), np.nan)), ValueError, "finite"),
    "power": (lambda: irrep_power(normal(3, N), point_group("C4")), ValueError, "outputs_on_orbit"),
    "loss": (lambda: irrep_loss(SPECTRUM, normal(4, N), 1.0, loss="max"), ValueError, "loss="),
    "time": (lambda: irrep_loss(SPECTRUM, normal(4, N), -1.0, loss="sum"), ValueError, "times"),
    "rate": (lambda: irrep_loss(SPECTRUM, normal(4, N), 1, loss="sum", learning_rate=9.0), ValueError, "diverges"),
    "covariance": (
        lambda: expected_irrep_power(normal(4, N), normal(N, 3, 3), C4.group),
        ValueError,
        "orbit_covariance",
    ),
    "one network": (lambda: measured_speeds(SPECTRUM, normal(1, 2, 4, N), 1.0, loss="sum"), ValueError, "two or more"),
}


@pytest.mark.parametrize(("call", "kind", "message"), ERRORS.values(), ids=ERRORS)
def test_wrong_arguments_are_named(call, kind, message):
    with pytest.raises(kind, match=message):
        call()


@pytest.mark.parametrize("function", [irrep_power, expected_irrep_power])
def test_a_name_in_place_of_a_group_is_refused(function):
    arguments = (
        (jnp.ones((4, 2)), jnp.ones((2, 4, 4)), "C4") if function is expected_irrep_power else (jnp.ones(4), "C4")
    )
    with pytest.raises(TypeError, match=r"expected a FiniteGroup.*got 'C4'"):
        inspect.unwrap(function)(*arguments)  # without the checks of annotations that only the tests make

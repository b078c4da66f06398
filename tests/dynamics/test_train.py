"""Laws of finite training: against hand-written steps, the closed form at infinite width, and exact symmetry."""

import inspect

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import optax
import pytest

from equitangents.dynamics import GradientFlow, train
from equitangents.groups import cyclic, image_action, permutation_action, point_group
from equitangents.nets import Conv, Dense, Flatten, GlobalAvgPool, Relu, Serial, Tanh, standard

unchecked_train = inspect.unwrap(train)  # without the checks of annotations that only the tests make


def problem(getkey, n=6, d=3, outputs=2):
    return jr.normal(getkey(), (n, d)), jr.normal(getkey(), (n, outputs))


def draw(net, getkey, shape=(3,)):
    return net.init(getkey(), shape)[1]


def assert_same(a, b, tolerance=1e-12):
    jax.tree.map(lambda u, v: np.testing.assert_allclose(u, v, rtol=tolerance, atol=tolerance), a, b)


def test_one_step_is_the_step_written_by_hand(getkey):
    net = Serial(Dense(8, sigma_w=1.5, sigma_b=0.3), Tanh(), Dense(2, sigma_w=0.7))
    (x, y), params = problem(getkey), draw(net, getkey)
    trained = train(net, params, (x, y), loss="sum", learning_rate=0.1, steps=1)
    w1, b1, w2 = (np.asarray(a) for a in (params[0]["w"], params[0]["b"], params[2]["w"]))
    a1, a2 = 1.5 / np.sqrt(3), 0.7 / np.sqrt(8)
    hidden = np.tanh(a1 * x @ w1 + 0.3 * b1[None])
    error = a2 * hidden @ w2 - y
    back = a2 * error @ w2.T * (1 - hidden**2)
    assert_same(trained.params[0]["w"], w1 - 0.1 * a1 * x.T @ back)
    assert_same(trained.params[0]["b"], b1 - 0.1 * 0.3 * back.sum(0))
    assert_same(trained.params[2]["w"], w2 - 0.1 * a2 * hidden.T @ error)
    assert_same(trained.losses, jnp.sum(error**2)[None] / 2)


def test_wide_networks_approach_the_closed_form_of_their_own_kernel(getkey):
    x, y = problem(getkey, outputs=1)
    x_test = jr.normal(getkey(), (5, 3))
    steps, rate, errors = 100, 0.1, []
    for width in (32, 512):
        net, found = Serial(Dense(width), Tanh(), Dense(1)), []
        for _ in range(4):
            params = draw(net, getkey)

            def kernel(x1, x2=None, net=net, params=params):
                rows = [
                    jax.vmap(
                        lambda x: jax.flatten_util.ravel_pytree(jax.grad(lambda p: net.apply(p, x)[0])(params))[0]
                    )(z)
                    for z in (x1, x1 if x2 is None else x2)
                ]
                return (rows[0] @ rows[1].T,) * 2

            exact = GradientFlow(kernel, x, y, loss="sum").descent(rate).mean(x_test, jnp.array(float(steps)))
            trained = train(
                net, params, (x, y), loss="sum", learning_rate=rate, steps=steps, x_record=x_test, centred=True
            )
            found.append(float(jnp.sqrt(jnp.mean((trained.outputs[-1] - exact) ** 2))))
        errors.append(np.mean(found))
    assert errors[0] < 0.3
    assert errors[1] < errors[0] / 2.5  # between width**-1/2 = 1/4 and 1/width = 1/16, four draws each


def test_rate_eta_of_the_sum_is_rate_n_eta_of_the_mean(getkey):
    net = Serial(Dense(8), Tanh(), Dense(2))
    data, params = problem(getkey), draw(net, getkey)
    runs = [
        train(net, params, data, loss=loss, learning_rate=rate, steps=30)
        for loss, rate in (("sum", 0.05), ("mean", 0.3))
    ]
    assert_same(runs[0].params, runs[1].params)
    assert_same(runs[0].losses, 6 * runs[1].losses)


def test_learning_rate_factors_act(getkey):
    net = Serial(Dense(4, sigma_b=0.5, lambda_b=0.0), Tanh(), Dense(2, sigma_b=0.5))
    params = draw(net, getkey)
    after = train(net, params, problem(getkey), loss="sum", learning_rate=0.1, steps=5).params
    assert jnp.array_equal(after[0]["b"], params[0]["b"])
    assert jnp.all(after[0]["w"] != params[0]["w"]) and jnp.all(after[2]["b"] != params[2]["b"])


def test_standard_parameterisation_is_ntk_parameterisation_with_a_rate_for_each_layer(getkey):
    net = Serial(Dense(8, sigma_w=1.3), Tanh(), Dense(2, sigma_w=0.8))
    data, params = problem(getkey), draw(net, getkey)
    factors = [{"w": 3 / 1.3**2}, {}, {"w": 8 / 0.8**2}]  # fan_in / sigma_w**2

    def rule(rate):
        return optax.stateless(lambda g, p: jax.tree.map(lambda u, f: -rate * f * u, g, factors))

    scaled = train(net, params, data, loss="sum", learning_rate=0.01, steps=20, optimizer=rule)
    plain = [{"w": 1.3 / 3**0.5 * params[0]["w"]}, {}, {"w": 0.8 / 8**0.5 * params[2]["w"]}]  # the weights themselves
    as_standard = train(standard(net, (3,)), plain, data, loss="sum", learning_rate=0.01, steps=20)
    assert_same(as_standard.outputs, scaled.outputs)
    by_hand = [plain[0]["w"], plain[2]["w"]]
    loss = lambda w: jnp.sum((jnp.tanh(data[0] @ w[0]) @ w[1] - data[1]) ** 2) / 2  # noqa: E731
    for _ in range(20):
        by_hand = [w - 0.01 * g for w, g in zip(by_hand, jax.grad(loss)(by_hand), strict=True)]
    assert_same([as_standard.params[0]["w"], as_standard.params[2]["w"]], by_hand)


def total(outputs, y):
    return jnp.sum(outputs)


def test_each_epoch_uses_each_example_once_in_a_new_order(getkey):
    net, x = Dense(1, sigma_w=6**0.5), jnp.eye(6)  # an example moves its own weight by one rate, sqrt(6) / sqrt(6)
    params, key = {"w": jnp.zeros((6, 1))}, getkey()
    moved = {
        steps: -train(net, params, (x, x), loss=total, learning_rate=1.0, steps=steps, batch_size=2, key=key).params[
            "w"
        ]
        for steps in (0, 1, 3, 4, 6)
    }
    assert [sorted(np.round(moved[s][:, 0]).tolist()) for s in (1, 3, 6)] == [[0] * 4 + [1] * 2, [1] * 6, [2] * 6]
    orders = [np.concatenate([np.flatnonzero(moved[e * 3 + 1] - moved[e * 3] > 0.5) for e in (0, 1)]) for _ in range(1)]
    assert len(orders[0]) == 4


def test_minibatches_are_reproduced_by_the_key(getkey):
    net = Serial(Dense(8), Tanh(), Dense(2))
    data, params, keys = problem(getkey), draw(net, getkey), [getkey(), getkey()]
    run = lambda key: train(net, params, data, loss="mean", learning_rate=0.1, steps=20, batch_size=4, key=key)  # noqa: E731
    assert jnp.array_equal(run(keys[0]).outputs, run(keys[0]).outputs)
    assert not jnp.array_equal(run(keys[0]).outputs, run(keys[1]).outputs)


@pytest.mark.optimised
def test_random_augmentation_draws_every_element_alike(getkey):
    action = permutation_action(cyclic(4), [[(g + i) % 4 for i in range(4)] for g in range(4)])
    x, steps = jnp.eye(4)[:2], 2000
    net, params = Dense(1, sigma_w=2.0), {"w": jnp.zeros((4, 1))}
    run = lambda key: train(  # noqa: E731
        net, params, (x, x), loss=total, learning_rate=1.0, steps=steps, key=key, augment=action
    )
    counts = -run(getkey()).params["w"][:, 0]
    np.testing.assert_allclose(counts.sum(), 2 * steps, rtol=1e-9)
    assert jnp.all(jnp.abs(counts - steps / 2) < 5 * (2 * steps * 3 / 16) ** 0.5)
    assert jnp.all(counts != steps / 2)
    key = getkey()
    assert jnp.array_equal(jax.jit(run)(key).params["w"], run(key).params["w"])


def test_recorded_outputs_are_those_of_shorter_runs(getkey):
    net = Serial(Dense(8), Tanh(), Dense(2))
    data, params, x_record = problem(getkey), draw(net, getkey), jr.normal(getkey(), (4, 3))
    options = {"loss": "sum", "learning_rate": 0.1, "x_record": x_record, "batch_size": 3, "key": getkey()}
    trained = train(net, params, data, steps=7, record=(0, 2, 7), **options)
    shorter = train(net, params, data, steps=2, **options)
    assert_same(trained.outputs[0], jax.vmap(net.apply, (None, 0))(params, x_record))
    assert_same(trained.outputs[1], shorter.outputs[0])
    assert_same(trained.outputs[2], jax.vmap(net.apply, (None, 0))(trained.params, x_record))
    assert jnp.max(jnp.abs(trained.outputs[2] - trained.outputs[1])) > 1e-3


def test_centred_training_starts_at_zero_and_fits(getkey):
    net = Serial(Dense(64), Tanh(), Dense(2))
    (x, y), params = problem(getkey, n=3), draw(net, getkey)
    trained = train(net, params, (x, y), loss="sum", learning_rate=0.3, steps=3000, record=(0, 3000), centred=True)
    assert jnp.array_equal(trained.outputs[0], jnp.zeros_like(y))
    assert_same(trained.outputs[1], y, 1e-3)


def test_cross_entropy_takes_the_step_of_softmax_minus_one_hot(getkey):
    x, labels = jr.normal(getkey(), (5, 3)), jnp.array([0, 2, 1, 1, 3])
    net = Dense(4)
    params = draw(net, getkey)
    after = train(net, params, (x, labels), loss="cross_entropy", learning_rate=0.2, steps=1).params["w"]
    logits = np.asarray(x @ params["w"]) / 3**0.5
    softmax = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    assert_same(after, params["w"] - 0.2 * x.T @ (softmax - np.eye(4)[labels]) / 5 / 3**0.5)


def test_an_optimizer_is_a_function_of_the_rate_or_a_transformation(getkey):
    net = Serial(Dense(8), Tanh(), Dense(2))
    data, params = problem(getkey), draw(net, getkey)
    options = {"loss": "mean", "steps": 10}
    named = train(net, params, data, optimizer=optax.adam, learning_rate=0.01, **options)
    own = train(net, params, data, optimizer=optax.adam(0.01), **options)
    assert_same(named.params, own.params)
    plain = train(net, params, data, learning_rate=0.01, **options)
    assert_same(train(net, params, data, optimizer=optax.sgd(0.01), **options).params, plain.params)
    assert jnp.max(jnp.abs(named.outputs - plain.outputs)) > 1e-3


def test_float32_data_train_in_float32():
    net, x = Dense(1), jnp.ones((2, 3), jnp.float32)
    trained = train(net, net.init(jr.key(0), (3,))[1], (x, x[:, :1]), loss="sum", learning_rate=0.1, steps=2)
    assert {leaf.dtype for leaf in jax.tree.leaves((trained.params, trained.outputs))} == {jnp.dtype("float32")}


def test_one_program_serves_all_rates_keys_and_recorded_steps(getkey):
    traces = []

    def counted(outputs, y):
        traces.append(outputs)
        return jnp.sum((outputs - y) ** 2)

    net = Dense(2)
    run = lambda rate, record: train(  # noqa: E731
        net,
        draw(net, getkey),
        problem(getkey),
        loss=counted,
        learning_rate=rate,
        steps=9,
        record=record,
        key=getkey(),
        batch_size=2,
    )
    run(0.01, (0, 3))
    first = len(traces)
    run(0.01, (0, 3))
    again = len(traces) - first
    assert again < first  # the argument check looks at the loss; the program is not traced again
    run(0.02, (5, 9))
    assert len(traces) - first == 2 * again


def orbit_closed_gap(getkey, augmented):
    """Largest deviation over orbits of the mean of four networks whose first layers are turned, and of one of them."""
    action = image_action(point_group("C4"))
    net = Serial(Flatten(), Dense(16), Tanh(), Dense(2))
    x, y = jr.normal(getkey(), (3, 4, 4, 1)), jr.normal(getkey(), (3, 2))
    params = net.init(getkey(), (4, 4, 1))[1]
    if augmented:
        x, y = action.orbit(x).reshape(-1, 4, 4, 1), jnp.tile(y, (4, 1))
    x_test = action.orbit(jr.normal(getkey(), (5, 4, 4, 1))).reshape(-1, 4, 4, 1)
    outputs = []
    for g in range(4):
        turned = action(g, params[1]["w"].reshape(4, 4, 16)).reshape(16, 16)
        member = [params[0], {"w": turned}, *params[2:]]
        run = train(
            net, member, (x, y), loss="sum", learning_rate=0.05, steps=200, record=(0, 10, 200), x_record=x_test
        )
        outputs.append(run.outputs.reshape(3, 4, 5, 2))
    gap = lambda f: jnp.max(jnp.abs(f - f[:, :1]), axis=(1, 2, 3))  # noqa: E731
    return gap(sum(outputs) / 4), gap(outputs[0])


def test_orbit_closed_initialisations_on_full_orbits_have_an_exactly_invariant_mean(getkey):
    mean, member = orbit_closed_gap(getkey, augmented=True)
    assert jnp.all(mean < 1e-12)
    assert jnp.all(member > 0.1)
    without, _ = orbit_closed_gap(getkey, augmented=False)
    assert without[0] < 1e-12 and without[2] > 1e-2


def test_divergence_is_reported(getkey):
    net = Dense(2)
    with pytest.warns(RuntimeWarning, match="the network diverged"):
        trained = train(net, draw(net, getkey), problem(getkey), loss="sum", learning_rate=1e3, steps=200)
    assert bool(trained.diverged)


X, Y, LABELS = np.ones((4, 3)), np.ones((4, 2)), np.array([0, 1, 1, 0])
WRONG = {
    "no network": ({"net": jnp.tanh}, TypeError, "description of a network"),
    "no pair": ({"data": X}, TypeError, "a pair"),
    "empty data": ({"data": (X[:0], Y[:0])}, ValueError, "non-empty"),
    "NaN in x": ({"data": (X * np.nan, Y)}, ValueError, "expected x to be finite"),
    "infinite y": ({"data": (X, Y * np.inf)}, ValueError, "expected y to be finite"),
    "integer x": ({"data": (X.astype(int), Y)}, TypeError, "floating point"),
    "integer y": ({"data": (X, Y.astype(int))}, TypeError, "one-hot"),
    "fewer targets": ({"data": (X, Y[:3])}, ValueError, "each of 4 examples"),
    "flat targets": ({"data": (X, Y[:, 0])}, ValueError, r"expected y of shape \(4, 2\)"),
    "wrong net for the data": (
        {"net": Serial(Conv(2, (3, 3)), Relu(), GlobalAvgPool())},
        ValueError,
        "expected one example of shape",
    ),
    "unknown loss": ({"loss": "mse"}, ValueError, "cross_entropy"),
    "a loss for each example": ({"loss": lambda f, y: jnp.sum(f, 1)}, ValueError, "one number"),
    "real labels": ({"loss": "cross_entropy", "data": (X, Y[:, 0])}, TypeError, "integer labels"),
    "labels out of range": ({"loss": "cross_entropy", "data": (X, LABELS + 1)}, ValueError, "labels from 0 to 1"),
    "no rate": ({"learning_rate": None}, ValueError, "learning_rate above 0"),
    "rate 0": ({"learning_rate": 0.0}, ValueError, "above 0"),
    "infinite rate": ({"learning_rate": np.inf}, ValueError, "finite"),
    "two rates": ({"optimizer": optax.sgd(0.1)}, ValueError, "learning_rate=None"),
    "no optimizer": ({"optimizer": "adam"}, TypeError, "optax"),
    "negative steps": ({"steps": -1}, ValueError, "steps at least 0"),
    "half a step": ({"steps": 1.5}, TypeError, "steps to be an integer"),
    "batch too large": ({"batch_size": 5, "key": jr.key(0)}, ValueError, "from 1 to 4"),
    "no key": ({"batch_size": 2}, ValueError, "expected a key"),
    "record after the end": ({"record": (0, 6)}, ValueError, "from 0 to 5"),
    "record twice": ({"record": (1, 1)}, ValueError, "increasing"),
    "record nothing": ({"record": ()}, ValueError, "at least one"),
    "other inputs to record": ({"x_record": np.ones((2, 4))}, ValueError, r"expected x_record of shape \(m, 3\)"),
    "a group on vectors": (
        {"augment": image_action(point_group("C4")), "key": jr.key(0)},
        ValueError,
        "expected images",
    ),
    "no action": ({"augment": point_group("C4"), "key": jr.key(0)}, TypeError, "to be an Action"),
    "other parameters": ({"params": {"w": jnp.ones((4, 2))}}, ValueError, "expected parameters"),
    "NaN in parameters": ({"params": {"w": jnp.full((3, 2), jnp.nan)}}, ValueError, "params to be finite"),
}


@pytest.mark.parametrize("change, error, match", WRONG.values(), ids=WRONG)
def test_mistakes_are_told_before_training(change, error, match):
    with np.errstate(all="ignore"):
        right = {
            "net": Dense(2),
            "params": {"w": jnp.ones((3, 2))},
            "data": (X, Y),
            "loss": "sum",
            "learning_rate": 0.1,
            "steps": 5,
        }
        arguments = right | change
        with pytest.raises(error, match=match) as caught:
            unchecked_train(arguments.pop("net"), arguments.pop("params"), arguments.pop("data"), **arguments)
        assert "\n" not in str(caught.value)

"""Deep ensembles: the same members in whatever pieces, and what they say of themselves."""

import inspect

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from equitangents.dynamics import default_chunk, draw_member, ensemble, predict_ensemble, train
from equitangents.groups import image_action, point_group
from equitangents.nets import Conv, Dense, GlobalAvgPool, Relu, Serial, Tanh

MLP = Serial(Dense(16, sigma_b=0.2), Tanh(), Dense(2))
CNN = Serial(Conv(4, (3, 3)), Relu(), GlobalAvgPool(), Dense(2))
CASES = {"dense": (MLP, (3,), 1), "dense in chunks": (MLP, (3,), 4), "convolutional": (CNN, (4, 4, 1), 1)}


def problem(shape, n=6):
    return jr.normal(jr.key(1), (n, *shape)), jr.normal(jr.key(2), (n, 2))


def same(a, b):
    return all(map(jnp.array_equal, jax.tree.leaves(a), jax.tree.leaves(b)))


@pytest.mark.optimised
@pytest.mark.parametrize("net, shape, chunk", CASES.values(), ids=CASES)
def test_a_member_is_the_same_bit_for_bit_in_any_ensemble(net, shape, chunk):
    augment = image_action(point_group("C4")) if len(shape) == 3 else None
    options = {
        "key": jr.key(3),
        "loss": "mean",
        "learning_rate": 0.2,
        "steps": 20,
        "batch_size": 3,
        "record": (0, 20),
        "chunk": chunk,
        "keep_params": True,
        "augment": augment,
    }
    whole = ensemble(net, problem(shape), members=6, **options)
    assert whole.outputs.shape == (6, 2, 6, 2) and whole.losses.shape == (6, 20)
    alone = ensemble(net, problem(shape), members=range(5, 6), **options)
    assert same(jax.tree.map(lambda a: a[5:], whole), alone)
    assert len({float(f) for f in whole.outputs[:, 1, 0, 0]}) == 6


def test_an_ensemble_is_a_loop_of_train():
    options = {"loss": "sum", "learning_rate": 0.05, "steps": 30, "record": (0, 10, 30), "batch_size": 4}
    runs = ensemble(MLP, problem((3,)), members=3, key=jr.key(3), chunk=2, keep_params=True, **options)
    for i in range(3):
        params, key = draw_member(MLP, (3,), jr.key(3), i)
        alone = train(MLP, params, problem((3,)), key=key, **options)
        np.testing.assert_allclose(runs.outputs[i], alone.outputs, rtol=1e-11, atol=1e-12)
        np.testing.assert_allclose(runs.losses[i], alone.losses, rtol=1e-11)
        for a, b in zip(jax.tree.leaves(runs.params), jax.tree.leaves(alone.params), strict=True):
            np.testing.assert_allclose(a[i], b, rtol=1e-11, atol=1e-12)


def test_pieces_of_one_size_share_one_program():
    traces = []

    def counted(outputs, y):
        traces.append(outputs)
        return jnp.sum((outputs - y) ** 2)

    run = lambda members, key: ensemble(  # noqa: E731
        MLP, problem((3,)), members=members, key=jr.key(key), loss=counted, learning_rate=0.01, steps=3
    )
    run(range(3), 0)
    first = len(traces)
    run(range(3, 6), 0)
    again = len(traces) - first
    assert again < first  # the argument check looks at the loss; the program is not traced again
    run(range(6, 9), 1)
    assert len(traces) - first == 2 * again


def test_the_prediction_is_the_mean_over_members():
    runs = ensemble(
        MLP, problem((3,)), members=5, key=jr.key(3), loss="sum", learning_rate=0.05, steps=20, keep_params=True
    )
    predicted = predict_ensemble(MLP, runs.params, problem((3,))[0])
    np.testing.assert_allclose(predicted, runs.outputs[:, -1].mean(0), rtol=1e-12)


def test_members_that_diverge_are_named_and_flagged():
    def exploding(outputs, y):  # only where the first output of the initial network is positive
        return jnp.sum(jnp.where(outputs[0, 0] > 0, jnp.inf, 1.0) * outputs**2)

    options = {"members": 8, "key": jr.key(3), "steps": 1, "record": (0,), "learning_rate": 0.01}
    with pytest.warns(RuntimeWarning, match="of 8 members") as caught:
        runs = ensemble(MLP, problem((3,)), loss=exploding, **options)
    expected = runs.outputs[:, 0, 0, 0] > 0
    assert 0 < expected.sum() < 8
    assert jnp.array_equal(runs.diverged, expected)
    assert f"{int(expected.sum())} of 8 members ({', '.join(map(str, np.flatnonzero(expected)[:5]))}" in str(
        caught[0].message
    )


def test_one_member_at_a_time_on_a_cpu_and_more_elsewhere():
    assert default_chunk(CNN, "cpu") == 1
    assert 1 < default_chunk(CNN, "gpu") < default_chunk(MLP, "gpu")


WRONG = {
    "no members": ({"members": 0}, ValueError, "at least one member"),
    "empty range": ({"members": range(3, 3)}, ValueError, "at least one member"),
    "every other member": ({"members": range(0, 4, 2)}, ValueError, "step 1"),
    "negative members": ({"members": range(-1, 4)}, ValueError, "from 0 on"),
    "half a member": ({"members": 1.5}, TypeError, "a number or a range"),
    "chunk 0": ({"chunk": 0}, ValueError, "chunk at least 1"),
    "no chunk": ({"chunk": 2.0}, TypeError, "chunk to be an integer"),
    "no key": ({"key": None}, ValueError, "expected a key"),
    "unknown loss": ({"loss": "mse"}, ValueError, "cross_entropy"),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("change, error, match", WRONG.values(), ids=WRONG)
def test_mistakes_are_told_before_training(change, error, match):
    right = {"members": 2, "key": jr.key(0), "loss": "sum", "learning_rate": 0.1, "steps": 2}
    with pytest.raises(error, match=match) as caught:
        inspect.unwrap(ensemble)(MLP, problem((3,)), **(right | change))
    assert "\n" not in str(caught.value)

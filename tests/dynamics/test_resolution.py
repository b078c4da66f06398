"""Which eigenvalues count as zero: all that are, and none that float64 shows to be well above rounding."""

import jax.numpy as jnp
import numpy as np
import pytest

from equitangents import Dense, Relu, Serial, ntk
from equitangents.dynamics import GradientFlow
from equitangents.dynamics.spectrum import resolution

NET = Serial(Dense(1), Relu(), Dense(1), Relu(), Dense(1))
ROWS = {"three dimensions": (300, 3), "five hundred": (300, 500), "one": (120, 1)}


def inputs(shape, dtype):
    return jnp.asarray(np.random.default_rng(0).standard_normal(shape), dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", ROWS.values(), ids=ROWS)
def test_zero_modes_of_repeated_inputs_are_below_and_all_else_is_not(shape, dtype):
    x = inputs(shape, dtype)
    n = len(x)
    k = ntk(NET, jnp.concatenate([x, x]))
    found = np.asarray(jnp.linalg.eigvalsh(k))
    least = float(resolution(jnp.asarray(found)))
    assert found[n - 1] <= least / 2  # n zeros, with room
    exact = np.linalg.eigvalsh(np.asarray(ntk(NET, jnp.concatenate([x, x]).astype("float64"))))
    assert np.all(found[exact > 2 * least] > least)


def test_single_precision_trains_what_it_resolves(recwarn):
    """With n eps in place of 10 eps, 691 of a thousand directions were left out, and the error was 1.1."""
    x = inputs((400, 3), "float32")
    y = jnp.sin(jnp.sum(x, axis=1))
    flow = GradientFlow(NET, x, y, loss="sum")
    assert float(jnp.max(jnp.abs(flow.mean_train(jnp.inf) - y))) < 0.1
    assert not recwarn.list


def test_a_warning_says_what_single_precision_leaves_untrained(recwarn):
    x = inputs((1000, 2), "float32")
    y = jnp.sin(jnp.sum(x, axis=1))
    flow = GradientFlow(NET, x, y, loss="sum")
    flow.mean_train(1.0)
    GradientFlow(NET, x, y, loss="sum", ridge=0.05).mean_train(jnp.inf)
    assert not recwarn.list
    for late in (jnp.inf, 1e9, jnp.array([1.0, 1e9])):
        with pytest.warns(UserWarning, match=r"of 1000 directions of the training data are left untrained.* a ridge"):
            flow.mean_train(late)

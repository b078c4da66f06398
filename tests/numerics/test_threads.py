"""BLAS has one thread for small factorisations, and as many as before afterwards and for large ones."""

import threading

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from threadpoolctl import ThreadpoolController

from equitangents.numerics import on_one_thread
from equitangents.numerics.threads import MANY


def threads():
    libraries = ThreadpoolController().info()
    return {found["filepath"]: found["num_threads"] for found in libraries if found["user_api"] == "blas"}


@pytest.mark.parametrize("rows", [MANY - 1, MANY])
def test_the_limit_holds_during_the_call_alone(rows):
    on_one_thread(1, lambda: None)  # loads the library
    with ThreadpoolController().limit(limits=2, user_api="blas"):
        before = threads()
        inside = on_one_thread(rows, threads)
        assert threads() == before and set(before.values()) == {2}
        assert set(inside.values()) == {1 if rows < MANY else 2}


def test_the_limit_ends_with_an_error():
    before = threads()
    with pytest.raises(ZeroDivisionError):
        on_one_thread(1, lambda: 1 / 0)
    assert threads() == before


def test_overlapping_calls_restore_the_number():
    first_runs, second_runs = threading.Event(), threading.Event()

    def first():
        first_runs.set()
        assert second_runs.wait(60)

    other = threading.Thread(target=on_one_thread, args=(1, first))

    def second():
        second_runs.set()
        other.join()  # the first ends inside of the second

    on_one_thread(1, lambda: None)  # loads the library
    with ThreadpoolController().limit(limits=2, user_api="blas"):
        other.start()
        assert first_runs.wait(60)
        on_one_thread(1, second)
        assert set(threads().values()) == {2}


def test_a_traced_call_is_let_through():
    factor = jax.jit(lambda a: on_one_thread(len(a), lambda: jnp.linalg.cholesky(a)))
    np.testing.assert_array_equal(factor(4 * jnp.eye(3)), 2 * np.eye(3))

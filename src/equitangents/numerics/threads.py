"""One thread for LAPACK, where more of them would mostly wait for each other."""

import contextlib
import functools
import threading
from collections.abc import Callable, Iterator
from typing import TypeVar

import jax
from threadpoolctl import ThreadpoolController

T = TypeVar("T")

MANY = 4096  # rows from which on the threads of a factorisation have enough to do


def on_one_thread(rows: int, call: Callable[[], T]) -> T:
    """`call()`, done when this returns; for matrices of fewer than `MANY` rows BLAS has one thread meanwhile.

    The threads of OpenBLAS wait by running: at 2000 rows a Cholesky factor takes two to eighty times the processor
    time, and on a busy machine longer than on one thread; an eigendecomposition takes three times as much.

    The limit is that of the process, as OpenBLAS knows no other: while a call runs, BLAS has one thread in the whole
    program. A call inside another one, or from a second Python thread while one runs, sets no limit of its own, and
    threadpoolctl may ignore all threads but the first that asked. What is traced inside is not limited when it runs.
    """
    with _one_thread() if rows < MANY else contextlib.nullcontext():
        return jax.block_until_ready(call())


_limited = threading.Lock()


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    if not _limited.acquire(blocking=False):  # limits that overlap would be restored in the wrong order
        yield
        return
    try:
        with _libraries().limit(limits=1, user_api="blas"):
            yield
    finally:
        _limited.release()


@functools.cache
def _libraries() -> ThreadpoolController:
    """Found once, as that takes 7 ms; importing SciPy's linear algebra loads the library that JAX calls."""
    import scipy.linalg  # noqa: F401

    return ThreadpoolController()

"""Every test runs in float64, with strict promotion and no silent broadcasting of ranks."""

import itertools
import zlib

import jax
import jax.random as jr
import pytest

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")


@pytest.fixture(autouse=True, scope="module")
def forget_compiled_programs():
    """Files share few of them, and those of the whole run take gigabytes."""
    yield
    jax.clear_caches()


@pytest.fixture
def getkey(request):
    """A source of fresh keys, the same in every run of the same test."""
    seed = zlib.crc32(request.node.nodeid.encode())
    counter = itertools.count()
    return lambda: jr.fold_in(jr.key(seed), next(counter))

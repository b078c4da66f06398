"""Each doctest begins in the precision of a fresh interpreter, whatever the one before switched on."""

import jax
import pytest


@pytest.fixture(autouse=True)
def restore_precision():
    """Switch double precision off again after each doctest."""
    yield
    jax.config.update("jax_enable_x64", False)

"""Every test runs in float64, with strict promotion and no silent broadcasting of ranks.

Most of the time goes into compiling, so tests are compiled quickly, except those marked `optimised`: laws that hold in
float32 or to the last bit, or are about memory, where the compiler decides. `--optimised` is for all (`.ci/full`).
"""

import functools
import itertools
import zlib

import jax
import jax.random as jr
import pytest

try:  # a private module, used where it is there
    from jax._src import compiler
except ImportError:
    compiler = None

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")


QUICK = {
    "xla_backend_optimization_level": 0,
    "xla_llvm_disable_expensive_passes": True,
    "xla_cpu_use_fusion_emitters": False,
}
overrides: dict[str, int | bool] = {}  # what is being compiled with now


def compile_with(options):
    if options != overrides:
        jax.clear_caches()  # they hold programs compiled the other way
        overrides.clear()
        overrides.update(options)


def known_here(option, value):
    try:
        jax.jit(lambda: 0, compiler_options={option: value})()
    except Exception:  # XlaRuntimeError, whose public name changed: an older or newer compiler
        return False
    return True


def pytest_addoption(parser):
    parser.addoption("--optimised", action="store_true", help="compile every test as users do, not quickly")


def pytest_configure(config):
    """JAX has no public way to compile only some programs so; where this private one is gone, all are optimised."""
    original = getattr(compiler, "get_compile_options", None)
    if original is None or config.getoption("optimised"):
        QUICK.clear()
        return
    for option, value in [*QUICK.items()]:
        if not known_here(option, value):
            del QUICK[option]

    @functools.wraps(original)
    def get_compile_options(*args, env_options_overrides=None, **kwargs):
        return original(*args, env_options_overrides=overrides | (env_options_overrides or {}), **kwargs)

    compiler.get_compile_options = get_compile_options


@pytest.hookimpl(tryfirst=True)  # before fixtures compile anything
def pytest_runtest_setup(item):
    compile_with({} if item.get_closest_marker("optimised") else QUICK)


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

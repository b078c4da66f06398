"""A regression problem as the closed forms need it: kernel, Gram matrices, labels, loss, and how to solve with them."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from equitangents.numerics import on_one_thread

from ..nets import AbstractActivation, Identity, Serial
from .checks import (
    check_gram,
    check_inputs,
    check_loss,
    check_matrix,
    check_number,
    check_spectrum,
    check_targets,
    concrete,
)
from .deflation import Deflated, deflate
from .inverse import Inverse, invert
from .polynomial import row_bound
from .spectrum import Spectrum


class Regression(eqx.Module):
    """A kernel, its Gram matrices on the training set, the labels, and the loss.

    Factorisations are made when first asked for and kept beside the numbers, unless these are traced; then they are
    part of the traced program, and the compiler drops what is not used.

    Attributes:
        kernel: module that gives (nngp, ntk) for two batches, or None where only matrices are known.
        x_train: shape (n, ...), or None.
        y_train: shape (n, outputs) or (n,).
        nngp, ntk: Gram matrices, shape (n, n).
        ridge: shape ().
        loss: "sum" or "mean".
    """

    kernel: Any
    x_train: Array | None
    y_train: Array
    nngp: Float[Array, "n n"]
    ntk: Float[Array, "n n"]
    ridge: Float[Array, ""]
    loss: str = eqx.field(static=True)

    def matrix(self) -> Float[Array, "n n"]:
        """S = Theta(X, X) + ridge."""
        return _shifted(self.ntk, self.ridge)

    def inverse(self) -> Inverse:
        """S, factorised for the end of training."""
        return self._kept("_inverse", lambda: invert(self.matrix()))

    def spectrum(self) -> Spectrum:
        """S with its eigendecomposition, negative rounding of the kernel set to zero."""

        def decompose() -> Spectrum:
            # Derivatives do not pass: those of a degenerate eigendecomposition do not exist; `learned` has its own.
            values, vectors = jnp.linalg.eigh(jax.lax.stop_gradient(self.ntk))
            check_spectrum(values)
            return Spectrum(self.matrix(), jnp.maximum(values, 0) + self.ridge, vectors)

        return self._kept("_spectrum", decompose)

    def decomposed(self) -> bool:
        """Whether the spectrum is at hand already."""
        return "_spectrum" in self.__dict__

    def bound(self) -> float:
        """An upper bound of the eigenvalues of S, for numbers that can be looked at."""
        return self._kept("_bound", lambda: row_bound(self.matrix()))

    def deflated(self) -> Deflated | None:
        """S with its large eigenvalues apart, for numbers that can be looked at; None where none are."""
        return self._kept("_deflated", lambda: deflate(self.matrix()))

    def is_known(self) -> bool:
        """Whether the numbers of S can be looked at."""
        return concrete(self.ntk) is not None and concrete(self.ridge) is not None

    def _kept(self, name: str, make: Callable[[], Any]) -> Any:
        if not self.is_known():
            return make()
        if name not in self.__dict__:
            with jax.ensure_compile_time_eval():  # under a transformation of something else, these are numbers still
                object.__setattr__(self, name, on_one_thread(len(self.ntk), make))
        return self.__dict__[name]

    def example_weight(self) -> float:
        """Factor of the sum loss in the loss."""
        return 1 / len(self.ntk) if self.loss == "mean" else 1.0

    def cross(self, x: Any) -> tuple[Array, Array]:
        """Kernels of test with training inputs, shape (m, n) each."""
        if self.kernel is None:
            raise ValueError(
                "expected a kernel function to evaluate new inputs; got stored Gram matrices only. "
                "Use mean_from and covariance_from with cross kernels."
            )
        return evaluate(self.kernel, x, self.x_train)


class _Function(eqx.Module):
    """A plain function as a pytree without leaves."""

    function: Callable[..., Any] = eqx.field(static=True)

    def __call__(self, x1: Array, x2: Array | None = None) -> Any:
        return self.function(x1, x2)


class _Described(eqx.Module):
    """The kernels of a description."""

    net: Any

    def __call__(self, x1: Array, x2: Array | None = None) -> Any:
        from equitangents.kernels import nngp_and_ntk

        return nngp_and_ntk(self.net, x1, x2)


def as_kernel(kernel: Any) -> Any:
    """A pytree to be called as (x1, x2) -> (nngp, ntk), from a description or a function."""
    from equitangents.nets import AbstractLayer

    if isinstance(kernel, AbstractLayer):
        return _Described(kernel)
    if not callable(kernel):
        raise TypeError(
            f"expected a description of a network or a function (x1, x2) -> (nngp, ntk); got {type(kernel).__name__}. "
            "Stored matrices go to GradientFlow.from_gram."
        )
    return _Function(kernel) if jax.tree.leaves(kernel) == [kernel] else kernel


def evaluate(kernel: Any, x1: Array, x2: Array | None = None) -> tuple[Array, Array]:
    """Call a kernel and check that it gave two matrices (n1, n2)."""
    x = x1 if x2 is None else x2
    if x1.shape[1:] != x.shape[1:]:
        raise ValueError(
            f"expected examples of shape {x.shape[1:]}, as in training; got {x1.shape[1:]}. "
            "Reshape them, or add a batch axis."
        )
    pair = kernel(x1, x2)
    if not isinstance(pair, tuple) or len(pair) != 2:
        raise TypeError(
            f"expected the kernel to return a tuple of two matrices (nngp, ntk); got {type(pair).__name__}. "
            "Return both, also where one is not needed."
        )
    shape = (len(x1), len(x))
    return check_matrix("the kernel's nngp", pair[0], shape), check_matrix("the kernel's ntk", pair[1], shape)


def from_kernel(kernel: Any, x_train: Any, y_train: Any, loss: Any, ridge: ArrayLike) -> Regression:
    """The problem from a description or a kernel function."""
    check_loss(loss)
    _check_head(kernel)
    kernel, x_train = as_kernel(kernel), check_inputs("x_train", x_train)
    return from_gram(kernel, x_train, *evaluate(kernel, x_train), y_train, loss, ridge)


def _check_head(net: Any) -> None:
    """Raise for a network whose outputs are no Gaussian process and whose training is not linear in them."""
    while isinstance(net, Serial):
        net = net.layers[-1]
    if isinstance(net, AbstractActivation) and not isinstance(net, Identity):
        raise ValueError(
            f"expected a network that ends in a layer with weights, such as Dense(1), got {net!r} at its end: its "
            "outputs are not Gaussian, and do not train in closed form."
        )


def from_gram(
    kernel: Any, x_train: Array | None, nngp: Any, ntk: Any, y_train: Any, loss: Any, ridge: ArrayLike
) -> Regression:
    """The problem from Gram matrices; kernel and inputs are None where unknown."""
    check_loss(loss)
    check_number("ridge", ridge)
    ntk, nngp = check_gram("NTK", ntk), check_gram("NNGP", nngp)
    if nngp.shape != ntk.shape:
        check_matrix("the training NNGP", nngp, ntk.shape)  # raises
    nngp = nngp.astype(ntk.dtype)
    y_train = check_targets(y_train, len(ntk), ntk.dtype)
    problem = Regression(kernel, x_train, y_train, nngp, ntk, jnp.asarray(ridge).astype(ntk.dtype), loss)
    if problem.is_known():
        _check_semidefinite(problem)
    return problem


def _check_semidefinite(problem: Regression) -> None:
    """Raise if the NTK is indefinite by more than rounding; a Cholesky factor that exists shows that it is not."""
    inverse = problem.inverse()
    tolerance = float(jnp.finfo(problem.ntk.dtype).eps) ** 0.5 * inverse.largest
    shown = bool(inverse.definite)
    if problem.ridge > tolerance:
        shifted = _shifted(problem.ntk, tolerance)
        lower = on_one_thread(len(shifted), lambda: jax.lax.linalg.cholesky(shifted, symmetrize_input=False))
        shown = bool(jnp.isfinite(lower[-1, -1]))
    if not shown:
        problem.spectrum()  # raises, and says by how much


@jax.jit
def _shifted(matrix: Array, ridge: Array) -> Array:
    return matrix + jnp.diag(jnp.full(len(matrix), ridge))

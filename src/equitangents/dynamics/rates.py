r"""How fast gradient descent may go: $\eta < 2 (1 + m) / \lambda_{\max}$ in the sum loss."""

from typing import Any

import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array

from .checks import check_gram, check_loss, check_momentum, check_number


def max_learning_rate(
    ntk_train: ArrayLike, *, loss: str | None = None, momentum: ArrayLike = 0.0, ridge: ArrayLike = 0.0
) -> Array:
    r"""Learning rate at which full-batch descent begins to diverge, $2 (1 + m) / (\lambda_{\max}(\Theta) + \lambda)$.

    That is for `loss="sum"`; `loss="mean"` allows N times as much, N the number of training examples. Descent with
    heavy-ball momentum is $v \leftarrow m v - \eta \nabla L$, $\theta \leftarrow \theta + v$.

    Args:
        ntk_train: NTK of the training inputs, shape (n, n).
        loss: "sum" or "mean".
        momentum: m in [0, 1).
        ridge: penalty as in `GradientFlow`, at least 0.

    Returns:
        The limit, shape (); inf if the kernel and the ridge are zero.

    Raises:
        ValueError: if the kernel is no Gram matrix, or a number is out of its range.

    >>> import jax.numpy as jnp
    >>> float(max_learning_rate(jnp.diag(jnp.array([4.0, 1.0])), loss="sum"))
    0.5
    """
    ntk = check_gram("NTK", ntk_train)
    check_loss(loss)
    check_momentum(momentum)
    check_number("ridge", ridge)
    return rate_limit(jnp.linalg.eigvalsh(ntk)[-1] + ridge, len(ntk), loss, momentum)


def rate_limit(largest: Array, n: int, loss: str | None, momentum: Any = 0.0) -> Array:
    """The same from the largest eigenvalue, ridge included."""
    return 2 * (1 + momentum) / largest * (n if loss == "mean" else 1)

"""Deep ensembles: the same network trained from many initialisations, as one compiled program."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jax import lax
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from ..groups import Action
from ..nets import AbstractActivation, AbstractLayer, Dense, Flatten, Parallel, Residual, Serial
from .checks import concrete
from .objective import Objective
from .recipe import Optimizer, Params, Recipe, make_recipe
from .train import as_precision, check_key, warn_if_diverged


class Ensemble(eqx.Module):
    """Networks trained alike from different initialisations.

    Attributes:
        outputs: at the recorded steps on `x_record`, shape (members, times, n, *outputs).
        losses: loss of the examples of each step before it, shape (members, steps).
        diverged: whether a loss, an output or a parameter of a member is not finite, shape (members,).
        params: stacked along a first axis of members, if they were asked for.
    """

    outputs: Float[Array, "members times n *out"]
    losses: Float[Array, "members steps"]
    diverged: Bool[Array, " members"]
    params: Params | None


def ensemble(
    net: AbstractLayer,
    data: tuple[ArrayLike, ArrayLike],
    *,
    members: int | range,
    key: PRNGKeyArray,
    loss: str | Objective,
    learning_rate: ArrayLike | None = None,
    steps: int,
    chunk: int | None = None,
    keep_params: bool = False,
    optimizer: Optimizer = None,
    batch_size: int | None = None,
    augment: Action | None = None,
    record: tuple[int, ...] | None = None,
    x_record: ArrayLike | None = None,
    centred: bool = False,
) -> Ensemble:
    """A deep ensemble: member i starts from `draw_member(net, shape, key, i)` and is trained as `train` does.

    `chunk` members are trained side by side (`vmap`), the rest one chunk after the other (`lax.map`), in one compiled
    program; it is compiled once for each number of chunks. Member i is the same bit for bit in whatever ensemble of the
    same chunk it stands; another chunk changes its rounding, and training may amplify that. Long work is done in
    pieces, `members=range(0, 10)`, then `range(10, 20)`, whose results are those of `range(0, 20)`. A chunk holds the
    members c * chunk to (c + 1) * chunk - 1 and is trained whole, so pieces are best multiples of it.

    Args:
        net: the description.
        data: (x, y), as in `train`.
        members: how many, or which ones as a range of step 1.
        key: PRNG key of the whole ensemble.
        chunk: members trained side by side, at least 1; None: `default_chunk(net)`.
        keep_params: whether to return the trained parameters.
        loss, learning_rate, steps, optimizer, batch_size, augment, record, x_record, centred: as in `train`.

    Raises:
        ValueError: for shapes that do not fit, numbers out of range, entries that are not finite, an unknown loss.
        TypeError: for arguments of the wrong kind.

    Warns:
        RuntimeWarning: naming the members that diverged.

    >>> import jax, jax.numpy as jnp
    >>> from equitangents.nets import Dense, Relu, Serial
    >>> net, data = Serial(Dense(16), Relu(), Dense(1)), (jnp.array([[1.0], [2.0]]), jnp.array([[1.0], [2.0]]))
    >>> options = dict(loss="sum", learning_rate=0.1, steps=9, record=(0, 9))
    >>> ensemble(net, data, members=3, key=jax.random.key(0), **options).outputs.shape
    (3, 2, 2, 1)
    """
    recipe = make_recipe(
        net,
        data,
        loss=loss,
        learning_rate=learning_rate,
        steps=steps,
        optimizer=optimizer,
        batch_size=batch_size,
        augment=augment,
        record=record,
        x_record=x_record,
        centred=centred,
    )
    key = check_key(key, needed=True)
    chosen = _check_members(members)
    chunk = _check_chunk(net, chunk)
    first, last = chosen.start // chunk, -(-chosen.stop // chunk)
    numbers = np.arange(first * chunk, last * chunk, dtype=np.int32).reshape(-1, chunk)
    outputs, losses, diverged, params = _run(recipe, key, jnp.asarray(numbers), keep_params)
    inside = slice(chosen.start - first * chunk, chosen.stop - first * chunk)
    outputs, losses, diverged, params = jax.tree.map(lambda a: a[inside], (outputs, losses, diverged, params))
    warn_if_diverged(diverged, _name_diverged(diverged, chosen))
    return Ensemble(outputs, losses, diverged, params)


def draw_member(net: AbstractLayer, shape: tuple[int, ...], key: PRNGKeyArray, i: Any) -> tuple[Params, PRNGKeyArray]:
    """Initial parameters of member i of the ensemble of `key`, and the key with which `train` trains it."""
    init_key, train_key = jr.split(jr.fold_in(key, i))
    return net.init(init_key, shape)[1], train_key


def default_chunk(net: AbstractLayer, backend: str | None = None) -> int:
    """How many members train side by side: one on a CPU; elsewhere 64 where layers act on vectors, 16 where on sites.

    Measured on a CPU: side by side, dense layers of 128 and more channels cost 1.2 to 1.8 times as much, narrow ones
    0.7 times. The numbers for other backends are not measured.

    Args:
        net: the description.
        backend: "cpu", "gpu" or "tpu"; None: the one JAX uses.
    """
    backend = jax.default_backend() if backend is None else backend
    if backend == "cpu":
        return 1
    return 64 if _is_dense(net) else 16


@eqx.filter_jit
def predict_ensemble(net: AbstractLayer, params: Params, x: Float[Array, "n *shape"]) -> Float[Array, "n *out"]:
    """Mean over members of their outputs, `(1/M) sum_i f_i(x)`.

    Args:
        net: the description.
        params: stacked along a first axis of members, as `ensemble(..., keep_params=True)` returns them; leave diverged
            members out.
        x: shape (n, *shape).
    """
    outputs = lax.map(lambda member: jax.vmap(net.apply, (None, 0))(member, x), params)
    return jnp.mean(outputs, axis=0)


@eqx.filter_jit
def _run(recipe: Recipe, key: PRNGKeyArray, numbers: Array, keep_params: bool) -> tuple[Array, Array, Array, Params]:
    def member(i: Array) -> tuple[Array, Array, Array, Params]:
        params, train_key = draw_member(recipe.net, recipe.x.shape[1:], key, i)
        done = recipe.run(as_precision(params, recipe.x.dtype), train_key)
        return done.outputs, done.losses, done.diverged, done.params if keep_params else None

    if numbers.shape[1] == 1:
        return lax.map(member, numbers[:, 0])
    runs = lax.map(jax.vmap(member), numbers)
    return jax.tree.map(lambda a: a.reshape(-1, *a.shape[2:]), runs)


def _check_members(members: Any) -> range:
    members = int(members) if isinstance(members, np.integer) else members
    if isinstance(members, bool) or not isinstance(members, int | range):
        raise TypeError(f"expected members as a number or a range; got {members!r}. Pass for example range(10, 20).")
    chosen = range(members) if isinstance(members, int) else members
    if len(chosen) == 0 or chosen.start < 0 or chosen.step != 1:
        raise ValueError(f"expected at least one member, in a range of step 1 from 0 on; got {members!r}.")
    return chosen


def _check_chunk(net: AbstractLayer, chunk: Any) -> int:
    if chunk is None:
        return default_chunk(net)
    if isinstance(chunk, bool) or not isinstance(chunk, int):
        raise TypeError(f"expected chunk to be an integer or None; got {chunk!r}. Pass an int.")
    if chunk < 1:
        raise ValueError(f"expected chunk at least 1; got {chunk}. Pass None for the default.")
    return chunk


def _name_diverged(diverged: Array, chosen: range) -> str:
    flags = concrete(diverged)
    numbers = [] if flags is None else [i for i, flag in zip(chosen, flags, strict=True) if flag]
    shown = ", ".join(map(str, numbers[:5])) + (", ..." if len(numbers) > 5 else "")
    return f"{len(numbers)} of {len(chosen)} members ({shown})"


def _is_dense(net: AbstractLayer) -> bool:
    """Whether all layers act on vectors, as far as their types tell."""
    if isinstance(net, Serial | Parallel):
        return all(map(_is_dense, net.layers))
    if isinstance(net, Residual):
        return _is_dense(net.layer)
    return isinstance(net, Dense | Flatten | AbstractActivation)

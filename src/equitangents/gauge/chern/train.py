"""Training on links drawn as it goes; where it stopped, it goes on with the same numbers."""

import functools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import optax
from jaxtyping import Array

from .data import ChernData
from .loss import chern_loss
from .network import chern_network

AHEAD = 3  # batches drawn while a step is done


@dataclass(frozen=True)
class ChernTraining:
    """How a network learns Chern numbers: Adam with a cosine decay of its rate.

    Attributes:
        data: what it sees.
        channels, norm, reach: of `chern_network`.
        steps: of Adam, in all.
        rate: at the start; it falls to 0 as a cosine, after a linear rise over the first fiftieth.
        spread, weight: of `chern_loss`; spread 0 leaves the second term out.
        clip: largest norm of a gradient.
        seed: of the weights and of all batches.
        piece: examples that go through the network at once, as the products of one fit in cache.
    """

    data: ChernData = field(default_factory=ChernData)
    channels: tuple[int, ...] = (16, 8, 8)
    norm: bool = True
    reach: int = 0
    steps: int = 2000
    rate: float = 3e-3
    spread: float = 0.5
    weight: float = 1.0
    clip: float = 1.0
    seed: int = 0
    piece: int = 1

    def __post_init__(self):
        if self.steps < 1 or not self.rate > 0 or min(self.spread, self.weight) < 0 or not self.clip > 0:
            raise ValueError(
                f"expected steps >= 1, rate > 0, spread and weight >= 0 and clip > 0, got {self.steps}, {self.rate}, "
                f"{self.spread}, {self.weight} and {self.clip}."
            )
        if self.piece < 1 or self.data.batch % self.piece:
            raise ValueError(f"expected pieces that divide the batch of {self.data.batch}, got {self.piece}.")

    def net(self) -> Any:
        """The description."""
        return chern_network(self.channels, norm=self.norm, reach=self.reach)


class State(NamedTuple):
    """Where training is: all that is needed to go on.

    Attributes:
        step: steps done.
        params: of the network.
        optimiser: state of Adam.
        losses: of each step so far, (step,).
    """

    step: int
    params: Any
    optimiser: Any
    losses: np.ndarray


def start(training: ChernTraining) -> State:
    """Weights drawn from the seed."""
    shape = (*training.data.sites, 2, training.data.bands, training.data.bands)
    _, params = training.net().init(jr.key(training.seed), shape)
    params = jax.tree.map(lambda a: a.astype(jnp.float32), params)
    return State(0, params, _optimiser(training).init(params), np.zeros(0, np.float32))


def train_steps(training: ChernTraining, state: State, until: int) -> State:
    """Go on to step `until`.

    Raises:
        ValueError: `until` lies before where training is, or after its end.
        FloatingPointError: the loss is no longer finite, as without `norm` for many bands.
    """
    if not state.step <= until <= training.steps:
        raise ValueError(f"expected until from {state.step}, where training is, to {training.steps}, got {until}.")
    net, optimiser = training.net(), _optimiser(training)
    params, inner, losses = state.params, state.optimiser, []
    kind = (training.spread, training.weight)
    for links, chern in _batches(training, state.step, until):
        params, inner, loss = _step(net, optimiser, kind, training.piece, params, inner, links, chern)
        losses.append(loss)
    found = np.concatenate([state.losses, np.asarray(losses, np.float32)])
    if not np.isfinite(found).all():
        raise FloatingPointError(
            f"the loss is {found[~np.isfinite(found)][0]} from step {int(np.argmin(np.isfinite(found)))} on; use norm, "
            "or a smaller rate."
        )
    return State(until, params, inner, found)


def _batches(training: ChernTraining, first: int, until: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Batches of steps first to until, drawn in another thread while steps are done."""
    with ThreadPoolExecutor(1) as pool:
        draw = functools.partial(training.data.draw, training.seed + 1)
        waiting = [pool.submit(draw, n) for n in range(first, min(first + AHEAD, until))]
        for n in range(first, until):
            if n + AHEAD < until:
                waiting.append(pool.submit(draw, n + AHEAD))
            yield waiting.pop(0).result()


def _optimiser(training: ChernTraining) -> optax.GradientTransformation:
    return _adam(training.steps, training.rate, training.clip)


@functools.cache
def _adam(steps: int, rate: float, clip: float) -> optax.GradientTransformation:
    """One object for all seeds, as a step is compiled for each."""
    rise = max(1, steps // 50)
    schedule = optax.warmup_cosine_decay_schedule(0.0, rate, rise, max(steps, rise + 1))
    return optax.chain(optax.clip_by_global_norm(clip), optax.adam(schedule))


@functools.partial(jax.jit, static_argnums=(0, 1, 2, 3))
def _step(net, optimiser, kind, piece, params, inner, links, chern):
    """One step of Adam."""
    value, gradient = gradients(net, kind, piece, params, links, chern)
    with jax.numpy_dtype_promotion("standard"):  # optax raises floats to counts, which strict promotion refuses
        updates, inner = optimiser.update(gradient, inner, params)
    return optax.apply_updates(params, updates), inner, value


def gradients(
    net: Any, kind: tuple[float, float], piece: int, params: Any, links: Array, chern: Array
) -> tuple[Array, Any]:
    """`chern_loss` of spread and weight `kind` and its gradient, added up over pieces of the batch."""
    cut = jax.tree.map(lambda a: a.reshape(-1, piece, *a.shape[1:]), (links, chern))

    def loss(params: Any, part: tuple[Array, Array]) -> Array:
        return chern_loss(jax.vmap(lambda u: net.apply(params, u)[..., 0])(part[0]), part[1], *kind)

    def add(total: Any, part: Any) -> tuple[Any, None]:
        return jax.tree.map(jnp.add, total, jax.value_and_grad(loss)(params, part)), None

    zero = jax.tree.map(jnp.zeros_like, (jnp.zeros((), jnp.float32), params))
    return jax.tree.map(lambda a: a / len(cut[1]), jax.lax.scan(add, zero, cut)[0])

"""The work of `wilson-loops`: configurations, training, errors."""

import functools
import zlib
from typing import Any

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import optax

from ....gauge import Links, gauge_transform, heat_bath, random_gauge, random_links, rectangle, run_chain, wilson_loop
from ....nets import Serial
from ...piece import Arrays, Get, Piece
from ...precision import single
from .config import LOOPS, LoopsConfig
from .networks import LEARNED, loop_network, plain_network

KINDS = ("equivariant", "plain")
GROWN, SLOW = 1 / 3, 0.3  # rates of a network that has grown, and of its old layers beside the new one


def pieces(config: LoopsConfig) -> list[Piece]:
    """Configurations of each lattice, then a network for each loop, kind and seed."""
    out = []
    for name, side, count in lattices(config):
        made_from = (side, count, config.betas, config.sweeps, name)
        out.append(Piece(name, "configurations", made_from, functools.partial(drawn, config, name, side, count), count))
    for loop in LOOPS[: config.loops]:
        for kind in KINDS:
            for seed in range(config.seeds):
                needs = tuple(name for name, _, _ in lattices(config))
                net = repr(network(config, loop, kind))
                way = LEARNED.get(loop, ())
                grown = (way, *(repr(network(config, part, kind)) for part in way), GROWN, SLOW) if way else ()
                how = (loop, kind, seed, config.steps, config.batch, rate_of(config, kind), net, *grown)
                work = functools.partial(trained, config, loop, kind, seed)
                out.append(Piece(network_name(loop, kind, seed), kind, how, work, needs=needs))
    return out


def lattices(config: LoopsConfig) -> list[tuple[str, int, int]]:
    """Name, side and number of configurations of each set."""
    return [("train", config.side, config.train), *((f"test-{side}", side, config.test) for side in config.sides)]


def network_name(loop: tuple[int, int], kind: str, seed: int) -> str:
    """The name of a piece."""
    return f"{kind}-{loop[0]}x{loop[1]}-{seed}"


def drawn(config: LoopsConfig, name: str, side: int, count: int, get: Get) -> Arrays:
    """SU(2) configurations: a chain for each, so that they are independent; `betas` go with the first axis."""
    links = []
    with single():
        key = jr.fold_in(jr.key(0), zlib.crc32(name.encode()))
        each = count // len(config.betas)
        for number, beta in enumerate(config.betas):
            start, run = jr.split(jr.fold_in(key, number))
            hot = random_links(start, "SU(2)", (side, side), (each,))
            last, _ = run_chain(run, _Sweep(beta), hot, config.sweeps)
            links.append(np.asarray(last.array, np.complex64))
    return {"links": np.concatenate(links), "beta": np.repeat(np.asarray(config.betas), each)}


class _Sweep:
    """A heat bath at one coupling; equal ones are one program."""

    def __init__(self, beta: float):
        self.beta = beta

    def __call__(self, key: jax.Array, links: Links) -> Links:
        return heat_bath(key, links, self.beta)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Sweep) and other.beta == self.beta

    def __hash__(self) -> int:
        return hash(self.beta)


def targets(links: np.ndarray, loop: tuple[int, int]) -> np.ndarray:
    """Half of the real trace of the loop that starts at each site, (n, *sites)."""
    w = wilson_loop(Links(links, "SU(2)"), rectangle(0, 1, *loop))
    return np.trace(np.asarray(w), axis1=-2, axis2=-1).real.astype(np.float32) / 2


def network(config: LoopsConfig, loop: tuple[int, int], kind: str) -> Serial:
    """The description."""
    return loop_network(loop) if kind == "equivariant" else plain_network(config.width, config.depth)


def rate_of(config: LoopsConfig, kind: str) -> float:
    """The learning rate of this kind of network."""
    return config.rate if kind == "equivariant" else config.plain_rate


def trained(config: LoopsConfig, loop: tuple[int, int], kind: str, seed: int, get: Get) -> Arrays:
    """Mean squared errors of a trained network on each set, and on the same links in another gauge."""
    train, params = get("train")["links"], None
    for part in LEARNED.get(loop, (loop,)):
        net = network(config, part, kind)
        with single():
            params, learned = begun(net, train.shape[1:], seed, params)
            params = fit(net, params, learned, train, targets(train, part), config, rate_of(config, kind), seed)
    out = {"weights": np.asarray(sum(leaf.size for leaf in jax.tree.leaves(params)))}
    for side in config.sides:
        links = get(f"test-{side}")["links"]
        y = targets(links, loop)
        found = predicted(net, params, links)
        other = np.asarray(turned(links, seed))
        out[f"error-{side}"] = np.mean((found - y) ** 2, axis=(1, 2))
        out[f"turned-{side}"] = np.mean((predicted(net, params, other) - y) ** 2, axis=(1, 2))
        out[f"variance-{side}"] = np.mean((y - y.mean()) ** 2, axis=(1, 2))
        if side == config.sides[0]:
            out |= {"found": found[:, :4, :4].astype(np.float32), "true": y[:, :4, :4]}
    return out


def turned(links: np.ndarray, seed: int) -> Any:
    """The same links after a random gauge transformation."""
    field = Links(jnp.asarray(links), "SU(2)")
    omega = random_gauge(jr.key(1000 + seed), "SU(2)", field.sites, field.batch)
    return gauge_transform(field, omega.astype(links.dtype)).array


def begun(net: Serial, shape: tuple[int, ...], seed: int, before: Any) -> tuple[list[Any], int]:
    """Weights drawn from the seed, those that a network learned before in place of the first; and how many these are.

    A network that grows by one layer has the readout drawn anew, without a bias.
    """
    _, params = net.init(jr.key(seed), shape)
    learned = 0
    if before is not None:
        learned = len(before) if len(before) == len(params) else len(before) - 2
        if learned < len(params):
            params[-1] = params[-1] | {"b": jnp.zeros_like(params[-1]["b"])}
        params = [*before[:learned], *params[learned:]]
    return jax.tree.map(lambda a: jnp.asarray(a, jnp.float32), params), learned


def fit(
    net: Serial,
    params: list[Any],
    learned: int,
    x: np.ndarray,
    y: np.ndarray,
    config: LoopsConfig,
    rate: float,
    seed: int,
) -> list[Any]:
    """Adam with a cosine decay on the mean squared error at sites; layers learned before move more slowly than new."""
    steps = config.steps

    def adam(rate: float) -> optax.GradientTransformation:
        return optax.adam(optax.warmup_cosine_decay_schedule(0, rate, steps // 20 + 1, steps))

    if 0 < learned < len(params):
        kind = [
            jax.tree.map(lambda _, k=k: "learned" if k < learned else "new", layer) for k, layer in enumerate(params)
        ]
        rule = optax.multi_transform({"learned": adam(GROWN * SLOW * rate), "new": adam(GROWN * rate)}, kind)
    else:
        rule = adam(rate)
    optimiser = optax.chain(optax.clip_by_global_norm(1.0), rule)

    @jax.jit
    def run(params: Any, x: jax.Array, y: jax.Array) -> Any:
        def loss(params: Any, chosen: jax.Array) -> jax.Array:
            found = jax.vmap(lambda u: net.apply(params, u)[..., 0])(x[chosen])
            return jnp.mean((found - y[chosen]) ** 2)

        def step(state: tuple[Any, Any], key: jax.Array) -> tuple[tuple[Any, Any], None]:
            params, inner = state
            gradient = jax.grad(loss)(params, jr.choice(key, len(x), (config.batch,), replace=False))
            updates, inner = optimiser.update(gradient, inner, params)
            return (optax.apply_updates(params, updates), inner), None

        keys = jr.split(jr.fold_in(jr.key(seed), 1), steps)
        return jax.lax.scan(step, (params, optimiser.init(params)), keys)[0][0]

    with jax.numpy_dtype_promotion("standard"):  # optax raises floats to counts, which strict promotion refuses
        return run(params, jnp.asarray(x), jnp.asarray(y))


def predicted(net: Serial, params: Any, links: np.ndarray) -> np.ndarray:
    """Outputs at all sites, (n, *sites)."""
    outputs = jax.jit(lambda p, x: jax.lax.map(lambda u: net.apply(p, u)[..., 0], x, batch_size=8))
    return np.asarray(outputs(params, links))

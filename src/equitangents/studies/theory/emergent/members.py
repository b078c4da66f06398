"""Ensembles in pieces, and the kernel's prediction of them: the same data, loss, learning rate and steps."""

import zlib
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import numpy as np

from ....dynamics import GradientFlow, ensemble, max_learning_rate
from ....nets import AbstractLayer
from ...piece import Arrays, Get, Piece
from ...precision import double, single

TOGETHER = 512  # inputs whose covariances are computed at once


class Task(NamedTuple):
    r"""What an ensemble learns, on the loss $\frac{1}{2N} \sum_i |f(x_i) - y_i|^2$, and where it is looked at.

    Attributes:
        x, y: all N training examples, augmented, (N, *example) and (N, outputs).
        seen: inputs on orbits, (elements, items, *example), the unmoved ones first.
        back: matrices that take outputs on moved inputs back, (elements, outputs, outputs); None where nothing moves.
    """

    x: np.ndarray
    y: np.ndarray
    seen: np.ndarray
    back: np.ndarray | None = None

    def moved_back(self, outputs: np.ndarray) -> np.ndarray:
        """Outputs (..., elements * items, outputs) as (..., elements, items, outputs), moved back."""
        shaped = outputs.reshape(*outputs.shape[:-2], *self.seen.shape[:2], outputs.shape[-1])
        return shaped if self.back is None else np.einsum("gcd,...gid->...gic", self.back.astype(shaped.dtype), shaped)

    @property
    def flat(self) -> np.ndarray:
        return self.seen.reshape(-1, *self.seen.shape[2:])


def kernel_piece(
    name: str,
    net: AbstractLayer,
    task: Callable[[], Task],
    moments: tuple[int, ...],
    rate: float,
    made_from: tuple,
    joint: bool = False,
) -> Piece:
    """The infinite ensemble after `moments` steps of descent, and the learning rate that all members share.

    Arrays: `rate`, and `limit`, the largest stable one; `mean` (moments, elements, items, outputs), moved back;
    `covariance` (moments, items, elements, elements), of one output on orbits, not moved back; with `joint`, of all
    inputs at the last moment, (elements, items, elements, items).
    """

    def work(get: Get) -> Arrays:
        with double():
            data = task()
            flow = GradientFlow(net, data.x.astype(float), data.y.astype(float), loss="mean")
            limit = float(max_learning_rate(flow.regression.ntk, loss="mean"))
            descent, steps = flow.descent(rate * limit), np.array(moments)
            elements, items = data.seen.shape[:2]
            each = items if joint else max(1, TOGETHER // elements)
            means, sigmas, whole = [], [], np.zeros(0)
            for i in range(0, items, each):
                some = data.seen[:, i : i + each].astype(float)
                found = descent.predict(some.reshape(-1, *some.shape[2:]), steps)
                means.append(np.asarray(found.mean).reshape(len(steps), *some.shape[:2], -1))
                sigma = np.asarray(found.covariance).reshape(len(steps), *some.shape[:2], *some.shape[:2])
                sigmas.append(np.einsum("tgihi->tigh", sigma))
                whole = sigma[-1]
        mean = np.concatenate(means, axis=2)
        arrays = {
            "rate": np.array(rate * limit),
            "limit": np.array(limit),
            "mean": data.moved_back(mean.reshape(len(steps), elements * items, -1)),
            "covariance": np.concatenate(sigmas, axis=1),
        }
        return arrays | ({"joint": whole} if joint else {})

    return Piece(name, name, ("kernel", repr(net), moments, *made_from), work, model="kernel")


def chunks(members: int, each: int) -> list[range]:
    """Members of each piece."""
    return [range(i, min(i + each, members)) for i in range(0, members, each)]


def member_pieces(
    name: str,
    net: AbstractLayer,
    task: Callable[[], Task],
    moments: tuple[int, ...],
    members: int,
    each: int,
    rate_from: str,
    made_from: tuple,
) -> list[Piece]:
    """The ensemble `name` in pieces of `each` members, trained in float32 at the rate of the piece `rate_from`.

    Arrays: `outputs` (members, moments, elements, items, outputs), moved back.
    """

    def work(some: range, get: Get) -> Arrays:
        data, rate = task(), float(get(rate_from)["rate"])
        key = zlib.crc32(f"{name} {made_from[0]}".encode())
        with single():
            done = ensemble(
                net,
                (data.x.astype(np.float32), data.y.astype(np.float32)),
                members=some,
                key=jax.random.key(key),
                loss="mean",
                learning_rate=rate,
                steps=moments[-1],
                record=moments,
                x_record=data.flat.astype(np.float32),
            )
            if np.asarray(done.diverged).any():
                raise ValueError(
                    f"rate: expected one at which all networks stay finite, but {name} diverged; lower it."
                )
            return {"outputs": data.moved_back(np.asarray(done.outputs))}

    return [
        Piece(
            f"{name}-m{some.start}",
            name,
            ("members", repr(net), moments, some.start, len(some), *made_from),
            partial(work, some),
            amount=len(some),
            needs=(rate_from,),
            arm=name,
            model="ensemble",
        )
        for some in chunks(members, each)
    ]


def outputs_of(pieces: list[Piece], get: Get) -> np.ndarray:
    """Outputs of all members, (members, moments, elements, items, outputs)."""
    return np.concatenate([get(piece.name)["outputs"] for piece in pieces])

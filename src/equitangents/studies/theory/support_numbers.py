"""Measures of ensembles of M members on each support: over disjoint ensembles, with errors by resampling members."""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from ...symmetry import orbit_same_prediction, symmetric_kl
from ..piece import Arrays
from ..precision import double
from .unbiased import Estimate, mean_of, mean_square

KINDS = ("digits", "off")
METRICS = ("same", "kl", "deviation")


class Measured(NamedTuple):
    """One support on one kind of inputs.

    Attributes:
        values: of a metric, for each size; see `measures`.
        plateau: squared orbit deviation of the mean over all networks there are, without noise.
        noise: squared orbit deviation of one member, minus the plateau.
        accuracy: of single members and of the ensemble of all, on digits as they are (0 off them).
    """

    values: dict[str, list[Estimate]]
    plateau: Estimate
    noise: Estimate
    accuracy: tuple[float, float]


def measures(logits: np.ndarray) -> dict[str, float]:
    """Of mean logits on orbits, (|G|, inputs, classes): means over inputs.

    Returns:
        same: orbit-same-prediction, 1 to |G|.
        kl: symmetric Kullback-Leibler divergence.
        deviation: squared orbit deviation, mean over orbit and classes.
    """
    with double():
        f = jnp.asarray(logits, jnp.float64)
        same, kl = orbit_same_prediction(f), symmetric_kl(f)
        found = {"same": float(jnp.mean(same)), "kl": float(jnp.mean(kl))}
    return found | {"deviation": float(np.mean((logits - logits.mean(0)) ** 2))}


def measured(config: Any, outputs: np.ndarray, labels: np.ndarray | None) -> Measured:
    """Over disjoint ensembles of each size; the error of one is that over ensembles drawn from all members.

    Args:
        config: of `support_symmetry`.
        outputs: logits of the members, (members, |G|, inputs, classes).
        labels: of the inputs; None off the manifold.
    """
    rng = np.random.default_rng(config.seed)
    values: dict[str, list[Estimate]] = {metric: [] for metric in METRICS}
    for m in config.sizes:
        m = min(m, len(outputs))  # where some diverged
        blocks = min(len(outputs) // m, config.resamples)
        disjoint = [measures(outputs[k * m : (k + 1) * m].mean(0, dtype=float)) for k in range(blocks)]
        if blocks >= config.resamples:
            spread = disjoint
        else:
            drawn = (rng.integers(len(outputs), size=m) for _ in range(config.resamples))
            spread = [measures(outputs[chosen].mean(0, dtype=float)) for chosen in drawn]
        for metric in METRICS:
            error = np.std([s[metric] for s in spread], ddof=1) / np.sqrt(blocks)
            values[metric].append(Estimate(float(np.mean([d[metric] for d in disjoint])), float(error)))
    violation = outputs - outputs.mean(1, keepdims=True)
    plateau = mean_square(violation)
    single = mean_of(np.mean(violation.astype(float) ** 2, axis=(1, 2, 3)))
    noise = Estimate(single.value - plateau.value, single.error)
    accuracy = (0.0, 0.0)
    if labels is not None:
        own = outputs[:, 0]
        accuracy = tuple(float(np.mean(o.argmax(-1) == labels)) for o in (own, own.mean(0)))  # type: ignore[assignment]
    return Measured(values, plateau, noise, accuracy)


def kept(parts: list[Arrays]) -> tuple[np.ndarray, int]:
    """Outputs of the members that did not diverge, and how many did."""
    good = [part["outputs"][~part["diverged"]] for part in parts]
    return np.concatenate(good), sum(len(p["outputs"]) for p in parts) - sum(map(len, good))


def orbit_gap(outputs: np.ndarray) -> np.ndarray:
    """Largest difference from the unmoved input at each time, of (times, |G|, inputs, classes)."""
    return np.abs(outputs - outputs[:, :1]).max((1, 2, 3))

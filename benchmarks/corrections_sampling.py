"""Sampled tensors of finite networks against those of `expand`: python -m benchmarks.corrections_sampling [CASE ...]

    --state FILE   running means, kept after every few seconds; a run that was stopped goes on from there
    --share 0.1    a tenth of the networks, three times the errors
    --seconds S    stop sampling after so long and print what there is; give the command again to go on

One line for each case and tensor: the largest deviation of any component in standard errors, their root mean square,
the standard error relative to the largest component, and chi^2 per degree of freedom of the fit in 1/width.
"""

import argparse
import json
import math
import time
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np

from equitangents.corrections import Sampled, expand, extrapolate, sample_tensors
from equitangents.nets import AbstractActivation, Dense, Erf, Gelu, Relu, Serial, Sin, Tanh

MEANS, FOURTH, TANGENT = ("G1", "H1"), ("V", "D", "F", "A", "B"), ("P", "Q", "R", "S", "T", "U")
TWO = np.array([[0.8, -0.5, 1.1], [0.2, 1.3, -0.4]])
FOUR = np.array([[0.8, -0.5, 1.1], [0.2, 1.3, -0.4], [-0.9, 0.3, 0.5], [1.2, 0.6, -0.1]])


class Case(NamedTuple):
    """One table row's worth of sampling; a fit of this degree in 1/width, 0 where one width is exact."""

    phi: AbstractActivation
    depth: int
    tensors: tuple[str, ...]
    widths: tuple[int, ...]
    draws: tuple[int, ...]
    degree: int
    x: np.ndarray = TWO
    c_w: float = 1.5
    c_b: float = 0.1
    method: str = "averaged"
    batch: int = 250

    def net(self, width: int) -> Serial:
        numbers = (math.sqrt(self.c_w), math.sqrt(self.c_b), 0.7, 0.3)
        return Serial(*[Dense(width, *numbers), self.phi] * (self.depth - 1), Dense(1, *numbers))


def _averaged(phi: AbstractActivation, depth: int, c_w: float = 1.5, c_b: float = 0.1) -> Case:
    draws = (160_000, 160_000, 40_000, 16_000)
    return Case(phi, depth, (*FOURTH, *MEANS), (16, 32, 64, 96), draws, 2, c_w=c_w, c_b=c_b)


def _exact(phi: AbstractActivation, width: int, draws: int) -> Case:
    return Case(phi, 2, (*FOURTH, *TANGENT), (width,), (draws,), 0, FOUR, method="autodiff", batch=100)


CASES = {
    "layer 2, sin, 4 inputs": _exact(Sin(), 5, 200_000),
    "layer 2, tanh, 4 inputs": _exact(Tanh(), 7, 100_000),
    "layer 3, tanh": _averaged(Tanh(), 3),
    "layer 3, erf": _averaged(Erf(1.0, 1 / math.sqrt(2)), 3),
    "layer 3, gelu": _averaged(Gelu(), 3, 1.98305826, 0.17292239),
    "layer 3, relu": _averaged(Relu(), 3, 2.0, 0.1),
    "layer 4, tanh": _averaged(Tanh(), 4),
    "layer 4, erf": _averaged(Erf(1.0, 1 / math.sqrt(2)), 4),
    "layer 4, gelu": _averaged(Gelu(), 4, 1.98305826, 0.17292239),
    "layer 4, relu": _averaged(Relu(), 4, 2.0, 0.1),
    "layer 3, tanh, P to U": Case(
        Tanh(), 3, TANGENT, (8, 12, 16, 32), (400_000, 300_000, 200_000, 100_000), 2, method="autodiff", batch=200
    ),
}  # fmt: skip


class State:
    """Running means in a JSON file."""

    def __init__(self, path: Path):
        self.path = path
        self.runs: dict[str, Sampled] = {}
        if path.exists():
            for name, kept in json.loads(path.read_text(encoding="utf-8")).items():
                parts = ({k: np.asarray(v) for k, v in kept[part].items()} for part in ("mean", "squares"))
                self.runs[name] = Sampled(*parts, kept["batches"], kept["width"])

    def add(self, name: str, found: Sampled) -> None:
        self.runs[name] = self.runs[name].merged(found) if name in self.runs else found
        rows = {
            name: {
                "mean": {k: v.tolist() for k, v in run.mean.items()},
                "squares": {k: v.tolist() for k, v in run.squares.items()},
                "batches": run.batches,
                "width": run.width,
            }
            for name, run in self.runs.items()
        }
        spare = self.path.with_suffix(".new")
        spare.write_text(json.dumps(rows), encoding="utf-8")
        spare.replace(self.path)  # a run that is stopped meanwhile loses nothing


def sample(name: str, case: Case, state: State, until: float, share: float) -> bool:
    """Whether all draws are there; in pieces of 40 batches."""
    for width, draws in zip(case.widths, case.draws, strict=True):
        label, wanted = f"{name}, n={width}", max(20, math.ceil(share * draws / case.batch))
        key = jr.fold_in(jr.key(list(CASES).index(name)), width)
        while (done := state.runs[label].batches if label in state.runs else 0) < wanted:
            if time.monotonic() > until:
                return False
            piece = max(2, min(40, wanted - done))
            found = sample_tensors(
                case.net(width), jnp.asarray(case.x), case.tensors, piece * case.batch, key,
                method=case.method, batch=case.batch, first=done,
            )  # fmt: skip
            state.add(label, found)
    return True


def table(name: str, case: Case, state: State) -> list[str]:
    """One line for each tensor."""
    expected = expand(case.net(case.widths[0]), jnp.asarray(case.x), case.tensors)[-1]
    runs = [state.runs[f"{name}, n={width}"] for width in case.widths]
    lines = []
    for tensor in case.tensors:
        fit = extrapolate(case.widths, [r.mean[tensor] for r in runs], [r.error[tensor] for r in runs], case.degree)
        exact = np.asarray(expected.tensors[tensor])
        known = fit.error > 1e-10 * np.max(np.abs(exact))  # less is rounding, of what is exact for every network
        if not np.all(np.abs(fit.value - exact)[~known] < 1e-9):
            raise ValueError(f"{name}, {tensor}: a component without noise differs from the prediction.")
        z = ((fit.value - exact) / np.where(known, fit.error, 1))[known]
        size = np.max(np.abs(exact)) or 1.0
        chi2 = f"{np.mean(fit.chi2[known]) / fit.freedom:9.2f}" if fit.freedom else f"{'-':>9}"
        if z.size:
            row = f"{np.abs(z).max():9.2f} {np.sqrt(np.mean(z**2)):9.2f} {fit.error.max() / size:9.2%} {chi2}"
            lines.append(f"{name:<26} {tensor:>4} {z.size:5d} {row}")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"any of: {'; '.join(CASES)}")
    parser.add_argument("--state", type=Path, default=Path("corrections_sampling.json"))
    parser.add_argument("--share", type=float, default=1.0, help="of the networks that errors of 1 %% need")
    parser.add_argument("--seconds", type=float, default=math.inf)
    options = parser.parse_args()
    if unknown := sorted(set(options.cases) - set(CASES)):
        parser.error(f"expected cases among {'; '.join(CASES)}, got {'; '.join(unknown)}")
    jax.config.update("jax_enable_x64", True)
    state, until = State(options.state), time.monotonic() + options.seconds
    print(f"{'case':<26} {'':>4} {'parts':>5} {'max |z|':>9} {'rms z':>9} {'error':>9} {'chi2/dof':>9}")
    for name in options.cases or CASES:
        if sample(name, CASES[name], state, until, options.share):
            print("\n".join(table(name, CASES[name], state)), flush=True)
        else:
            print(f"{name:<26} not finished: give the same command again", flush=True)


if __name__ == "__main__":
    main()

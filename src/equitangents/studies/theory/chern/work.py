"""The pieces of work: training cut into parts that each go on from the one before, measurements, a phase diagram."""

import dataclasses
from functools import partial
from typing import Any

import numpy as np

from ....gauge import Links, chern_number, flux, haldane, links_from_bands
from ....gauge.chern import draw_bands, evaluate, local_fluxes, start, train_steps
from ....gauge.chern.baselines import NetworkTraining, axial
from ....gauge.chern.checkpoint import from_arrays, to_arrays
from ....gauge.chern.evaluate import Evaluation, found_factor, fresh, vacuum_output
from ....gauge.chern.families import families, haldane_edge
from ....gauge.haar import random_gauge
from ....gauge.links import gauge_transform
from ...piece import Arrays, Get, Piece
from .config import ChernConfig, Run

SHOWN = 40  # lattices whose fluxes are kept, for the figure
TURNED = 200  # lattices whose gauge is changed
PHASES = "phases"


def pieces(config: ChernConfig) -> list[Piece]:
    """Each run in turn, seed by seed: training, then measurements; the first one is drawn too."""
    found = []
    for run in config.runs:
        for seed in range(run.seeds):
            found += training_pieces(config, run, seed) + measuring_pieces(config, run, seed)
    last = last_part(config.runs[0], 0)
    made_from = ("phases", config.phase_points, config.phase_grid)
    drawn = Piece(PHASES, "phase diagram", made_from, partial(phase_diagram, config), needs=(last,))
    after = 1 + [piece.name for piece in found].index(last)
    return [*found[:after], drawn, *found[after:]]


def part_name(run: Run, seed: int, until: int) -> str:
    """Of the piece that trains up to a step."""
    return f"train-{run.name}-s{seed}-{until:05}"


def last_part(run: Run, seed: int) -> str:
    """Of the piece that ends the training."""
    return part_name(run, seed, run.steps)


def measure_name(run: Run, seed: int, where: str) -> str:
    """Of the piece that measures on "haar" links or on a model."""
    return f"measure-{run.name}-s{seed}-{where}"


def made(config: ChernConfig, run: Run, seed: int) -> tuple:
    """What a trained network is made from."""
    return (run.links, *dataclasses.astuple(run.training(config.grid, seed)))


def training_pieces(config: ChernConfig, run: Run, seed: int) -> list[Piece]:
    """The training in parts; that of the network that needs none is its start."""
    ends = [*range(run.each, run.steps, run.each), run.steps]
    names = [part_name(run, seed, end) for end in ends]
    return [
        Piece(
            name,
            f"train {run.name}",
            (*made(config, run, seed), end),
            partial(train_part, config, run, seed, before, end),
            amount=max(1, end - first),
            needs=(before,) if before else (),
        )
        for name, before, first, end in zip(names, ["", *names], [0, *ends], ends, strict=False)
    ]


def train_part(config: ChernConfig, run: Run, seed: int, before: str, end: int, get: Get) -> Arrays:
    """Training up to a step; `diverged` is the step of the part in which the loss ceased to be finite, or -1."""
    training = run.training(config.grid, seed)
    arrays = get(before) if before else to_arrays(start(training)) | {"diverged": np.asarray(-1)}
    if run.network == "exact" or arrays["diverged"] >= 0:
        return arrays
    state = from_arrays(training, arrays)
    try:
        return to_arrays(train_steps(training, state, end)) | {"diverged": np.asarray(-1)}
    except FloatingPointError:
        return arrays | {"diverged": np.asarray(state.step)}


def measuring_pieces(config: ChernConfig, run: Run, seed: int) -> list[Piece]:
    """On random links, and for gauge equivariant networks on each model of insulators."""
    models = families(run.bands) if run.network == "gebl" else ()
    count, sides = (config.count, config.insulators), sides_of(config, run)
    found = [
        Piece(
            measure_name(run, seed, "haar"),
            f"measure {run.name}",
            ("haar", count[0], sides),
            partial(measure_haar, config, run, seed),
            amount=config.count,
            needs=(last_part(run, seed),),
        )
    ]
    for model in models:
        found.append(
            Piece(
                measure_name(run, seed, model),
                f"measure {run.name}",
                (model, count[1], sides),
                partial(measure_model, config, run, seed, model),
                amount=config.insulators,
                needs=(last_part(run, seed), measure_name(run, seed, "haar")),
            )
        )
    return found


def sides_of(config: ChernConfig, run: Run) -> tuple[int, ...]:
    """Of the lattices a network is measured on: a baseline stays where it was trained."""
    return config.grids if run.network == "gebl" else (config.grid,)


def trained(config: ChernConfig, run: Run, seed: int, get: Get) -> tuple[NetworkTraining, Any, Any]:
    """The training, its network and its weights."""
    training = run.training(config.grid, seed)
    return training, training.net(), from_arrays(training, get(last_part(run, seed))).params


def measure_haar(config: ChernConfig, run: Run, seed: int, get: Get) -> Arrays:
    """Random lattices of all sizes; what a change of gauge does; fluxes of a few lattices, to draw."""
    training, net, params = trained(config, run, seed, get)
    factor, error = found_factor(net, params, training.data) if run.trivial else (1.0, 0.0)
    found = {"factor": np.array([factor, error]), "vacuum": np.asarray(vacuum_output(net, params, run.bands) / factor)}
    for side in sides_of(config, run):
        data = training.data.on((side, side))
        links = fresh(data.haar(), config.count, 0)
        one = evaluate(net, params, links, run.label, factor=factor)
        found |= numbers(one, f"-{side}")
        if side == config.grid:
            found |= {"predicted": one.predicted, "chern": one.chern}
            found |= turned(net, params, links[:TURNED], factor)
            found["outputs"] = local_fluxes(net, params, links[:SHOWN]) / factor
            found["fluxes"] = flux(Links(links[:SHOWN], data.group), run.label) / (2 * np.pi)
            if run.links == "axial":
                found |= numbers(evaluate(net, params, axial(links), run.label, factor=factor), "-axial")
    return found


def turned(net: Any, params: Any, links: np.ndarray, factor: float) -> Arrays:
    """Root mean square change of the answer under random gauge transformations."""
    import jax.random as jr

    group = f"U({links.shape[-1]})"
    omega = np.asarray(random_gauge(jr.key(0), group, links.shape[1:3], (len(links),))).astype(links.dtype)
    moved = np.asarray(gauge_transform(Links(links, group), omega).array)
    a, b = (local_fluxes(net, params, u).sum((1, 2)) / factor for u in (links, moved))
    return {"turned": np.asarray(np.sqrt(np.mean((a - b) ** 2)))}


def measure_model(config: ChernConfig, run: Run, seed: int, model: str, get: Get) -> Arrays:
    """Band structures of one model on grids of all sizes: `row`, and other shares.

    Returns:
        row-side: of `numbers`; shifted-side: share found when the output of the vacuum is subtracted at each site;
        resolved-side: share of grids that are fine enough for the exact Chern number.
    """
    _, net, params = trained(config, run, seed, get)
    before = get(measure_name(run, seed, "haar"))
    factor, still = float(before["factor"][0]), float(before["vacuum"])
    found: Arrays = {}
    for side in sides_of(config, run):
        links, exact = draw_bands(model, run.bands, (side, side), config.insulators)
        one = evaluate(net, params, links, run.label, factor=factor)
        found |= numbers(one, f"-{side}")
        found[f"shifted-{side}"] = np.asarray(np.mean(np.rint(one.predicted - side**2 * still) == one.chern))
        found[f"resolved-{side}"] = np.asarray(np.mean(one.chern == exact))
    return found


def numbers(one: Evaluation, suffix: str) -> Arrays:
    """An evaluation as arrays: accuracy, low, high, site error, correlation, guess."""
    row = (one.accuracy, one.low, one.high, one.site_error, one.correlation, one.guessed)
    return {f"row{suffix}": np.array(row)}


def phase_diagram(config: ChernConfig, get: Get) -> Arrays:
    """Sums of outputs for Haldane's model over phases and masses, with the labels of the same grid and the exact ones.

    Returns:
        phi, m: (points,) each; predicted, label, exact: (points of m, points of phi).
    """
    _, net, params = trained(config, config.runs[0], 0, get)
    half = np.arange(config.phase_points) + 0.5  # never 0, where the gap closes on the axis
    phi = np.pi * (2 * half / config.phase_points - 1)
    m = 1.6 * (2 * half / config.phase_points - 1)
    sites = (config.phase_grid, config.phase_grid)
    links = np.stack([links_from_bands(haldane(a, b), sites, 1).array for a in m for b in phi])
    shape = (len(m), len(phi))
    exact = np.where(np.abs(m)[:, None] < haldane_edge(phi), np.sign(np.sin(phi)), 0)
    return {
        "phi": phi,
        "m": m,
        "predicted": local_fluxes(net, params, links).sum((1, 2)).reshape(shape),
        "label": chern_number(Links(links, "U(1)")).reshape(shape),
        "exact": exact,
    }

"""The page of the study of Chern numbers."""

from typing import Any

import numpy as np

from .... import plots
from ....gauge.chern import transfer_accuracy
from ....gauge.chern.families import families, haldane_edge
from ....plots.gauge import Accuracies, ChernMap, Fluxes, Losses, Transfer
from ...piece import Get
from ..study import Drawing, Page, Section, Table
from .config import ChernConfig, Run
from .results import accuracy, diverged, ensemble, found, rows_of, weights
from .work import PHASES, last_part, measure_name

NAMES = {"gebl": "gauge equivariant", "cnn": "CNN of link entries", "deep-spec": "DeepSpec", "exact": "by hand"}
DRAWN = 3  # panels of accuracy against the size of the lattice


def page(config: ChernConfig, get: Get) -> Page:
    """All sections for which the configuration has runs."""
    sections = [phase_section(config, get), flux_section(config, get), grid_section(config, get)]
    sections += [runs_section(config, get)]
    baselines = [run for run in config.runs if run.network != "gebl"]
    if baselines:
        sections.append(baseline_section(config, baselines, get))
    return Page(answer(config, get), tuple(sections))


def answer(config: ChernConfig, get: Get) -> str:
    """The measured numbers of the plain runs."""
    first = config.runs[0]
    parts = [
        f"Gauge equivariant networks of {weights(first, config.grid):,} weights find the Chern number of random U(1) "
        f"links on {config.grid} x {config.grid} sites in {found(first, at(config), get)} of all cases after "
        f"{first.steps:,} steps"
    ]
    for run in plain(config)[1:]:
        kind = (
            ", seeing trivial links alone"
            if run.trivial
            else ", half of its training smooth"
            if run.links == "mixed"
            else ""
        )
        parts.append(f"in {found(run, at(config), get)} for U({run.bands}){kind}, {run.steps:,} steps")
    return "; ".join(parts) + "."


def plain(config: ChernConfig) -> list[Run]:
    """Gauge equivariant networks that are no ablation."""
    return [run for run in config.runs if run.network == "gebl" and not run.ablation]


def at(config: ChernConfig, where: Any = None) -> str:
    """Key of the row at a size of the lattice."""
    return f"row-{config.grid if where is None else where}"


def phase_section(config: ChernConfig, get: Get) -> Section:
    """Haldane's model."""
    p = get(PHASES)
    wrong_network = int(np.sum(np.rint(p["predicted"]) != p["exact"]))
    wrong_grid = int(np.sum(p["label"] != p["exact"]))
    together = float(np.mean(np.rint(p["predicted"]) == p["label"]))
    fine = np.linspace(-1, 1, 400)
    figure = plots.chern_map(
        ChernMap(
            f"Haldane's model, {config.phase_grid} x {config.phase_grid} momenta",
            p["phi"] / np.pi,
            p["m"],
            p["exact"],
            p["predicted"],
            fine,
            np.asarray(haldane_edge(np.pi * fine)),
        )
    )
    return Section(
        "Phases of Haldane's model, as the network sees them",
        (
            f"A network trained on random links, on {config.grid} x {config.grid} sites, reads the links of the filled "
            f"band on {config.phase_grid} x {config.phase_grid} momenta. Of {p['exact'].size:,} points it is wrong at "
            f"{wrong_network}; the lattice itself, whose Chern number is computed exactly from these links, at "
            f"{wrong_grid}: near a closing gap the grid does not resolve the band. Network and lattice agree at "
            f"{100 * together:.1f} % of the points.",
        ),
        (
            Drawing(
                "phases",
                figure,
                "Exact Chern numbers, and the network's sum of outputs, not rounded; lines where the gap closes.",
            ),
        ),
    )


def flux_section(config: ChernConfig, get: Get) -> Section:
    """Outputs at sites."""
    drawings, text = [], []
    for run in plain(config)[:DRAWN]:
        p = get(measure_name(run, 0, "haar"))
        row = p[at(config)]
        text.append(f"{run.name}: root mean square error {row[3]:.4f} at a site, correlation {row[4]:.4f}.")
        drawings.append(
            Drawing(
                f"flux-{run.name}",
                plots.fluxes_found(Fluxes(f"{run.name}: outputs and fluxes", p["fluxes"], p["outputs"])),
                "One lattice, its flux and the network's output, then all sites of some lattices. Training showed the "
                "sum alone.",
            )
        )
    return Section(
        "The network finds the local flux",
        ("Labels are sums over the lattice; yet outputs at single sites are the fluxes through plaquettes.", *text),
        tuple(drawings),
    )


def grid_section(config: ChernConfig, get: Get) -> Section:
    """Accuracy against the size of the lattice."""
    panels, runs = [], plain(config)
    for run in runs[:DRAWN]:
        error = float(rows_of(run, "haar", at(config), get)[:, 3].mean())
        curves = [curve(config, run, where, get) for where in ("haar", *families(run.bands))]
        fine = np.linspace(config.grids[0], config.grids[-1], 100)
        panels.append((f"{run.name}, s = {error:.3f}", curves, fine, np.asarray(transfer_accuracy(error, fine**2))))
    sides = tuple(f"{side} x {side}" for side in config.grids)
    tables = [
        Table(caption, ("network", "model", *sides), model_rows(config, runs, key, get))
        for key, caption in (
            ("resolved", "Labels of the grid that are the Chern numbers of the model"),
            ("row", "Labels found"),
            ("shifted", "Labels found when the output of the vacuum is subtracted at each site"),
        )
    ]
    still = [
        f"{run.name}: {value:+.4f}, which adds to 1/2 at {0.5 / abs(value):.0f} sites"
        for run in runs
        if (value := float(get(measure_name(run, 0, "haar"))["vacuum"]))
    ]
    mixed = " and ".join(run.name for run in runs if run.links == "mixed")
    seen = (
        f"Half of the links in each batch of {mixed} are smooth instead: exponentials of random matrices of the Lie "
        "algebra, of all sizes from 0 to 1, so that training shows plaquettes near 1. No band structure is among them."
    )
    return Section(
        "Larger lattices, and band structures",
        (
            f"Trained on {config.grid} x {config.grid} random links and used as they are on larger lattices and on "
            "insulators with a gap, from a random origin of momentum. If errors at sites are independent, of size s, "
            "accuracy is erf(0.5 / (s sqrt(2 n))) at n sites; s is measured where the network was trained. Labels are "
            "those of the grid, which a coarse one can have wrong: the first table says how often they are exact, the "
            "second how often a network finds them.",
            "Errors are not independent where a grid resolves the bands: all plaquettes are then near 1, and the "
            "network is wrong at all of them by what it says of the vacuum, where all links are 1 and the flux is 0. "
            f"{'; '.join(still)}. One more pass through the network finds that number, and the third table subtracts "
            "it.",
            *((seen,) if mixed else ()),
        ),
        (
            Drawing(
                "grids",
                plots.accuracy_against_grid(Transfer("Accuracy against the size of the lattice", panels)),
                "Points: measured, with 95 % intervals. Dashed: the prediction for random links.",
            ),
        ),
        tuple(tables),
    )


def curve(config: ChernConfig, run: Run, where: str, get: Get) -> Accuracies:
    """Accuracy of all sizes on one kind of links."""
    points = [accuracy(rows_of(run, where, at(config, side), get)) for side in config.grids]
    value, low, high = (np.array([getattr(point, name) for point in points]) for name in ("value", "low", "high"))
    return Accuracies("random links" if where == "haar" else where, np.array(config.grids), value, low, high)


def model_rows(config: ChernConfig, runs: list[Run], key: str, get: Get) -> tuple[tuple[str, ...], ...]:
    """Shares of each network, the mean over its seeds, on each model and size."""
    rows = []
    for run in runs:
        for model in families(run.bands):
            parts = [get(measure_name(run, seed, model)) for seed in range(run.seeds)]
            shares = [np.mean([part[f"{key}-{side}"].flat[0] for part in parts]) for side in config.grids]
            rows.append((run.name, model, *(f"{100 * share:.1f} %" for share in shares)))
    return tuple(rows)


def runs_section(config: ChernConfig, get: Get) -> Section:
    """All gauge equivariant networks."""
    runs = [run for run in config.runs if run.network == "gebl"]
    rows, curves = [], []
    for run in runs:
        stopped = diverged(run, get)
        row = rows_of(run, "haar", at(config), get)
        factor = get(measure_name(run, 0, "haar"))["factor"]
        rows.append(
            (
                run.name,
                f"U({run.bands})",
                run.label,
                "trivial" if run.trivial else "all" if run.links == "random" else run.links,
                ",".join(map(str, run.channels)) + ("" if run.norm else ", no TrNorm"),
                f"{run.spread:g} x {run.weight:g}",
                f"{run.steps:,}" + (f", not finite from {min(stopped):,}" if stopped else ""),
                f"{found(run, at(config), get)}" + (f", {run.seeds} seeds" if run.seeds > 1 else ""),
                f"{row[:, 3].mean():.3f}",
                f"{row[:, 4].mean():.3f}",
                f"{factor[0]:.2f}" if run.trivial else "",
                f"{100 * row[0, 5]:.0f} %",
            )
        )
        curves.append((run.name, get(last_part(run, 0))["losses"]))
    head = "run,group,label,links,channels,spread x weight,steps,accuracy,site error,correlation,divided by,guess"
    text = [
        "Accuracy on random links that no training saw, with 95 % intervals: over lattices, or over seeds where there "
        "are several. Guess: always the most frequent number."
    ]
    if any(run.trivial for run in runs):
        text.append(
            "Trained on trivial links alone, outputs are the flux up to one factor of either sign, found afterwards "
            "from 1,000 labelled links. The second term of the loss, of weight 1 in the paper, keeps outputs from "
            "shrinking to 0. Errors of size e at n sites add to 0.8 sqrt(n) e in the first term, so that with a weight "
            "below about sqrt(n) outputs may shrink before the fluxes are found."
        )
    if any(run.bands == 4 and not run.ablation for run in runs):
        text.append("Huang et al. report 95.9 % for U(4) on 5 x 5 sites, and 92.7 to 95.4 % after trivial links alone.")
    figure = plots.chern_losses(Losses("Losses", curves))
    drawings = (Drawing("losses", figure, "Mean absolute error of the sum, and the second term; first seeds."),)
    return Section(
        "All trainings",
        tuple(text),
        drawings,
        (Table("Gauge equivariant networks", tuple(head.split(",")), tuple(rows)),),
    )


def baseline_section(config: ChernConfig, runs: list[Run], get: Get) -> Section:
    """Networks that do not know of the gauge, sets of eigenvalues, and the solution by hand."""
    rows = []
    for run in (*[run for run in plain(config) if not run.trivial][:2], *runs):
        turned = np.mean([get(measure_name(run, seed, "haar"))["turned"] for seed in range(run.seeds)])
        count = weights(run, config.grid) if run.network != "exact" else 0
        own = f"{found(run, 'row-axial', get)}" if run.links == "axial" else ""
        mean = f"{ensemble(run, get)}" if run.seeds > 1 else ""
        rows.append(
            (
                run.name,
                NAMES[run.network],
                f"U({run.bands})",
                f"{run.links} gauge" if run.network == "cnn" else "",
                f"{count:,}",
                f"{run.steps:,}",
                str(found(run, at(config), get)),
                own,
                mean,
                f"{turned:.1g}",
            )
        )
    head = "run,network,group,trained in,weights,steps,accuracy,in its own gauge,mean of seeds,change under gauge"
    return Section(
        "Baselines",
        (
            "A CNN reads the entries of the links. In the axial gauge as many links as possible are 1. Random links "
            "in random gauges are the same data augmented over the gauge group, as every batch is new. Accuracy is "
            "that on links in a random gauge; the last column is the root mean square change of the answer, in units "
            "of the Chern number, when they are transformed by another one.",
            "DeepSpec sees the eigenvalues of each plaquette, as points of the circle, through a function of "
            "each, their sum and another function: it can be exact, and is given the answer's form. By hand: the sum "
            "of the eigenphases, which is the label.",
        ),
        (),
        (Table("On the same links", tuple(head.split(",")), tuple(rows)),),
    )

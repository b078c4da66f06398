"""The commands `chern train`, `chern evaluate` and `chern models`."""

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from .output import Bar, complain, say

SAVE = 30.0  # seconds between checkpoints
MODELS = ("haldane", "qwz", "hofstadter", "coupled-layers")

chern = typer.Typer(
    name="chern",
    help="Train gauge equivariant networks to find Chern numbers from link variables.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)


@chern.command()
def train(
    out: Annotated[Path, typer.Option(help="Folder for training.npz; a training there is continued.")],
    bands: Annotated[int, typer.Option(help="Filled bands N; links are matrices of U(N).")] = 1,
    grid: Annotated[int, typer.Option(help="Sites on each side of the lattice.")] = 5,
    label: Annotated[str, typer.Option(help="trlog (sum of all eigenphases) or det (Fukui, Hatsugai, Suzuki).")] = (
        "trlog"
    ),
    trivial: Annotated[bool, typer.Option("--trivial", help="Train on links of Chern number 0 alone.")] = False,
    smooth: Annotated[
        float, typer.Option(help="Share of links near 1, as those of bands on a fine grid are; 0.5 for band models.")
    ] = 0.0,
    steps: Annotated[int, typer.Option(help="Of Adam, in all.")] = 800,
    channels: Annotated[str, typer.Option(help="Of each block.")] = "16,8,8",
    batch: Annotated[int, typer.Option(help="Links in a step.")] = 64,
    seed: Annotated[int, typer.Option(help="Of weights and links.")] = 0,
) -> None:
    """Train a network on random links, drawn as it goes; given again, it goes on where it stopped.

    Example: equitangents chern train --bands 1 --out runs/chern-1
    """
    from ..files import locked
    from ..gauge.chern import ChernData, ChernTraining, resume, save_state, train_steps

    data = ChernData(bands, (grid, grid), label, trivial, batch, smooth)
    weight = float(grid) if trivial else 1.0  # the square root of the number of sites, see `chern_loss`
    training = ChernTraining(data, channels=numbers(channels), steps=steps, weight=weight, seed=seed)
    with locked(out), Bar() as bar:
        state = resume(out, training)
        if state.step:
            say(f"Continuing at step {state.step} of {steps}.")
        first, begun = state.step, time.monotonic()
        saved, size = begun, 1
        try:
            while state.step < steps:
                done = state.step - first
                left = (time.monotonic() - begun) / done * (steps - state.step) if done > 1 else float("nan")
                loss = f"loss {state.losses[-50:].mean():.3f}" if state.step else "compiling"
                bar.update(loss, state.step, steps, left)
                clock = time.monotonic()
                state = train_steps(training, state, min(state.step + size, steps))
                size = max(1, min(2 * size, int(size / max(time.monotonic() - clock, 1e-3))))  # one second at most
                if time.monotonic() - saved > SAVE:
                    save_state(out, training, state)
                    saved = time.monotonic()
        except KeyboardInterrupt:
            bar.stop()
            save_state(out, training, state)
            complain(f"stopped at step {state.step}; it is kept in {out}: give the same command again to continue.")
            raise SystemExit(130) from None
        path = save_state(out, training, state)
    say(f"{steps} steps, loss {state.losses[-50:].mean():.3f}; {path}")
    say(f"equitangents chern evaluate {out}")


@chern.command()
def evaluate(
    run: Annotated[Path, typer.Argument(help="Folder of a training, finished or not.")],
    grid: Annotated[int | None, typer.Option(help="Sites on each side; those it was trained on by default.")] = None,
    count: Annotated[int, typer.Option(min=2, help="Lattices.")] = 1000,
    model: Annotated[str | None, typer.Option(help=f"{', '.join(MODELS)}; random links by default.")] = None,
    seed: Annotated[int, typer.Option(help="Of links, or of the parameters of the model.")] = 0,
) -> None:
    """Measure how often a network finds the Chern number of links that it has not seen.

    Example: equitangents chern evaluate runs/chern-1 --grid 8 --model haldane
    """
    import numpy as np

    from ..gauge.chern import draw_bands, load_state, transfer_accuracy
    from ..gauge.chern import evaluate as compare
    from ..gauge.chern.evaluate import found_factor, fresh, vacuum_output

    training, state = load_state(run)
    data, net = training.data, training.net()
    sites = data.sites if grid is None else (grid, grid)
    if state.step < training.steps:
        say(f"This training is at step {state.step} of {training.steps}.")
    factor = 1.0
    if data.trivial:
        scale = found_factor(net, state.params, data)
        factor = scale.factor
        say(f"Trained on trivial links: outputs are divided by {factor:.3f} +- {scale.error:.3f}, from 1000 others.")
    if model is None:
        links, exact = fresh(data.haar().on(sites), count, seed), None
    else:
        links, exact = draw_bands(model, data.bands, sites, count, seed)
    found = compare(net, state.params, links, data.label, factor=factor)
    n = sites[0] * sites[1]
    say(f"{count} {'random lattices' if model is None else model}, {sites[0]} x {sites[1]} sites, {data.group}")
    say(f"accuracy    {percent(found.accuracy)} [{percent(found.low)}, {percent(found.high)}]")
    say(f"guess       {percent(found.guessed)}, the most frequent number")
    say(f"site error  {found.site_error:.4f}, root mean square; correlation {found.correlation:.4f}")
    share = percent(float(transfer_accuracy(found.site_error, n)))
    say(f"predicted   {share}, erf(0.5 / (s sqrt(2 n))), if sites err independently")
    if exact is not None:
        still = vacuum_output(net, state.params, data.bands)
        less = compare(net, state.params, links, data.label, factor=factor, vacuum=still)
        say(
            f"vacuum      {still / factor:+.4f} at each site without flux; accuracy {percent(less.accuracy)} without it"
        )
        say(f"exact       {percent(np.mean(exact == found.chern))} of the labels on this grid are those of the model")


@chern.command()
def models() -> None:
    """List band models with their exact Chern numbers, and those on two grids.

    Example: equitangents chern models
    """
    from rich.console import Console
    from rich.table import Table

    from ..gauge import Links, chern_number, links_from_bands
    from ..gauge.chern.families import examples

    shown = Table("model", "filled", "exact", "5 x 5", "16 x 16", box=None, pad_edge=False)
    for one in examples():
        grids = [links_from_bands(one.h, (n, n), one.filled) for n in (5, 16)]
        found = [f"{int(chern_number(Links(u.array, u.group))):+d}" for u in grids]
        shown.add_row(one.name, str(one.filled), f"{one.chern:+d}", *found)
    Console().print(shown)


def numbers(text: str) -> tuple[int, ...]:
    """Integers with commas between them.

    >>> numbers("16,8")
    (16, 8)
    """
    try:
        return tuple(int(word) for word in text.split(","))
    except ValueError:
        raise ValueError(f"--channels: expected integers such as 16,8,8, got {text!r}; correct it.") from None


def percent(share: Any) -> str:
    """A share as text."""
    return f"{100 * float(share):.1f} %"

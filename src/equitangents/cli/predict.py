"""The command `predict`."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from .output import complain, say


def predict(
    run: Annotated[Path, typer.Argument(help="Folder of a finished study, or one that the command fit wrote.")],
    data: Annotated[
        str, typer.Argument(help="New inputs: as for study, or a folder of images, or an .npz file with x alone.")
    ],
    out: Annotated[Path | None, typer.Option(help="CSV file to write; printed by default.")] = None,
) -> None:
    """Label new DATA with the model that a study chose, or that the command fit found.

    Writes one line for each input: its name, the label, the margin over the next class, and the score of each class.

    Example: equitangents predict runs/digits-C4-quick new.npz --out labels.csv
    """
    import numpy as np

    from ..files import explained, whole_file
    from ..studies.predict import read_inputs

    model, labelled, origin = loaded(run)
    x, labels, names = read_inputs(data, model)
    found = labelled(model, x)
    text = table(names, found, model.classes)
    if out is None:
        typer.echo(text, nl=False)
    else:
        with explained(out):
            out.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(out) as file:
            file.write(text.encode())
        say(f"{len(x):,} predictions of the {origin}: {out}")
    if labels is not None:
        known = np.isin(labels, model.classes)
        wrong = np.array(model.classes)[found.labels][known] != labels[known]
        if known.any():
            complain(f"error on the {known.sum():,} inputs that have a label: {100 * wrong.mean():.2f} %", "note")


def loaded(run: Path) -> tuple[Any, Callable[[Any, Any], Any], str]:
    """The model in a folder, the function that predicts with it, and where it comes from."""
    if not (run / "model.npz").is_file():
        from ..studies.predict import load_model
        from ..studies.predict import predict as labelled

        model = load_model(run / "model")
        return model, labelled, f"{model.arm} {model.kind}, trained on {model.n_train:,} of {model.data}"
    from ..studies.fitted import load_fit, predict_fit

    fit = load_fit(run)
    return fit, predict_fit, f"{fit.kernel}, trained on {fit.store.n:,} inputs"


def table(names: Sequence[str], found: Any, classes: Sequence[str]) -> str:
    """Predictions as CSV."""
    import csv
    import io

    import numpy as np

    best = np.sort(found.scores, axis=1)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["input", "label", "margin", *(f"score {name}" for name in classes)])
    for name, label, row, ordered in zip(names, found.labels.tolist(), found.scores.tolist(), best, strict=True):
        margin = ordered[-1] - ordered[-2]
        writer.writerow([name, classes[label], f"{margin:.6g}", *(f"{score:.6g}" for score in row)])
    return out.getvalue()

"""The page a colleague can be sent: advice first, then what it rests on; one file, nothing loaded from elsewhere."""

from pathlib import Path
from typing import Any

from .. import __version__, plots
from .advice import advise, data_name
from .config import to_toml
from .page import template
from .report_table import tables
from .report_text import CITATIONS, SOURCES, audit_sentences, how_measured, limits, reproduce
from .store import explained, whole_file

FIGURES = (  # name, function, what a reader should look for
    (
        "accuracy-against-cost",
        plots.accuracy_against_cost,
        "Test error of finite ensembles against the FLOPs that their training took; lower left is better. Each point "
        "is an ensemble of some width (filled: the largest) and number of members, on the largest training set. "
        "Dashed lines: the same network at infinite width, trained to the end. Bands: 95 % intervals.",
    ),
    (
        "error-against-training-size",
        plots.error_against_training_size,
        "Test error against the number of training examples, each arm at its largest width and ensemble. Where the "
        "orange curve meets the blue one, augmenting has caught up with imposing.",
    ),
    (
        "audit",
        plots.audit_heatmap,
        "A classifier that learned the data as they are judges held-out inputs moved by each group element: the share "
        "of each class that still gets its own label with a score that genuine members get. Outlined: moved inputs "
        "pass for genuine members of another class, both ways, beyond chance over all pairs.",
    ),
    (
        "recall-cost",
        plots.recall_cost,
        "Recall of each class with the symmetry imposed, minus that of the plain network. Lines: 95 % intervals, "
        "paired over the same test items.",
    ),
    (
        "confusion-difference",
        plots.confusion_difference,
        "Confusion matrix of the group-convolutional arm minus that of the plain one, rows are true classes. Red is "
        "worse: confusions added off the diagonal, correct answers lost on it.",
    ),
    (
        "same-prediction-against-members",
        plots.same_prediction_against_members,
        "How many of the |G| transformed copies of an input get the label that the input gets, on average. Augmented "
        "ensembles rise towards |G| with their size, off the data's manifold too; networks with the symmetry imposed "
        "are there from the first member.",
    ),
    (
        "deviation-against-members",
        plots.deviation_against_members,
        "How far the mean prediction of an ensemble is from its own average over the orbit. Under augmentation all of "
        "it is Monte Carlo error and falls as the inverse root of the number of members; the dashed line is computed "
        "from the kernel's covariance, not fitted. A curve that levels off does not become equivariant.",
    ),
    (
        "equivariance-against-time",
        plots.equivariance_against_time,
        "The same two measures while the largest ensembles train: with full augmentation the mean is equivariant at "
        "every time up to Monte Carlo error, not only at the end.",
    ),
)


def write_report(result: Any, folder: str | Path) -> Path:
    """Writes `report.html` and `figures/*` into the folder of a study, each whole or not at all.

    Args:
        result: of the study.
        folder: of the study.

    Returns:
        The path of the page.
    """
    folder = Path(folder)
    with explained(folder):
        (folder / "figures").mkdir(parents=True, exist_ok=True)
    drawn = []
    for name, draw, caption in FIGURES:
        figure = draw(result)
        for suffix, content in ((".svg", plots.to_svg(figure).encode()), (".png", plots.to_png(figure))):
            with whole_file(folder / "figures" / (name + suffix)) as file:
                file.write(content)
        why = plots.why_empty(figure)
        drawn.append((name, "", why) if why else (name, plots.to_inline(figure, name, caption), caption))
    page = folder / "report.html"
    with whole_file(page) as file:
        file.write(render(result, drawn).encode())
    return page


def render(result: Any, drawn: list[tuple[str, str, str]]) -> str:
    """The page as text. `drawn` holds (name, inline SVG, caption) of figures."""
    from markupsafe import Markup

    advice = advise(result)
    figures = {name: {"svg": Markup(svg), "caption": caption} for name, svg, caption in drawn}
    config = result.config
    return template("report.html.j2").render(
        data=data_name(result),
        advice=advice,
        audit=audit_sentences(result, advice),
        figures=figures,
        tables=tables(result, advice),
        measured=how_measured(result),
        limits=limits(result, advice),
        reproduce=reproduce(config),
        toml=to_toml(config),
        citations=CITATIONS,
        source=SOURCES.get(config.data, "given by the user."),
        version=__version__,
        digest=config.digest()[:12],
    )

"""A study of a theorem: what theory says, the work that tests it, and the page it ends in."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..piece import Get, Piece


@dataclass(frozen=True)
class Table:
    """Cells are plain text.

    Attributes:
        caption: above the table.
        head: of each column.
        rows: cells.
    """

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, eq=False)
class Drawing:
    """Attributes:
    name: letters, digits and hyphens; of the files.
    figure: from `plots`, a `matplotlib.figure.Figure`.
    caption: what a reader should look for.
    """

    name: str
    figure: Any
    caption: str


@dataclass(frozen=True, eq=False)
class Section:
    """Attributes:
    title: heading.
    text: paragraphs, plain text.
    drawings, tables: below them.
    """

    title: str
    text: tuple[str, ...]
    drawings: tuple[Drawing, ...] = ()
    tables: tuple[Table, ...] = ()


@dataclass(frozen=True, eq=False)
class Page:
    """Attributes:
    answer: one or two sentences with the measured numbers.
    sections: the rest.
    """

    answer: str
    sections: tuple[Section, ...]


@dataclass(frozen=True, eq=False)
class TheoryStudy:
    """A study that has its own data.

    Attributes:
        name: as the command `study` takes it.
        title: heading of the page.
        claim: what theory says, one or two sentences.
        presets: configurations by name, "quick" and "full": frozen dataclasses of integers, numbers, texts and tuples.
        check: raises ValueError, of one line, where a configuration makes no sense.
        pieces: the work of a configuration, in the order in which it is done.
        page: of a configuration, from the finished pieces by name.
        citations: (text, link).
        minutes: processor minutes by preset, the sum over its pieces, once measured on two cores; of no other
            presets.
    """

    name: str
    title: str
    claim: str
    presets: Mapping[str, Any]
    check: Callable[[Any], None]
    pieces: Callable[[Any], list[Piece]]
    page: Callable[[Any, Get], Page]
    citations: tuple[tuple[str, str], ...] = ()
    minutes: Mapping[str, float] = field(default_factory=dict)

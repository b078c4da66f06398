"""What the commands print: progress, times, lines."""

import math
import sys
import time
from typing import Any

import typer


class Bar:
    """Progress of the pieces: a bar on a terminal, otherwise a line now and then."""

    def __init__(self) -> None:
        self.progress: Any = None
        self.task: Any = None
        self.last = -math.inf

    def __enter__(self) -> "Bar":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        if self.progress is not None:
            self.progress.stop()
            self.progress = None

    def update(self, name: str, done: int, total: int, seconds: float) -> None:
        """Called before each piece, as `studies.run` does."""
        left = f"{duration(seconds)} left" if math.isfinite(seconds) else "measuring speed"
        if not sys.stderr.isatty():
            if done == total or time.monotonic() - self.last > 10:
                self.last = time.monotonic()
                print(f"{done}/{total} {name}, {left}", file=sys.stderr, flush=True)  # noqa: T201
            return
        if self.progress is None:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

            columns = (
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.description}"),
                TimeElapsedColumn(),
                TextColumn("{task.fields[left]}"),
            )
            self.progress = Progress(*columns, console=Console(stderr=True), transient=True)
            self.progress.start()
            self.task = self.progress.add_task(name, total=total, left=left)
        self.progress.update(self.task, completed=done, description=name, left=left)


def duration(seconds: float) -> str:
    """Seconds in the words of a clock."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def say(text: str) -> None:
    """One line on the standard output."""
    typer.echo(text)


def complain(text: str, kind: str = "error") -> None:
    """One line on the standard error."""
    print(f"equitangents: {kind}: {' '.join(text.split())}", file=sys.stderr)  # noqa: T201

"""Run a study of a theorem, or what is left of it, and write its page."""

import dataclasses
import tomllib
from pathlib import Path
from typing import Any

from ...files import explained, locked, whole_file
from ..config import build, to_toml
from ..piece import Piece
from ..store import Store, digest_of
from ..work import Progress, Reader, do_pieces
from .page import figures, html, markdown
from .study import TheoryStudy

VERSION = 1  # of what pieces contain; a change makes old ones useless


def run_theory(study: TheoryStudy, config: Any, out: str | Path, progress: Progress | None = None) -> Path:
    """Do the work that is not there yet, then write `report.html`, `report.md`, `figures/*.svg`; returns the page.

    Args:
        study: from `theory.find`.
        config: one of its presets, or `read_theory_config`.
        out: folder; a study that was stopped there is continued, and ends with the same numbers.
        progress: as `studies.run` takes it.

    Raises:
        ValueError: a configuration that makes no sense, or a folder that holds another one; one line.
        OSError: a folder that cannot be written, a full disk; one line.
        RuntimeError: another run is at work in this folder.
    """
    study.check(config)
    pieces, out = study.pieces(config), Path(out)
    digests = digests_of(study, pieces)
    check_same(study, config, out)
    with locked(out):
        store = Store(out / "pieces")
        with whole_file(out / "config.toml") as file:
            file.write(theory_toml(study, config).encode())
        do_pieces(pieces, digests, store, progress)
        page = study.page(config, Reader(store, digests))
        drawn = figures(page)
        with explained(out):
            (out / "figures").mkdir(exist_ok=True)
        for name, content in drawn.items():
            with whole_file(out / "figures" / f"{name}.svg") as file:
                file.write(content.encode())
        text = theory_toml(study, config)
        for name, content in (("report.md", markdown(study, config, page)), ("report.html", html(study, page, text))):
            with whole_file(out / name) as file:
                file.write(content.encode())
    return out / "report.html"


def digests_of(study: TheoryStudy, pieces: list[Piece]) -> dict[str, str]:
    """What each piece is made from, as a digest; that of a piece contains those of the pieces it needs."""
    found: dict[str, str] = {}
    for piece in pieces:
        needed = [found[name] for name in piece.needs]
        found[piece.name] = digest_of(VERSION, study.name, piece.name, piece.made_from, needed)
    return found


def theory_toml(study: TheoryStudy, config: Any) -> str:
    """The configuration as TOML, under the name of its study."""
    return f'study = "{study.name}"\n{to_toml(config)}'


def read_theory_config(study: TheoryStudy, path: str | Path) -> Any:
    """The configuration in a TOML file; what it does not say is as in the preset it names, or "quick".

    Raises:
        ValueError: unreadable, another study's, unknown keys, wrong types; one line.
    """
    try:
        table = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        reason = " ".join((getattr(error, "strerror", None) or str(error)).split())
        raise ValueError(f"expected a readable TOML file, got {str(path)!r}: {reason}.") from None
    name = table.pop("study", study.name)
    if name != study.name:
        raise ValueError(f"{path}: expected the configuration of {study.name!r}, got that of {name!r}; name that one.")
    usual = study.presets.get(str(table.get("preset")), study.presets["quick"])
    given = {field.name: getattr(usual, field.name) for field in dataclasses.fields(usual)}
    return build(type(usual), given | table, str(path))


def check_same(study: TheoryStudy, config: Any, folder: Path) -> None:
    """Refuses to write the results of one configuration over those of another."""
    there = folder / "config.toml"
    if there.is_file() and there.read_text(encoding="utf-8", errors="replace") not in ("", theory_toml(study, config)):
        raise ValueError(
            f"{folder}: expected the folder of the same study, got that of one with another configuration; choose "
            "another --out, or remove the folder."
        )

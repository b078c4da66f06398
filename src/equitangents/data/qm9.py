"""QM9 from the CSV files inside the Python package `qm9pack`, which is found but never imported."""

import csv
import importlib.metadata
import io
import os
from pathlib import Path

import numpy as np

from .dataset import one_line
from .molecules import Molecules

PARTS = ("qm9_part1.csv", "qm9_part2.csv", "qm9_part3.csv")
TENSORS = "qm9_polarizability.csv"
ELEMENTS = {"H": 1, "C": 6, "N": 7, "O": 8, "F": 9}
INSTALL = "pip install equitangents[qm9]"  # which is `pip install qm9pack`, 104 MB
NEEDED = ("XYZ_file", "Index", "Elements", "XYZ_Ang", "Polarizability_bohr3", "InternalEnergy_0K_au")


def qm9_folder(path: str | os.PathLike[str] | None = None) -> Path:
    """The folder with the four CSV files: `path`, or that of the installed distribution `qm9pack`.

    Raises:
        FileNotFoundError: they are not there; the message has the command that installs them.
    """
    if path is not None:
        folder = Path(path).expanduser()
    else:
        try:
            files = importlib.metadata.files("qm9pack") or []
        except importlib.metadata.PackageNotFoundError:
            raise FileNotFoundError(
                f"expected the Python package qm9pack, which holds QM9 (104 MB), got none; {INSTALL!r} installs it, or "
                "give the folder with its CSV files."
            ) from None
        found = [file for file in files if file.name == PARTS[0]]
        folder = Path(str(found[0].locate())).parent if found else Path("qm9pack")
    if missing := [name for name in (*PARTS, TENSORS) if not (folder / name).is_file()]:
        raise FileNotFoundError(
            f"{str(folder)!r}: expected the CSV files of qm9pack, got none named {missing[0]!r}; {INSTALL!r} installs "
            "them."
        )
    return folder


def has_qm9(path: str | os.PathLike[str] | None = None) -> bool:
    """Whether QM9 is on this machine."""
    try:
        qm9_folder(path)
    except FileNotFoundError:
        return False
    return True


def read_qm9(n: int | None = None, *, seed: int = 0, path: str | os.PathLike[str] | None = None) -> Molecules:
    """Molecules of up to nine atoms C, N, O, F with their hydrogens, at B3LYP/6-31G(2df,p), drawn at random.

    Positions are in the frame of the published geometries, which is the same for similar molecules: they are aligned.
    **The polarisability tensors are in another frame** (that of the program that made them), and no labels for these
    positions; their traces are.

    Args:
        n: how many; all 130,831 by default.
        seed: of the choice; molecules come in random order.
        path: folder with the CSV files of qm9pack 1.0.3; that of the installed package by default.

    Returns:
        `Molecules`, with as many places for atoms as the largest of them has.

    Raises:
        FileNotFoundError: the data are not on this machine; nothing is downloaded.
        ValueError: files of another form, or fewer molecules than `n`.

    References:
        Ramakrishnan, Dral, Rupp and von Lilienfeld (2014), doi:10.1038/sdata.2014.22.
    """
    folder = qm9_folder(path)
    lines = [_lines(folder / name) for name in PARTS]
    names, rows = lines[0][0], [line for head, body in lines for line in body]
    if any(head != names for head, _ in lines) or not set(NEEDED) <= set(names):
        raise ValueError(f"{folder}: expected three files with columns {NEEDED}, got {names}; reinstall qm9pack.")
    n = len(rows) if n is None else n
    if not 0 < n <= len(rows):
        raise ValueError(f"expected 1 to {len(rows)} molecules, got n={n}.")
    chosen = np.random.default_rng(seed).permutation(len(rows))[:n]
    tensors = _tensors(folder / TENSORS)
    try:
        parsed = [_molecule(dict(zip(names, _cells(rows[i]), strict=True)), tensors) for i in chosen.tolist()]
    except (ValueError, KeyError) as error:
        raise ValueError(f"{str(folder)!r}: expected rows as in qm9pack 1.0.3, got {one_line(error)!r}.") from None
    most = max(len(charges) for _, charges, *_ in parsed)
    charges, positions = np.zeros((n, most), int), np.zeros((n, most, 3))
    for i, (_, own, places, *_) in enumerate(parsed):
        charges[i, : len(own)], positions[i, : len(own)] = own, places
    index, energy, polarisability, tensor = (np.array([row[k] for row in parsed]) for k in (0, 3, 4, 5))
    return Molecules(
        index,
        charges,
        positions,
        energy,
        polarisability,
        tensor,
        "QM9 (Ramakrishnan, Dral, Rupp and von Lilienfeld 2014, doi:10.1038/sdata.2014.22), from the Python package "
        f"qm9pack, {n:,} of {len(rows):,} molecules.",
    )


def _lines(path: Path) -> tuple[list[str], list[str]]:
    """Names of the columns, and the lines after them; no cell holds a line break."""
    head, *body = path.read_text(encoding="utf-8").splitlines()
    return _cells(head), body


def _cells(line: str) -> list[str]:
    return next(csv.reader(io.StringIO(line)))


def _tensors(path: Path) -> dict[str, list[str]]:
    head, body = _lines(path)
    if head != ["XYZ_file", "A_xx", "A_xy", "A_yy", "A_xz", "A_yz", "A_zz"]:
        raise ValueError(f"{path.name}: expected components xx, xy, yy, xz, yz, zz, got columns {head}.")
    return {line.split(",", 1)[0].strip('"'): line.split(",")[1:] for line in body}


def _molecule(row: dict[str, str], tensors: dict[str, list[str]]) -> tuple:
    symbols = [text.strip(" '\"") for text in row["Elements"].strip("[]").split(",")]
    charges = [ELEMENTS[symbol] for symbol in symbols]
    numbers = [number(text) for text in row["XYZ_Ang"].replace("[", "").replace("]", "").split(",")]
    xx, xy, yy, xz, yz, zz = map(number, tensors[row["XYZ_file"]])
    return (
        int(row["Index"]),
        charges,
        np.array(numbers).reshape(len(charges), 3),
        number(row["InternalEnergy_0K_au"]),
        number(row["Polarizability_bohr3"]),
        np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]),
    )


def number(text: str) -> float:
    """As Python, Fortran and Mathematica write it.

    >>> number("-4.5*^-6"), number("0."), number("1.5D2")
    (-4.5e-06, 0.0, 150.0)
    """
    return float(text.strip().replace("*^", "e").replace("D", "e"))

"""QM9 is read from the files of a package that is never imported; here from hand-made files of the same form."""

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from equitangents.data import atomic_energies, composition, has_qm9, qm9, read_qm9

FOLDER = Path(__file__).parent / "qm9"


def test_molecules_have_the_numbers_of_the_files():
    found = read_qm9(path=FOLDER)
    assert sorted(found.index.tolist()) == [1, 2, 3, 4, 5, 6, 7, 8] and found.charges.shape == (8, 7)
    (water,) = np.flatnonzero(found.index == 1)
    assert found.charges[water].tolist() == [8, 1, 1, 0, 0, 0, 0]
    np.testing.assert_array_equal(found.positions[water, :3], [[0, 0, 0.1], [0, 0.8, -0.5], [0, -0.8, -0.5]])
    assert found.energy[water] == -76.4 and found.polarisability[water] == 6
    (methane,) = np.flatnonzero(found.index == 2)
    assert found.positions[methane, 0, 2] == 4.5e-6  # as Mathematica writes it
    np.testing.assert_allclose(np.trace(found.tensor, axis1=1, axis2=2) / 3, found.polarisability)
    assert found.tensor[found.index == 4][0, 0, 1] == found.tensor[found.index == 4][0, 1, 0] == 1
    assert "qm9pack" not in sys.modules


def test_a_choice_depends_on_the_seed_alone():
    one, same, other = (read_qm9(4, seed=seed, path=FOLDER).index.tolist() for seed in (0, 0, 1))
    assert one == same != other and len(set(one)) == 4
    assert read_qm9(8, path=FOLDER).index.tolist()[:4] == one
    some = read_qm9(4, path=FOLDER).take(np.array([2, 0]))
    assert some.index.tolist() == [one[2], one[0]] and len(some) == 2


def test_without_the_package_the_error_names_the_command(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match=r"qm9_part1.csv.*pip install equitangents\[qm9\]"):
        read_qm9(path=tmp_path)

    def absent(name):
        raise qm9.importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(qm9.importlib.metadata, "files", absent)
    assert not has_qm9() and has_qm9(FOLDER)
    with pytest.raises(FileNotFoundError, match=r"qm9pack.*pip install equitangents\[qm9\]"):
        read_qm9()


def test_the_installed_package_is_found(monkeypatch):
    class File:
        name = qm9.PARTS[0]

        def locate(self):
            return FOLDER / self.name

    monkeypatch.setattr(qm9.importlib.metadata, "files", lambda name: [File()] if name == "qm9pack" else None)
    assert has_qm9() and len(read_qm9(3)) == 3


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("qm9_part2.csv", "XYZ_Ang", "XYZ_Bohr", "expected three files with columns"),
        ("qm9_part1.csv", "[0.,.8,-.5]", "[0.,.8]", "expected rows as in qm9pack"),
        ("qm9_part3.csv", "'F'", "'Xe'", "expected rows as in qm9pack"),
        ("qm9_polarizability.csv", "A_xy", "A_yx", "expected components xx, xy"),
    ],
)
def test_damaged_files_are_named(tmp_path, name, old, new, message):
    for path in FOLDER.iterdir():
        shutil.copy(path, tmp_path)
    path = tmp_path / name
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(ValueError, match=message):
        read_qm9(path=tmp_path)


def test_more_molecules_than_there_are_is_refused():
    with pytest.raises(ValueError, match="expected 1 to 8 molecules, got n=9"):
        read_qm9(9, path=FOLDER)


def test_energies_that_add_up_over_atoms_are_explained_by_the_elements():
    charges = read_qm9(path=FOLDER).charges
    elements, each = (1, 6, 7, 8, 9), np.array([-0.6, -38.0, -54.7, -75.2, -99.8])
    energy = composition(charges, elements) @ each
    np.testing.assert_allclose(atomic_energies(charges, energy, elements), each)
    with pytest.raises(ValueError, match=r"got also \[9\]"):
        atomic_energies(charges, energy, elements[:-1])

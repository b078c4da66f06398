"""Descriptions of networks over groups, from text: they are read back, and reach all that reads texts."""

import numpy as np
import pytest

from equitangents.equivariant import GroupConv, GroupPool, Lift
from equitangents.equivariant.text import net_text, parse_net, read_net
from equitangents.estimators import NTKRegressor, load
from equitangents.groups import point_group
from equitangents.nets import Dense, Flatten, Relu, Serial
from equitangents.nets import text as plain

CROSS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], bool)
NETS = {
    "names": lambda: Serial(Lift("C4", 8, 3, sigma_w=1.4), Relu(), GroupConv("C4", 8, 3), GroupPool(), Dense(1)),
    "groups": lambda: Serial(Lift(point_group("D4"), 8, "all"), Relu(), GroupPool(), Flatten(), Dense(1)),
    "footprints": lambda: Serial(Lift("C4", 8, 3, padding="CIRCULAR", footprint=CROSS), GroupPool()),
}


@pytest.mark.parametrize("make", NETS.values(), ids=NETS)
def test_what_a_description_prints_is_read_back(make):
    net = make()
    assert parse_net(repr(net)) == net
    with pytest.raises(ValueError, match="expected a layer, got 'Lift'"):
        plain.parse_net(repr(net))  # which knows no groups


def test_files_and_widths_left_open(tmp_path):
    (tmp_path / "net.txt").write_text("Serial(\n  Lift('C4', W, 3),  # of images\n  GroupPool(),\n)\n")
    text = read_net(tmp_path / "net.txt")
    assert text == net_text(str(tmp_path / "net.txt")) == "Serial(Lift('C4', W, 3), GroupPool())"
    assert parse_net(text, W=5) == Serial(Lift("C4", 5, 3), GroupPool())


def test_layers_of_ones_own_are_known_beside_them():
    net = parse_net("Serial(Lift('C4', 2, 3), Double(3))", {"Double": lambda width: Dense(2 * width)})
    assert net == Serial(Lift("C4", 2, 3), Dense(6))


@pytest.mark.parametrize(
    ("text", "message"),
    [("Lifts('C4', 2, 3)", "did you mean Lift"), ("Lift('C3', 2, 3)", "expected one of the groups")],
    ids=["layer", "group"],
)
def test_mistakes_are_named_in_one_line(text, message):
    with pytest.raises(ValueError, match=message) as caught:
        parse_net(text)
    assert "\n" not in str(caught.value)


def test_a_fitted_estimator_with_such_a_network_is_saved(tmp_path):
    x, y = np.random.default_rng(0).normal(size=(4, 9)), np.arange(4.0)
    net = Serial(Lift("C4", 1, "all"), Relu(), GroupPool(), Flatten(), Dense(1))
    fitted = NTKRegressor(net, shape=(3, 3, 1)).fit(x, y)
    fitted.save(tmp_path / "model.npz")
    turned = np.rot90(x.reshape(4, 3, 3), axes=(1, 2)).reshape(4, 9)
    np.testing.assert_allclose(load(tmp_path / "model.npz").predict(turned), fitted.predict(x), rtol=1e-9)

"""Descriptions from text: parsed, never executed."""

import pytest

from equitangents.nets import Conv, Dense, Flatten, Relu, Serial
from equitangents.nets.text import net_text, parse_net, read_net


def test_what_a_description_prints_is_read_back():
    net = Serial(Conv(16, (3, 3), padding="VALID", sigma_w=1.4), Relu(), Flatten(), Dense(10, sigma_b=0.1))
    assert parse_net(repr(net)) == net


def test_a_file_may_have_lines_and_comments(tmp_path):
    (tmp_path / "net.txt").write_text("# mine\nSerial(\n  Flatten(),  # to a vector\n  Dense(2 * W),\n)\n")
    assert read_net(tmp_path / "net.txt") == "Serial(Flatten(), Dense(2 * W))"


def test_a_width_may_be_left_open():
    assert parse_net("Serial(Flatten(), Dense(2 * W), Relu(), Dense(1))", W=8).layers[1].width == 16


def test_a_description_is_a_text_or_the_name_of_a_file(tmp_path):
    (tmp_path / "net.txt").write_text("Serial(Dense(3),  # few\n)")
    long = "Serial(" + "Relu(), " * 600 + "Dense(3))"  # longer than names of files may be
    assert net_text(str(tmp_path / "net.txt")) == "Serial(Dense(3))" and net_text(long) == long


def test_layers_from_elsewhere_are_given_by_name():
    assert parse_net("Serial(Double(3))", {"Double": lambda width: Dense(2 * width)}) == Serial(Dense(6))
    with pytest.raises(ValueError, match="did you mean Double"):
        parse_net("Doubl(3)", {"Double": Dense})


BAD = {
    "code": ("__import__('os').system('true')", "expected layers, numbers"),
    "attribute": ("Dense.__class__(3)", "expected layers, numbers"),
    "lambda": ("Serial(lambda x: x)", "expected layers, numbers"),
    "unknown layer": ("Serial(Dens(3))", "did you mean Dense"),
    "no brackets": ("Serial(Dense(3), Relu)", r"write Relu\(\)"),
    "no layer": ("3", "expected a layer"),
    "syntax": ("Serial(Dense(3)", "expected a description"),
    "empty": ("", "expected a description"),
    "wrong argument": ("Dense(0)", "expected width >= 1"),
    "unknown argument": ("Dense(3, wide=2)", "unexpected keyword"),
    "starred": ("Serial(*(Dense(3),))", "plain arguments"),
    "deep": ("Serial(" * 50 + "Relu()" + ")" * 50, "levels of brackets"),
    "very deep": ("(" * 5000 + ")" * 5000, "expected a description"),
    "long": ("Dense(3)" + " " * 30000, "at most 20000"),
    "division": ("Dense(3 // 0)", "other than zero"),
    "text times number": ("Dense('a' * 9)", "expected a number"),
}


@pytest.mark.parametrize("text, message", BAD.values(), ids=BAD)
def test_anything_else_is_refused_in_one_line(text, message):
    with pytest.raises(ValueError, match=message) as caught:
        parse_net(text)
    assert "\n" not in str(caught.value)


def test_files_that_cannot_be_read_are_refused_in_one_line(tmp_path):
    (tmp_path / "binary").write_bytes(bytes(range(256)))
    for path in (tmp_path / "binary", tmp_path / "missing", tmp_path):
        with pytest.raises(ValueError, match="expected a readable file"):
            read_net(path)

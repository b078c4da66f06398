"""Configurations: what is written is read back, and what makes no sense is refused in one line."""

import pytest

from equitangents.studies.config import Config, EnsembleRun, KernelRun, parse_config, preset_config, to_toml
from equitangents.studies.problem import read_problem

ONE = '[[kernels]]\nname = "mlp"\n'


def test_a_preset_written_as_toml_is_read_back_equal():
    config = preset_config("quick", data="digits", group="C4")
    assert parse_config(to_toml(config)) == config
    assert parse_config(to_toml(config)).digest() == config.digest()


def test_strings_with_quotes_backslashes_and_control_characters_survive_toml():
    config = Config(data='a "b"\\c\té\n', kernels=(KernelRun(),))
    assert parse_config(to_toml(config)).data == config.data


def test_given_entries_override_those_of_the_text():
    assert parse_config(ONE + "train_sizes = [20]", group="D4").group == "D4"


BAD = {
    "unknown key": ('gruop = "C4"\n' + ONE, "did you mean 'group'"),
    "unknown key of a run": (ONE + "trainsizes = [40]", "did you mean 'train_sizes'"),
    "wrong type": ('seed = "one"\n' + ONE, "seed: expected an integer"),
    "a bool is no number": ("seed = true\n" + ONE, "seed: expected an integer"),
    "no list": (ONE + "train_sizes = 40", "train_sizes: expected a list"),
    "wrong type in a list": (ONE + "train_sizes = [40, 1.5]", r"train_sizes\[1\]: expected an integer"),
    "no table": ("kernels = [3]", "expected a table"),
    "no runs": ("seed = 1", "at least one"),
    "not toml": ("seed = = 1", "expected TOML"),
    "negative seed": ("seed = -1\n" + ONE, "seed: expected at least 0"),
    "decreasing sizes": (ONE + "train_sizes = [40, 20]", "expected increasing numbers"),
    "no members": ("[[ensembles]]\nmembers = 0", "members: expected at least 1"),
    "unstable rate": ("[[ensembles]]\nrate = 1.5", "expected rate between 0 and 1"),
    "nan rate": ("[[ensembles]]\nrate = nan", "expected rate between 0 and 1"),
    "unknown arm": (ONE + 'arms = ["plain", "augmentd"]', "did you mean 'augmented'"),
    "averaged alone": (ONE + 'arms = ["averaged"]', "expected the arm 'plain'"),
    "two of one name": (ONE + ONE, "got 'mlp' twice"),
    "a name with a path": ('[[kernels]]\nname = "../x"', "expected a name of letters"),
    "more moments than steps": ("[[ensembles]]\nsteps = 3\nrecord = 4", "expected record <= steps"),
    "equal seeds": ("[[ensembles]]\nseeds = [1, 1]", "expected different seeds"),
}


@pytest.mark.parametrize("text, message", BAD.values(), ids=BAD)
def test_bad_configurations_give_one_clear_line(text, message):
    with pytest.raises(ValueError, match=message) as caught:
        parse_config(text)
    assert "\n" not in str(caught.value)


SMALL = KernelRun(train_sizes=(20,), test=20, off=10)
MISFITS = {
    "unknown group": (Config(group="C5", kernels=(SMALL,)), "expected one of C1, C2, C4"),
    "trivial group": (Config(group="C1", kernels=(SMALL,)), "more than the identity"),
    "more images than there are": (
        Config(kernels=(KernelRun(train_sizes=(4000,)),)),
        "expected at least 4000 examples",
    ),
    "images made larger": (Config(kernels=(KernelRun(size=9),)), "expected size of at most 8"),
    "too few for the classes": (Config(kernels=(KernelRun(train_sizes=(5,)),)), "one for each class"),
    "a group of vectors": (Config(group="Z64", kernels=(SMALL,)), "expected one of C1, C2, C4"),
}


@pytest.mark.parametrize("config, message", MISFITS.values(), ids=MISFITS)
def test_configurations_that_do_not_fit_the_data_are_refused_before_any_work(config, message):
    with pytest.raises(ValueError, match=message) as caught:
        read_problem(config)
    assert "\n" not in str(caught.value)


def test_smaller_training_sets_are_part_of_larger_ones_with_the_classes_in_proportion():
    config = Config(kernels=(KernelRun(train_sizes=(20, 50)),), ensembles=(EnsembleRun(train_sizes=(20, 100)),))
    problem = read_problem(config)
    small, large = problem.items(config.kernels[0]), problem.items(config.ensembles[0])
    assert (small.x_train == large.x_train[:50]).all()
    counts = [(small.y_train[:20] == c).sum() for c in range(10)]
    assert max(counts) - min(counts) <= 1

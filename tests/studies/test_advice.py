"""Advice on constructed results for which the right advice is known."""

import numpy as np
import pytest

import synthetic
from equitangents.plots.classes import best_family
from equitangents.plots.rows import Rows
from equitangents.studies.advice import advise, decide
from equitangents.studies.compare import Difference
from equitangents.studies.findings import needed, training_left
from equitangents.studies.report_table import tables
from equitangents.studies.result import Result

EQUAL = dict.fromkeys(synthetic.ARMS, 0.06)
HOLDS = {"plain": 0.10, "augmented": 0.06, "averaged": 0.06, "equivariant": 0.04}
COSTS = {"plain": 0.03, "augmented": 0.061, "averaged": 0.07, "equivariant": 0.06}
LOST_WHEN_TURNED = {"plain": 0.55, "augmented": 0.061, "averaged": 0.2, "equivariant": 0.06}


def test_a_symmetry_that_costs_is_imposed_only_for_any_orientation():
    advice = advise(synthetic.study(canonical=COSTS, rotated=LOST_WHEN_TURNED))
    assert advice.verdict == "impose if rotated"
    assert advice.arm == "equivariant"
    assert advice.sentence == (
        "On digits with 320 training examples (cnn kernel), impose C4 only if inputs may arrive in any orientation: "
        "there it saves 49.0 percentage points [48.0, 50.0] of error on randomly oriented inputs, while it costs 3.0 "
        "percentage points [2.0, 4.0] of error on inputs oriented as in the data, as orientation can then no longer "
        "tell 6 and 9 apart."
    )


def test_a_symmetry_that_holds_is_imposed():
    advice = advise(synthetic.study(canonical=HOLDS, rotated=HOLDS, lost={}, confused=()))
    assert advice.verdict == "impose"
    assert "impose C4: it saves 6.0 percentage points [5.0, 7.0]" in advice.sentence


def test_a_symmetry_that_only_costs_is_not_imposed():
    advice = advise(synthetic.study(canonical=COSTS, rotated=EQUAL))
    assert advice.verdict == "do not impose"
    assert advice.arm == "plain"
    assert "do not impose C4: it costs 3.0" in advice.sentence


def test_equal_arms_are_undecided():
    advice = advise(synthetic.study(canonical=EQUAL, rotated=EQUAL, lost={}, confused=()))
    assert advice.verdict == "undecided"
    assert "undecided" in advice.sentence and "no difference was resolved" in advice.sentence
    assert all(set(w.ties) | {w.arm} == set(synthetic.ARMS) for w in advice.winners)


def test_wide_intervals_are_undecided():
    assert advise(synthetic.study(canonical=COSTS, rotated=COSTS, half=0.9)).verdict == "undecided"


@pytest.mark.parametrize("canonical", [-1, 0, 1])
@pytest.mark.parametrize("rotated", [-1, 0, 1])
def test_every_pair_of_signs_has_a_verdict(canonical, rotated):
    verdicts = {
        (-1, -1): "impose", (-1, 0): "impose", (-1, 1): "undecided",
        (0, -1): "impose if rotated", (0, 0): "undecided", (0, 1): "do not impose",
        (1, -1): "impose if rotated", (1, 0): "do not impose", (1, 1): "do not impose",
    }  # fmt: skip
    made = [Difference("equivariant", "plain", s * 0.1, s * 0.1 - 0.05, s * 0.1 + 0.05) for s in (canonical, rotated)]
    assert decide(*made) == verdicts[canonical, rotated]


def test_the_winner_is_the_arm_that_errs_least_with_its_ties():
    found = {(w.model, w.net, w.inputs): w for w in advise(synthetic.study()).winners}
    assert found["kernel", "cnn", "canonical"].arm == "plain"
    assert found["kernel", "cnn", "canonical"].ties == ()
    assert found["ensemble", "cnn", "rotated"].arm == "equivariant"
    assert found["ensemble", "cnn", "rotated"].ties == ("augmented",)


def test_classes_that_lose_recall_are_named_with_their_loss():
    advice = advise(synthetic.study(lost={"2": 0.3, "7": 0.1, "3": 0.01}))
    assert [(cost.name, round(cost.value, 6)) for cost in advice.costs] == [("2", -0.3), ("7", -0.1)]
    assert advice.sentence.endswith("most of it from 2 and 7.")  # the audit's 6 and 9 lost nothing


def test_the_size_where_augmenting_catches_imposing_is_found():
    advice = advise(synthetic.study(gap={80: 0.2, 160: 0.1, 320: 0.005}))
    (finding,) = [f for f in advice.findings if f.startswith("Where augmenting catches imposing")]
    assert "from 320 examples on for cnn ensembles on randomly oriented inputs" in finding
    late = advise(synthetic.study(gap={80: 0.0, 160: 0.0, 320: 0.1}))
    (finding,) = [f for f in late.findings if f.startswith("Where augmenting catches imposing")]
    assert "not up to 320 examples for cnn ensembles on randomly oriented inputs" in finding


def test_members_needed_follow_the_inverse_square_root():
    assert needed(0.2, 1) == 16
    assert needed(0.1, 4) == 16
    assert needed(0.01, 20) == 1
    (finding,) = [f for f in advise(synthetic.study()).findings if f.startswith("Members needed")]
    assert "about 16 on inputs oriented as in the data" in finding and "about 100 on off-manifold inputs" in finding


def test_findings_are_a_lead_and_a_sentence():
    for finding in advise(synthetic.study()).findings:
        lead, text = finding.split(": ", 1)
        assert lead[0].isupper() and text.endswith(".")


def test_the_network_quoted_is_the_one_that_does_best_on_both_kinds_of_input():
    """One errs less as in the data but pays more for the symmetry; the other is nearly as good and pays nothing."""
    columns = {name: [] for name in ("arm", "metric", "inputs", "model", "net", "group", "value", "element")}
    errors = {"sharp": (0.015, 0.63, 0.08, 0.08), "fit": (0.027, 0.6, 0.03, 0.03)}
    for net, found in errors.items():
        places = [(arm, inputs) for arm in ("plain", "equivariant") for inputs in ("canonical", "rotated")]
        for (arm, inputs), value in zip(places, found, strict=True):
            row = (arm, "error", inputs, "kernel", net, "C4", value, "")
            for column, entry in zip(columns.values(), row, strict=True):
                column.append(entry)
    ones = {name: np.ones(8) for name in ("n_train", "width", "members", "seed", "time")}
    assert best_family(Rows(columns | ones)) == ("kernel", "fit")


def test_training_that_stopped_early_is_told_from_the_same_network_at_infinite_width():
    early = [("kernel", 5.0, 0.30), ("kernel", np.inf, 0.20), ("ensemble", 1.0, 0.5), ("ensemble", 5.0, 0.32)]
    columns = {
        "model": [row[0] for row in early],
        "time": [row[1] for row in early],
        "value": [row[2] for row in early],
    }
    same = {"metric": "error", "inputs": "canonical", "net": "cnn", "arm": "augmented", "n_train": 10}
    rows = Rows(columns | {name: [value] * 4 for name, value in same.items()})
    assert "cnn ensembles, augmented: 30.0 % then, 20.0 % in the end" in training_left(rows)
    assert training_left(rows.where(model="ensemble")) == ""


def test_arms_of_a_table_have_one_size():
    """An arm that was not evaluated on the largest training set is left out, not shown at a smaller one."""
    result = synthetic.study()
    columns = result.columns
    drop = (columns["model"] == "kernel") & (columns["arm"] == "augmented") & (columns["n_train"] == 320)
    smaller = Result(result.config, {name: column[~drop] for name, column in columns.items()}, result.timings)
    advice = advise(smaller)
    _, _, lines = next(table for table in tables(smaller, advice) if "infinite width" in table[0])
    assert "augmented" not in [line.arm for line in lines] and len(lines) == 3
    assert all("augmented" not in (w.arm, *w.ties) for w in advice.winners if w.model == "kernel")


def test_a_path_as_data_gives_its_last_part():
    assert advise(synthetic.study(data="/home/me/pets/")).sentence.startswith("On pets with")

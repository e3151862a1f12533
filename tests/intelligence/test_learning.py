"""Learning: what is better than what is known anyway is told from what is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.intelligence.rules.columns import Known, Verdict
from apps.intelligence.rules.learning import STEPS, learn, learning
from apps.intelligence.rules.measures import auc, brier, calibration_error, stability_index
from apps.intelligence.rules.reasons import Prediction, explain, log_odds, share
from apps.intelligence.rules.reference import Reference
from apps.intelligence.rules.tables import columns_of
from apps.intelligence.rules.trees import Model
from tests.factories.intelligence import table


@pytest.fixture(scope="module")
def learned():
    """A model of a table with a signal."""
    return learn(table(), seed=7)


def test_finds_a_signal_and_says_how_good_it_is(learned):
    assert learned.verdict == Verdict.BETTER
    figures = learned.card["figures"]
    assert figures["auc"]["low"] > 0.75
    assert figures["auc_anyway"]["value"] == 0.5
    assert figures["brier"]["value"] < figures["brier_anyway"]["value"]
    assert figures["calibration_error"]["value"] < 0.1
    assert learned.card["weights"][0]["column"] == "size"
    assert (learned.card["rows"], learned.card["held_out_rows"]) == (1500, 300)


def test_says_that_there_is_no_signal_where_there_is_none():
    learned = learn(table(signal=0.0), seed=7)
    assert learned.verdict == Verdict.NO_SIGNAL
    assert learned.card["sentence"].startswith("There is no signal in your data")


def test_what_is_known_anyway_has_to_be_beaten():
    rows = table()
    knows = 1 / (1 + np.exp(-2 * np.nan_to_num(rows.values["size"])))
    assert learn(replace(rows, anyway=knows), seed=7).verdict == Verdict.NO_SIGNAL


def test_says_that_there_are_too_few_rows():
    learned = learn(table(150), seed=7)
    assert (learned.verdict, learned.model) == (Verdict.TOO_FEW, None)
    assert learned.card["sentence"] == "There are 150 rows whose end is known; 200 are needed."


def test_says_that_there_is_nothing_to_tell_apart():
    rows = table(400)
    learned = learn(replace(rows, outcome=np.ones(400, dtype=bool)), seed=7)
    assert learned.verdict == Verdict.TOO_FEW
    assert "end the same way" in learned.card["sentence"]


def test_no_row_at_all_is_too_few():
    rows = table(0)
    assert learn(rows, seed=7).verdict == Verdict.TOO_FEW


def test_holds_out_what_ended_last():
    card = learn(table(1000), seed=7).card
    assert card["ordered_by"] == "time"
    assert card["held_out_from"] == "1970-01-01T00:13:20+00:00"


def test_rows_of_one_deal_are_never_on_both_sides():
    rows = table(1000, in_time=False)
    twice = replace(rows, group=np.array([f"deal {place // 4}" for place in range(1000)]))
    card = learn(twice, seed=7).card
    assert (card["decided"], card["held_out_rows"], card["ordered_by"]) == (250, 200, "hash")


def test_the_same_rows_give_the_same_model_byte_for_byte(learned):
    again = learn(table(), seed=7)
    assert again.model.text() == learned.model.text()
    assert again.card == learned.card


def test_takes_no_more_steps_than_it_says():
    steps = learning(table(), seed=7)
    assert 1 < len(list(steps)) <= STEPS


# --- The guard ----------------------------------------------------------------------------------


def _answer(outcome, chance):
    return np.where(outcome, 1.0, 0.0) + chance.normal(scale=0.1, size=len(outcome))


def _filled_when_good(outcome, chance):
    return np.where(outcome, chance.normal(size=len(outcome)), np.nan)


def _tags(outcome, chance):
    kinds = np.where(outcome, "Will revert", "Ringing").astype(object)
    return np.where(chance.random(len(outcome)) < 0.6, "", kinds)


def _half_told(outcome, chance):
    is_there = chance.random(len(outcome)) < np.where(outcome, 0.7, 0.45)
    return np.where(is_there, chance.normal(size=len(outcome)), np.nan)


@pytest.mark.parametrize(
    ("leak", "reason"),
    [
        (_answer, "tells the outcome almost alone"),
        (_filled_when_good, "almost alone"),
        (_tags, "come with one outcome only"),
    ],
)
def test_refuses_a_column_that_knows_the_answer(leak, reason):
    card = learn(table(leak=leak), seed=7).card
    (refused,) = card["refused"]
    assert refused["column"] == "leak"
    assert reason in refused["reason"]
    assert "leak" not in {one["name"] for one in card["columns"]}


def test_names_a_column_that_somebody_should_look_at():
    card = learn(table(half=_half_told), seed=7).card
    assert card["refused"] == []
    assert [one["column"] for one in card["suspects"]] == ["half"]


def test_never_learns_from_what_is_declared_to_be_filled_in_afterwards():
    rows = table()
    columns = [replace(rows.columns[0], known=Known.AFTERWARDS), *rows.columns[1:]]
    learned = learn(replace(rows, columns=columns), seed=7)
    assert learned.verdict == Verdict.NO_SIGNAL
    assert learned.card["refused"] == [
        {"column": "size", "reason": "It is declared to be filled in afterwards."}
    ]


def test_refuses_nothing_of_an_honest_table(learned):
    assert (learned.card["refused"], learned.card["suspects"]) == ([], [])


def test_does_not_believe_what_is_right_too_often():
    """Two columns that only together know the answer."""

    def half(outcome, chance):
        return np.random.default_rng(5).normal(scale=3, size=len(outcome))

    def other_half(outcome, chance):
        return np.where(outcome, 2.0, -2.0) - half(outcome, chance)

    learned = learn(table(3000, half=half, other=other_half), seed=7)
    assert learned.card["refused"] == []
    assert learned.verdict == Verdict.TOO_GOOD
    assert "some column knows the answer" in learned.card["sentence"]


# --- The model as text --------------------------------------------------------------------------


def test_a_model_read_from_its_text_says_the_same(learned):
    again, rows = Model.read(learned.model.text()), table(200, seed=2)
    assert again.text() == learned.model.text()
    assert np.array_equal(
        again.probabilities(rows.values), learned.model.probabilities(rows.values)
    )


@pytest.mark.parametrize("where", ["size", "colour"])
def test_a_value_never_seen_is_no_trouble(learned, where):
    value = {"size": 1e12, "colour": "ultraviolet"}[where]
    row = {"size": 0.0, "noise": 0.0, "colour": "red", where: value}
    (prediction,) = learned.model.predictions(columns_of([row], table(1).columns))
    assert 0 < prediction.probability < 1


@settings(deadline=None, max_examples=50)
@given(
    size=st.none() | st.floats(-5, 5),
    noise=st.none() | st.floats(-5, 5),
    colour=st.sampled_from(["red", "green", "blue", "", "mauve"]),
)
def test_contributions_add_up_to_the_score(learned, size, noise, colour):
    columns, row = table(1).columns, {"size": size, "noise": noise, "colour": colour}
    values = columns_of([row], columns)
    (prediction,) = learned.model.predictions(values)
    total = prediction.base + sum(prediction.contributions.values())
    assert share(total) == pytest.approx(prediction.probability, abs=1e-12)
    assert learned.model.probabilities(values)[0] == pytest.approx(prediction.probability, abs=1e-5)
    explained = explain(prediction, columns, row, base_text="{percent} % without knowing")
    assert sum(one.points for one in explained.reasons) == explained.value
    assert 0 <= explained.value <= 100


@given(
    probability=st.floats(1e-4, 1 - 1e-4),
    shares=st.lists(st.floats(-3, 3), min_size=1, max_size=12),
)
def test_points_add_up_whatever_the_contributions(probability, shares):
    columns = [replace(table(1).columns[0], name=f"c{place}") for place in range(len(shares))]
    base = log_odds(probability) - sum(shares)
    contributions = {f"c{place}": one for place, one in enumerate(shares)}
    explained = explain(
        Prediction(probability, base, contributions), columns, {}, base_text="{percent} %"
    )
    assert sum(one.points for one in explained.reasons) == explained.value
    assert explained.reasons[0].key == "base"


# --- Measures -----------------------------------------------------------------------------------


def test_auc_is_the_share_of_pairs_in_order():
    outcome = np.array([True, False, True, False])
    assert auc(np.array([4.0, 1.0, 3.0, 2.0]), outcome) == 1.0
    assert auc(np.array([1.0, 4.0, 2.0, 3.0]), outcome) == 0.0
    assert auc(np.array([1.0, 1.0, 1.0, 1.0]), outcome) == 0.5
    assert auc(np.array([3.0, 1.0, 2.0, 2.0]), outcome) == 0.875
    assert auc(np.array([1.0, 2.0]), np.array([True, True])) == 0.5


def test_errors_of_probabilities_are_exact():
    outcome = np.array([True, False])
    assert brier(np.array([1.0, 0.0]), outcome) == 0.0
    assert brier(np.array([0.5, 0.5]), outcome) == 0.25
    assert calibration_error(np.full(1000, 0.5), np.arange(1000) % 2 == 0) == 0.0
    assert calibration_error(np.full(1000, 0.9), np.arange(1000) % 2 == 0) == pytest.approx(0.4)


def test_the_stability_index_grows_with_the_distance():
    before = np.array([50, 50])
    assert stability_index(before, np.array([500, 500])) == 0.0
    assert 0 < stability_index(before, np.array([40, 60])) < 0.1
    assert stability_index(before, np.array([0, 100])) > 0.25


def test_drift_is_seen_in_the_column_that_moved(learned):
    reference = Reference.from_json(learned.card["reference"], learned.model)
    rows = table(1000, seed=3)
    calm = reference.drift(learned.model, rows.values)
    assert max(calm.values()) < 0.1
    moved = reference.drift(learned.model, {**rows.values, "noise": rows.values["noise"] + 3})
    assert moved["noise"] > 0.25
    assert moved["colour"] == calm["colour"]

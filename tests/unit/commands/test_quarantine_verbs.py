"""Rows of source tables that are set apart, and what people decide about them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from penstock.errors import PenstockError

Make = Callable[..., Any]


def refused(code: str, act: Callable[[], object]) -> str:
    with pytest.raises(PenstockError) as caught:
        act()
    assert caught.value.code == code, str(caught.value)
    return str(caught.value)


def test_every_reason_is_told_and_nothing_private(shop: Make) -> None:
    made = shop(more=", pii: [who, id]")
    made.run("1,5,ada", "2,-3,", "x,y,eve", ",1,bob")
    assert made.rows() == [(1, 5, "ada")]
    reasons = sorted(row.reasons for row in made.project.quarantine_show("raw.t"))
    assert reasons == [
        ("id: expected BIGINT, found '***'", "amount: expected INTEGER, found 'y'"),
        ("key id is NULL",),
        (
            "positive(amount): expected amount above zero, found '-3'",
            "not_null(who): expected a value in who, found NULL",
        ),
    ]
    payloads = [dict(row.payload) for row in made.project.quarantine_show("raw.t", reason="POSITIVE")]
    assert payloads == [{"id": "***", "amount": "-3", "who": None}]
    (listed,) = made.project.quarantine_list()
    assert (listed.rows, listed.discarded) == (3, 0)
    assert {each.reason: each.rows for each in listed.reasons}["id: expected BIGINT"] == 1
    assert "eve" not in repr(made.project.quarantine_show("raw.t", limit=None))
    (step,) = [step for step in made.project.history(run="2") if step["step"] == "load:s.t"]
    assert json.loads(json.dumps(step["accounting"]))["quarantined"] == 3


@pytest.mark.parametrize("extract", ["full", "incremental"])
def test_a_row_corrected_at_the_source_moves_out_by_itself(shop: Make, extract: str) -> None:
    made = shop(extract)
    made.run("1,5,ada", "2,5,bob")
    made.run("1,-5,ada", "2,5,bob")
    assert made.rows() == [(1, 5, "ada"), (2, 5, "bob")], "a bad row is no reason to forget the good one before"
    assert made.held() == {"1,-5,ada": ["positive(amount)"]}
    made.run("1,-6,ada", "2,5,bob")
    assert made.held() == {"1,-6,ada": ["positive(amount)"]}
    made.run("1,7,ada", "2,5,bob")
    assert (made.rows(), made.held()) == ([(1, 7, "ada"), (2, 5, "bob")], {})
    versions = made.rows("SELECT amount, valid_to IS NULL FROM raw.t_history WHERE id = 1")
    assert versions == [(5, False), (7, True)]


def test_a_bad_row_that_is_gone_from_a_full_extract_leaves(shop: Make) -> None:
    made = shop()
    made.run("1,5,ada", "x,1,eve")
    made.run("1,5,ada", "x,1,eve", "2,2,bob")
    assert made.held() == {"x,1,eve": ["id"]}
    seen = made.project.quarantine_show("raw.t")[0]
    assert seen.last_seen is not None
    assert seen.first_seen < seen.last_seen
    made.run("1,5,ada")
    assert made.held() == {}


def test_a_fix_holds_until_the_source_says_something_newer(shop: Make) -> None:
    made = shop()
    made.run("1,5,ada", "2,-3,bob", ",4,cy")
    for reason, changes in (("positive", {"amount": "3"}), ("key id", {"ID": "42"})):
        (row,) = made.project.quarantine_show("raw.t", reason=reason)
        fixed = made.project.quarantine_fix("raw.t", row.id[:8], changes, why="asked", by="Ada")
        assert fixed.row == row.id
    assert made.batches() == 3
    made.run()
    good = [(1, 5, "ada"), (2, 3, "bob"), (42, 4, "cy")]
    assert (made.rows(), made.held()) == (good, {})
    made.run("1,5,ada", "2,-3,bob", ",4,cy", "6,6,fay")
    assert (made.rows(), made.held()) == (sorted([*good, (6, 6, "fay")], key=repr), {})
    assert len(made.rows("FROM raw.t_history")) == 4, "what is read in its place is no new version"
    made.run("1,5,ada", "2,9,bob", ",4,cy")
    assert made.rows() == [(1, 5, "ada"), (2, 9, "bob"), (42, 4, "cy")]
    made.run("1,5,ada", "2,-3,bob")
    assert made.rows() == [(1, 5, "ada"), (2, 9, "bob")], "42 was there by its correction alone"
    assert made.held() == {"2,-3,bob": ["positive(amount)"]}
    log = [each for each in made.project.quarantine_log() if each.what != "left"]
    assert [(each.what, each.by, each.why) for each in log] == [("fix", "Ada", "asked")] * 2
    before = made.everything()
    assert made.project.rebuild().exit_code == 0
    assert made.everything() == before


def test_in_an_incremental_table_a_row_sent_again_stays_corrected(shop: Make) -> None:
    made = shop("incremental")
    made.run("1,5,ada", "2,-3,bob")
    made.project.quarantine_fix("raw.t", made.id(), {"amount": "3"}, why="typo")
    made.run("2,-3,bob")
    made.run("7,7,gus")
    made.run("2,-3,bob")
    assert (made.rows(), made.held()) == ([(1, 5, "ada"), (2, 3, "bob"), (7, 7, "gus")], {})
    made.run("2,4,bob")
    made.run("2,-3,bob")
    assert (made.rows()[1], made.held()) == ((2, 4, "bob"), {"2,-3,bob": ["positive(amount)"]})


def test_a_correction_that_a_new_rule_refuses_can_be_corrected(shop: Make) -> None:
    made = shop()
    made.run("1,-3,ada", "2,5,bob")
    made.project.quarantine_fix("raw.t", made.id(), {"amount": "3"}, why="typo")
    made.run()
    assert made.rows() == [(1, 3, "ada"), (2, 5, "bob")]
    made.declare("[{range: {column: amount, min: 4, on_fail: quarantine}}]")
    made.run()
    assert (made.rows(), made.held()) == ([(2, 5, "bob")], {"1,3,ada": ["range(amount)"]})
    made.project.quarantine_fix("raw.t", made.id(), {"amount": "8"}, why="really")
    made.run()
    made.run("1,-3,ada", "2,5,bob", "3,9,cy")
    assert (made.rows(), made.held()) == ([(1, 8, "ada"), (2, 5, "bob"), (3, 9, "cy")], {})
    made.declare("[]")
    made.run()
    assert made.rows() == [(1, 8, "ada"), (2, 5, "bob"), (3, 9, "cy")], "said by a person, whatever the rules are"
    assert made.rows("SELECT amount FROM raw.t_history WHERE id = 1") == [(-3,), (3,), (8,)]


def test_of_rows_with_one_key_a_person_says_which_it_is(shop: Make) -> None:
    made = shop(checks="[]")
    made.run("1,5,ada", "1,6,ada")
    (one,) = [row for row in made.project.quarantine_show("raw.t") if row.payload["amount"] == "6"]
    made.project.quarantine_fix("raw.t", one.id, {}, why="the shop says so")
    made.run()
    assert (made.rows(), made.held()) == ([(1, 6, "ada")], {})
    made.run("1,5,ada", "1,6,ada", "2,2,bob")
    assert (made.rows(), made.held()) == ([(1, 6, "ada"), (2, 2, "bob")], {})


def test_a_fix_in_an_append_table_replaces_the_event(shop: Make) -> None:
    made = shop("append")
    made.run("1,5,ada", "2,-3,bob", "2,-3,bob")
    assert made.project.quarantine_show("raw.t")[0].copies == 2
    made.project.quarantine_fix("raw.t", made.id(), {"amount": "3"}, why="typo")
    made.run("2,-3,bob")
    assert made.rows() == [(1, 5, "ada"), (2, 3, "bob"), (2, 3, "bob")]
    assert made.held() == {"2,-3,bob": ["positive(amount)"]}, "an event that comes later is another one"
    made.declare("[]")
    made.run()
    assert made.rows() == [(1, 5, "ada"), (2, -3, "bob"), (2, 3, "bob"), (2, 3, "bob")], "never both"


def test_columns_that_only_some_batches_have(shop: Make) -> None:
    made = shop(more=", on_missing_column: 'null'")
    made.run("1,-5,ada")
    made.send("1,-5,ada,", "2,2,bob,red", header="id,amount,who,colour")
    made.run()
    assert made.held() == {"1,-5,ada,None": ["positive(amount)"]}
    made.project.quarantine_fix("raw.t", made.id(), {"amount": "5", "colour": "blue"}, why="typo")
    made.run("1,-5,ada", "2,2,bob")
    assert made.rows("SELECT id, amount, colour FROM raw.t") == [(1, 5, "blue"), (2, 2, None)]


def test_what_cannot_be_fixed_says_why_and_lands_nothing(shop: Make) -> None:
    made = shop()
    refused("NOT_IN_QUARANTINE", lambda: made.project.quarantine_fix("raw.t", "abc", {}, why="x"))
    made.run("1,-5,ada", "2,-6,bob")
    fix, row = made.project.quarantine_fix, made.id()
    assert "id, amount, who" in refused("UNKNOWN_COLUMN", lambda: fix("raw.t", row, {"zzz": "1"}, why="x"))
    assert "positive(amount)" in refused("FIX_STILL_BAD", lambda: fix("raw.t", row, {"who": "eve"}, why="x"))
    refused("FIX_STILL_BAD", lambda: fix("raw.t", row, {}, why="x"))
    refused("WHY_MISSING", lambda: fix("raw.t", row, {"amount": "5"}, why="  "))
    refused("NOT_IN_QUARANTINE", lambda: fix("raw.t", "", {"amount": "5"}, why="x"))
    refused("UNKNOWN_RELATION", lambda: fix("raw.zzz", row, {"amount": "5"}, why="x"))
    made.send("1,5,ada", "2,6,bob")
    assert made.project.land().exit_code == 0
    refused("FIX_TOO_EARLY", lambda: fix("raw.t", row, {"amount": "5"}, why="x"))
    made.run()
    refused("NOT_IN_QUARANTINE", lambda: fix("raw.t", row, {"amount": "5"}, why="x"))
    assert made.batches() == 2


def test_discarded_rows_stay_discarded(shop: Make) -> None:
    made = shop(more=", quarantine: {max: 1}")
    made.run("1,-5,ada", "2,2,bob")
    row = made.id()
    refused("NOT_IN_QUARANTINE", lambda: made.project.quarantine_discard("raw.t", row, "ffff", why="test data"))
    assert made.project.quarantine_log() == ()
    made.project.quarantine_discard("raw.t", row[:6], why="test data", by="Ada")
    assert made.held() == {}
    made.run("1,-5,ada", "2,3,bob")
    assert made.project.report().quarantined == 0
    assert [(each.rows, each.discarded) for each in made.project.quarantine_list()] == [(0, 1)]
    (shown,) = made.project.quarantine_show("raw.t", discarded_too=True)
    assert shown.discarded is not None
    assert (shown.discarded.by, shown.discarded.why) == ("Ada", "test data")
    made.run("1,-5,ada", "2,-2,bob", "3,3,cy")
    assert made.held() == {"2,-2,bob": ["positive(amount)"]}, "of two bad rows one counts, and one is allowed"
    made.declare("[{range: {column: amount, min: 0, on_fail: quarantine}}]")
    made.run()
    assert made.held() == {"2,-2,bob": ["range(amount)"]}
    assert made.project.rebuild().exit_code == 0
    assert made.held() == {"2,-2,bob": ["range(amount)"]}
    made.run("1,-6,ada")
    assert made.held() == {"1,-6,ada": ["range(amount)"]}, "with another value it is another row"
    path = next(made.root.glob("data/dev/landing/quarantine.discarded/raw.t/*.json"))
    path.write_text(path.read_text().replace("Ada", "Eve"))
    refused("DISCARD_DAMAGED", made.project.quarantine_list)


def test_a_discard_is_undone_and_may_be_made_again(shop: Make) -> None:
    made = shop(more=", quarantine: {max: 1}")
    made.run("1,-5,ada", "2,2,bob")
    row = made.id()
    refused("NOT_DISCARDED", lambda: made.project.quarantine_restore("raw.t", row, why="x"))
    made.project.quarantine_discard("raw.t", row, why="test data", by="Ada")
    refused("WHY_MISSING", lambda: made.project.quarantine_restore("raw.t", row, why=" "))
    refused("NOT_DISCARDED", lambda: made.project.quarantine_restore("raw.t", row, "ffff", why="x"))
    assert made.held() == {}
    made.project.quarantine_restore("raw.t", row[:5], why="it was real", by="Bo")
    assert made.held() == {"1,-5,ada": ["positive(amount)"]}
    assert made.project.quarantine_list()[0].discarded == 0
    said = [(each.what, each.rows, each.by, each.why) for each in made.project.quarantine_log("raw.t")]
    assert said[:2] == [("discard", (row,), "Ada", "test data"), ("restore", (row,), "Bo", "it was real")]
    made.send("1,-5,ada", "2,-2,bob")
    assert made.project.run().exit_code == 3, "it counts again: two are more than may be set apart"
    made.project.quarantine_discard("raw.t", row, why="it was not")
    made.run()
    assert made.held() == {"2,-2,bob": ["positive(amount)"]}


def test_too_many_halt_the_load_before_anything_is_seen(shop: Make) -> None:
    made = shop(more=", quarantine: {max: 20%}")
    made.run("1,5,ada", "2,5,bob", "3,5,cy", "4,5,di", "5,-5,eve")
    made.send("1,6,ada", "2,-6,bob", "3,6,cy", "4,-6,di", "5,-5,eve")
    report = made.project.run()
    (failed,) = [step for step in report.steps if step.status == "failed"]
    assert (report.exit_code, [each.code for each in failed.problems]) == (3, ["QUARANTINE_LIMIT"])
    assert "3 of 5 rows" in failed.problems[0].message
    assert made.rows("SELECT amount FROM raw.t") == [(5,)] * 4
    assert (made.held(), made.batches()) == ({"5,-5,eve": ["positive(amount)"]}, 2)
    made.declare(more=", quarantine: {max: 60%}")
    made.run()
    assert len(made.held()) == 3


def test_a_looser_rule_lets_rows_through_and_replay_does_not_ask_the_source(shop: Make) -> None:
    made = shop()
    made.run("1,-5,ada", "2,2,bob")
    made.declare("[]")
    made.send("3,3,cy")
    report = made.project.quarantine_replay("raw.t")
    assert (report.exit_code, [step.step for step in report.steps]) == (0, ["load:s.t"])
    assert (made.rows(), made.held(), made.batches()) == ([(1, -5, "ada"), (2, 2, "bob")], {}, 1)
    assert [step.status for step in made.project.quarantine_replay().steps] == ["unchanged"]
    made.declare()
    assert made.project.quarantine_replay("s.t").exit_code == 0
    assert (made.rows(), made.held()) == ([(2, 2, "bob")], {"1,-5,ada": ["positive(amount)"]})


def test_a_rule_about_a_column_that_no_batch_has_is_told(shop: Make) -> None:
    made = shop(checks="[{not_null: {column: colour, on_fail: quarantine}}]")
    made.send("1,5,ada")
    report = made.project.run()
    (failed,) = [step for step in report.steps if step.status == "failed"]
    assert [each.code for each in failed.problems] == ["CHECK_INVALID"]
    assert "'colour'" in failed.problems[0].message
    made.send("1,5,ada,red", header="id,amount,who,colour")
    made.run()
    assert made.held() == {}, "the first batch has NULL there, and the second one says something newer"

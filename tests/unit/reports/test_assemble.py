"""What a report says of a project, as numbers."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from campaign import examples
from penstock.domain.quality import DIMENSIONS, Held
from penstock.reports.document import document, percent
from penstock.reports.score import score


def test_the_report_of_the_article(lab: Any) -> None:
    """Forty checks, two of which fail."""
    checks = [lab.check(f"c{number}") for number in range(40)]
    results = [lab.result("stg.a", each.name) for each in checks]
    results[3] = lab.result("stg.a", "c3", "failed", 12, 3, samples=[{"customer_id": 101}], message="3 of 12 rows fail")
    results[4] = lab.result("stg.a", "c4", "failed", None, None)
    told = document(lab.report([lab.model("stg.a", *checks)], results))
    assert told["timestamp"] == "2026-11-21T06:00:01.500000Z"
    summary = told["summary"]
    assert (summary["total_tests"], summary["passed"], summary["failed"], summary["pass_rate"]) == (40, 38, 2, 95.0)
    first, second = told["failures"]
    assert (first["test"], first["model"], first["message"]) == ("c3", "stg.a", "3 of 12 rows fail")
    assert first["samples"] == [{"customer_id": 101}]
    assert (first["owner"], second["test"]) == ("sales", "c4")


def test_the_score_of_a_check() -> None:
    assert score("passed", 10, 0) == 1.0
    assert score("failed", 10, 3) == 0.7
    assert score("passed", 10, 1) == 0.9, "a bad row that is tolerated is a bad row"
    assert score("warned", None, None) == 0.0
    assert score("passed", None, None) == 1.0
    assert score("passed", 0, 0) == 1.0
    assert score("warned", 8, 2, 92) == 0.98, "the others have passed before"
    assert score("failed", 4, 9) == 0.0, "groups of rows that fail may be more than the rows"


def test_percent_is_rounded_down() -> None:
    assert percent(0.99999, 1) == 99.9
    assert percent(1.0, 1) == 100.0
    assert percent(0.7, 1) == 70.0, "0.7 as a double is a hair less"
    assert percent(0.29, 2) == 29.0
    assert percent(None, 1) is None


def test_what_did_not_run_counts_as_it_was_known(lab: Any) -> None:
    models = [lab.model("stg.a", lab.check("now")), lab.model("serv.b", lab.check("before"), lab.check("never"))]
    report = lab.report(
        models, [lab.result("stg.a", "now"), lab.result("serv.b", "before", "warned", 10, 1, run="20261120T060000-bb")]
    )
    states = {each.name: (each.outcome, each.fresh) for each in report.checks}
    assert states == {"now": ("passed", True), "before": ("warned", False), "never": (None, False)}
    assert report.summary.pass_rate == 50.0, "a check that was never evaluated is not a failure"
    assert report.summary.not_evaluated == 1
    assert document(report)["tests"][2]["outcome"] == "not_evaluated"


def test_rows_that_were_not_judged_have_passed_before(lab: Any) -> None:
    targets = [{"step": "build:stg.a", "status": "success", "rows": 100, "accounting": None}]
    came = lab.result("stg.a", "c", "warned", 8, 2, scope="came")
    (check,) = lab.report([lab.model("stg.a", lab.check("c"))], [came], targets=targets).checks
    assert check.score == 0.98
    whole = lab.result("stg.a", "c", "warned", 8, 2)  # of a check with `where`, say
    (check,) = lab.report([lab.model("stg.a", lab.check("c"))], [whole], targets=targets).checks
    assert check.score == 0.75


def test_a_check_that_sets_rows_apart_tells_of_all_it_keeps_apart(lab: Any) -> None:
    """Also of those that did not come with the last run."""
    checks = [lab.check(name, on_fail="quarantine") for name in ("held", "empty", "never asked", "agrees")]
    target = {"step": "build:stg.a", "status": "success", "rows": 90, "accounting": None, "run": lab.run,
              "changed": lab.now.isoformat()}  # fmt: skip
    agrees = lab.result("stg.a", "agrees", "warned", 100, 3, message="as it was told", samples=[{"id": 1}])
    results = [
        lab.result("stg.a", "held", "passed", 5, 0, scope="came"),
        lab.result("stg.a", "empty", "warned"),
        agrees,
    ]
    held = {"stg.a": Held(10, {"held": 4, "agrees": 3})}
    report = lab.report([lab.model("stg.a", *checks)], results, targets=[target], quarantined=held)
    found = {each.name: each for each in report.checks}
    assert {name: (each.outcome, each.failing, each.rows, each.score) for name, each in found.items()} == {
        "held": ("warned", 4, 100, 0.96), "empty": ("passed", 0, 100, 1.0), "never asked": ("passed", 0, 100, 1.0),
        "agrees": ("warned", 3, 100, 0.97),
    }  # fmt: skip
    assert (found["held"].message, found["agrees"].message) == ("4 of 100 rows set apart", "as it was told")
    assert found["agrees"].samples == ({"id": 1},)
    broken = lab.report([lab.model("stg.a", *checks)], [], targets=[{**target, "status": "failed"}])
    assert {each.outcome for each in broken.checks} == {None}


def test_what_is_no_longer_declared_is_left_out(lab: Any) -> None:
    results = [
        lab.result("stg.a", "kept"), lab.result("stg.a", "dropped", "failed", run="20261120T060000-bb"),
        lab.result("stg.gone", "x", "failed"), lab.result("stg.a", "changed", kind="unique"),
        lab.result("stg.a", "of the run itself", "failed"),
    ]  # fmt: skip
    report = lab.report([lab.model("stg.a", lab.check("kept"), lab.check("changed"))], results)
    assert {each.name: each.outcome for each in report.checks} == {
        "kept": "passed", "changed": None, "of the run itself": "failed",
    }  # fmt: skip


def test_where_rows_went(lab: Any) -> None:
    load = (
        '{"rows_in": 13, "inserted": 5, "updated": 2, "unchanged": 3, "duplicates": 1, "quarantined": 2, "deleted": 4}'
    )
    models = [lab.model("stg.a"), lab.model("stg.b"), lab.model("serv.c")]
    targets = [
        {"step": "build:stg.a", "status": "success", "rows": 10, "accounting": load},
        {"step": "build:stg.b", "status": "success", "rows": 7,
         "accounting": '{"rows_in": 9, "returned": 8, "published": 7, "quarantined": 1, "filtered": 0}'},
        {"step": "build:serv.c", "status": "failed", "rows": None, "accounting": '{"gone": 1, "came": 2}'},
    ]  # fmt: skip
    report = lab.report(models, [], targets=targets, quarantined={"stg.a": Held(2), "gone.x": Held(9)})
    by_name = {str(each.relation): each for each in report.relations}
    a, b, c = by_name["stg.a"], by_name["stg.b"], by_name["serv.c"]
    assert a.accounting is not None and a.accounting.published == 10 and a.accounting.adds_up
    assert b.accounting is not None and not b.accounting.adds_up, "a sum that is wrong has to be told"
    assert c.accounting is None
    whole = lab.report(
        models,
        [],
        targets=[{**targets[1], "accounting": '{"rows_in": 4, "returned": 4, "published": 3, "quarantined": 1}'}],
    )
    (found,) = [each.accounting for each in whole.relations if each.accounting]
    assert (found.rows_in, found.published, found.quarantined, found.adds_up) == (4, 3, 1, True)
    assert report.quarantined == a.quarantined == 2
    assert report.summary.pass_rate is None


def test_a_run_that_was_broken_off(lab: Any) -> None:
    report = lab.report([], [], status="crashed", finished=None)
    assert (report.seconds, report.timestamp) == (None, lab.now)


OUTCOMES = st.sampled_from(["passed", "warned", "failed", None])
CASES = st.lists(
    st.tuples(
        st.sampled_from(["raw.a", "stg.b", "stg.c", "serv.d"]), OUTCOMES, st.sampled_from(DIMENSIONS),
        st.one_of(st.none(), st.tuples(st.integers(0, 9), st.integers(0, 9))),
    ),
    max_size=12,
)  # fmt: skip


@settings(max_examples=examples(60), deadline=None)
@given(cases=CASES)
def test_numbers_add_up(lab: Any, cases: list[tuple[str, str | None, str, tuple[int, int] | None]]) -> None:
    """Of layers and relations, against sums made by hand with fractions."""
    checks: dict[str, list[Any]] = {name: [] for name in ("raw.a", "stg.b", "stg.c", "serv.d")}
    results, oracle = [], []
    for number, (relation, outcome, dimension, counts) in enumerate(cases):
        checks[relation].append(lab.check(f"c{number}", dimension))
        if outcome is None:
            continue
        rows, failing = (counts[0], min(counts)) if counts else (None, None)
        results.append(lab.result(relation, f"c{number}", outcome, rows, failing))
        share = Fraction(rows - failing, rows) if rows else Fraction(outcome == "passed" or rows == 0)
        oracle.append((relation, dimension, share))
    told = document(lab.report([lab.model(name, *found) for name, found in checks.items()], results))

    def mean(shares: list[Fraction]) -> float | None:
        return float(sum(shares) / len(shares)) * 100 if shares else None

    def equal(found: float | None, wanted: float | None) -> bool:
        return found is wanted or (found is not None and wanted is not None and 0 <= wanted - found + 1e-6 < 0.0101)

    for part, of in ((told["relations"], "relation"), (told["layers"], "layer")):
        for each in part:
            own = [row for row in oracle if row[0] == each[of] or (of == "layer" and row[0].startswith(each[of] + "."))]
            assert equal(each["score"], mean([row[2] for row in own]))
            wanted = {name: mean([row[2] for row in own if row[1] == name]) for name in {row[1] for row in own}}
            assert set(each["dimensions"]) == set(wanted)
            assert all(equal(each["dimensions"][name], wanted[name]) for name in wanted)
        for name in ("total_tests", "passed", "failed", "warned", "not_evaluated"):
            assert sum(each[name] for each in part) == told["summary"][name]
    summary = told["summary"]
    assert summary["total_tests"] == len(cases) == len(told["tests"])
    assert summary["passed"] + summary["failed"] + summary["warned"] + summary["not_evaluated"] == len(cases)
    assert (summary["failed"], summary["warned"]) == (len(told["failures"]), len(told["warnings"]))
    assert equal(summary["score"], mean([row[2] for row in oracle]))
    evaluated = len(oracle)
    assert summary["pass_rate"] == (summary["passed"] * 1000 // evaluated / 10 if evaluated else None)

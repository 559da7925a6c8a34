"""A report of unit tests as JUnit XML, which CI systems show."""

from __future__ import annotations

import re
from xml.sax.saxutils import escape, quoteattr

from penstock.cli.differences import lines
from penstock.domain.unit_test import UnitReport, UnitResult, UnitStatus

_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold, however it is written."""


def document(report: UnitReport) -> str:
    """One suite; a case for each test, its class the model."""
    counts = f'tests="{len(report.results)}" failures="{report.failed}" errors="0" skipped="0"'
    head = f'name="penstock" {counts} time="{report.seconds:.3f}"'
    cases = "".join(_case(each) for each in report.results)
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites {head}>\n  <testsuite {head}>\n'
        f"{cases}  </testsuite>\n</testsuites>\n"
    )


def _case(result: UnitResult) -> str:
    about = " ".join(
        f"{name}={quoteattr(_clean(value))}"
        for name, value in (
            ("classname", str(result.model)),
            ("name", result.name),
            ("file", result.location.path),
            ("line", str(result.location.line or 1)),
            ("time", f"{result.seconds:.3f}"),
        )
    )
    if result.status is UnitStatus.PASSED:
        return f"    <testcase {about}/>\n"
    message = quoteattr(_clean(result.mismatches[0].message if result.mismatches else "failed"))
    text = escape(_clean("\n".join(lines(result))))
    return f"    <testcase {about}>\n      <failure message={message}>{text}</failure>\n    </testcase>\n"


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("?", text)

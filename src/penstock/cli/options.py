"""Options that several verbs share, so that they are spelled and explained once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Verb = TypeVar("Verb", bound=Callable[..., Any])

EXIT_CODES = """\b
Exit codes:
  0    all is well            4    disk, lock or database failed
  2    fix the project, SQL   5    ledger and landing disagree
       or command line        70   a bug in Penstock
  3    the data is not as     130  cancelled (Ctrl-C, SIGTERM)
       declared"""


def common(verb: Verb) -> Verb:
    """--project, --env and --json: every verb that works on a project has them."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout, errors included."),
        click.option(
            "--env",
            "environment",
            metavar="NAME",
            envvar="PENSTOCK_ENV",
            help="The environment to work in. Default: $PENSTOCK_ENV, else the project's default_environment.",
        ),
        click.option(
            "--project",
            "where",
            metavar="DIR",
            default=".",
            show_default="here, or the nearest folder above with a penstock.yml",
            type=click.Path(path_type=Path),
            help="The project's folder.",
        ),
    ):
        verb = option(verb)
    return verb


def selection(verb: Verb) -> Verb:
    """--select and --exclude."""
    for option in (
        click.option("--exclude", metavar="SELECTOR", multiple=True, help="Leave these out; repeatable."),
        click.option(
            "--select",
            "-s",
            metavar="SELECTOR",
            multiple=True,
            help="Only these; repeatable. `stg.*`, `tag:hourly`, `+serv.sales_report` (and all it needs), "
            "`raw.orders+` (and all that needs it).",
        ),
    ):
        verb = option(verb)
    return verb


def waiting(default: float) -> Callable[[Verb], Verb]:
    """--wait SECONDS."""

    def add(verb: Verb) -> Verb:
        return click.option(
            "--wait",
            metavar="SECONDS",
            type=click.FloatRange(min=0),
            default=default,
            show_default=True,
            help="How long to wait for another process to let go of the environment.",
        )(verb)

    return add


def quiet(verb: Verb) -> Verb:
    """--quiet: no progress on stderr."""
    return click.option("--quiet", "-q", is_flag=True, help="No progress on stderr; results and errors only.")(verb)


def as_csv(verb: Verb) -> Verb:
    """--csv for verbs that give rows."""
    return click.option("--csv", "as_csv", is_flag=True, help="Rows as CSV on stdout, NULL as an empty field.")(verb)

"""The entry point: parse, call a verb, turn what went wrong into a message and an exit code."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import click

from penstock import __version__
from penstock.cli.output import write
from penstock.cli.verbs import Verbs
from penstock.errors import Cancelled, InternalError, PenstockError, UsageError

HELP = """Layered data pipelines: plain SELECTs in, tables people can trust out.

Penstock copies what your sources hold into a landing, loads it with its history, builds your models layer by layer
and writes your exports. It runs what has changed, and nothing else.

\b
A first project:
  penstock init shop --example shop
  cd shop
  penstock run
  penstock show serv.sales_report

`penstock VERB --help` explains a verb, with examples."""

EPILOG = """\b
Exit codes: 0 ok · 2 project, SQL or command line · 3 data · 4 disk, lock or
database · 5 ledger and landing disagree · 70 a bug · 130 cancelled"""


@click.command(
    cls=Verbs,
    help=HELP,
    epilog=EPILOG,
    subcommand_metavar="VERB [OPTIONS] [ARGUMENTS]",
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, message="penstock %(version)s")
def cli() -> None: ...


def main() -> NoReturn:
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """One call of the command line. Returns the exit code; never raises but for SystemExit."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    as_json = wants_json(arguments)
    try:
        result = cli.main(list(arguments), prog_name="penstock", standalone_mode=False)
        sys.stdout.flush()
    except PenstockError as error:
        from penstock.cli.failure import tell

        return tell(error, as_json=as_json)
    except click.exceptions.NoArgsIsHelpError as error:
        write(error.format_message(), sys.stderr)
        return error.exit_code
    except click.ClickException as error:
        return _usage(error, as_json)
    except (click.Abort, KeyboardInterrupt):
        from penstock.cli.failure import tell

        return tell(Cancelled("cancelled; what was committed stays committed", code="CANCELLED"), as_json=as_json)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    except Exception as error:  # the last fence: whatever gets here is ours to repair
        from penstock.cli.failure import bug, tell

        problem = bug(error, Path(_value_of("--project", arguments) or "."))
        return tell(InternalError(problem.message, code=problem.code, hint=problem.hint), as_json=as_json)
    return result if isinstance(result, int) else 0


def wants_json(arguments: Sequence[str]) -> bool:
    """Asked before the command line is parsed: a command line that does not parse is told in JSON too."""
    return "--json" in _before_dashes(arguments)


def _before_dashes(arguments: Sequence[str]) -> Sequence[str]:
    return arguments[: arguments.index("--")] if "--" in arguments else arguments


def _value_of(option: str, arguments: Sequence[str]) -> str | None:
    for position, argument in enumerate(arguments):
        if argument == option and position + 1 < len(arguments):
            return arguments[position + 1]
        if argument.startswith(option + "="):
            return argument.removeprefix(option + "=")
    return None


def _usage(error: click.ClickException, as_json: bool) -> int:
    from penstock.cli.failure import tell

    context = getattr(error, "ctx", None)
    name = context.command_path if context else "penstock"
    return tell(UsageError(error.format_message(), code="USAGE", hint=f"see `{name} --help`"), as_json=as_json)


if __name__ == "__main__":
    main()

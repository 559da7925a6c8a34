"""`penstock quarantine`: rows that were set apart, looked at, corrected, judged again, discarded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from penstock.cli.encode import plain
from penstock.cli.options import EXIT_CODES, common, quiet, waiting
from penstock.cli.output import Table, cell, count, things, write, write_json, write_table
from penstock.domain.quarantined import Decision


@click.group(
    epilog=EXIT_CODES,
    context_settings={"help_option_names": ["-h", "--help"]},
    subcommand_metavar="list|show|fix|discard|restore|replay|log [OPTIONS] [ARGUMENTS]",
)
def quarantine() -> None:
    """Rows that were set apart because they do not pass: look at them, correct them, judge them again.

    \b
    Examples:
      penstock quarantine list --json
      penstock quarantine show raw.orders
      penstock quarantine fix raw.orders 3f2a --set amount=12.50 --why "typo, checked with the shop"
      penstock quarantine replay raw.orders
    """


def _decided(verb: Any) -> Any:
    """--why and --by."""
    by = click.option("--by", metavar="NAME", help="Who decides; by default the user of the operating system.")
    why = click.option("--why", metavar="TEXT", required=True, help="Why: it is kept with the decision.")
    return why(by(verb))


@quarantine.command("list", epilog=EXIT_CODES)
@click.argument("select", metavar="[SELECTOR]...", nargs=-1)
@waiting(10)
@common
def listed(where: Path, environment: str | None, select: tuple[str, ...], wait: float, as_json: bool) -> int:
    """How many rows of each relation are set apart, and why. A row with two faults is counted at both.

    \b
    Examples:
      penstock quarantine list
      penstock quarantine list source:shop
      penstock quarantine list stg.orders --json
    """
    from penstock.commands.quarantine import quarantine_list

    found = quarantine_list(where, select, environment=environment, wait=wait)
    if as_json:
        write_json({"relations": found})
        return 0
    if not found:
        write("nothing is set apart")
        return 0
    rows = []
    for each in found:
        first, last = _time(each.first_seen), _time(each.last_seen)
        rows += [(str(each.relation), count(r.rows), r.reason, first, last) for r in each.reasons]
        if each.discarded:
            rows.append((str(each.relation), count(each.discarded), "(discarded)", "", ""))
    write_table(Table(("relation", "rows", "reason", "first seen", "last seen"), rows, right=(1,)))
    total = sum(each.rows for each in found)
    write(f"\n{things(total, 'row')} of {things(sum(each.rows > 0 for each in found), 'relation')} set apart")
    return 0


@quarantine.command("show", epilog=EXIT_CODES)
@click.argument("relation", metavar="RELATION")
@click.option("--limit", "-n", type=click.IntRange(min=0), default=20, show_default=True, help="How many rows.")
@click.option("--reason", metavar="TEXT", help="Only rows with a reason that has this text in it.")
@click.option("--discarded", "discarded_too", is_flag=True, help="Also rows that have been discarded.")
@waiting(10)
@common
def show(
    where: Path, environment: str | None, relation: str, limit: int, wait: float, as_json: bool, **asked: Any
) -> int:
    """The rows of a relation that are set apart: id, reasons, and the row as received. Values of pii columns are not
    shown.

    \b
    Examples:
      penstock quarantine show raw.orders
      penstock quarantine show raw.orders --reason amount --limit 100 --json
    """
    from penstock.commands.quarantine import quarantine_show

    found = quarantine_show(where, relation, environment=environment, limit=limit, wait=wait, **asked)
    if as_json:
        write_json({"rows": found})
        return 0
    for each in found:
        seen = f"since {_time(each.first_seen)}" + (f", last {_time(each.last_seen)}" if each.last_seen else "")
        copies = f"  {count(each.copies)} times" if each.copies > 1 else ""
        write(f"{each.id}  {each.batch or f'run {each.run}'}  {seen}{copies}")
        for reason in each.reasons:
            write(f"    - {cell(reason)}")
        if each.discarded:
            write(f"    discarded by {cell(each.discarded.by)}: {cell(each.discarded.why)}")
        write(f"    {_row(each.payload)}")
    if not found:
        write("nothing is set apart")
    return 0


@quarantine.command("fix", epilog=EXIT_CODES)
@click.argument("relation", metavar="RELATION")
@click.argument("row", metavar="ID")
@click.option("--set", "sets", metavar="COLUMN=VALUE", multiple=True, help="A value as the source would send it.")
@click.option("--null", "nulls", metavar="COLUMN", multiple=True, help="Leave this column without a value.")
@_decided
@waiting(0)
@common
def fix(
    *,
    where: Path,
    environment: str | None,
    relation: str,
    row: str,
    sets: tuple[str, ...],
    nulls: tuple[str, ...],
    as_json: bool,
    **decided: Any,
) -> int:
    """Land a correction of one row that is set apart. The next run loads it, or `penstock quarantine replay`.

    The correction is a batch of its own, with who, when and why. It holds as long as the source sends the row as it
    was; as soon as the source says something else of it, that counts. With neither --set nor --null the row is taken as
    it is: of several rows with one key, say which one it is.

    \b
    Examples:
      penstock quarantine fix raw.orders 3f2a --set amount=12.50 --why "typo, checked with the shop"
      penstock quarantine fix raw.orders 3f2a --set status=paid --null remark --why "…" --by "Ada"
    """
    from penstock.commands.quarantine_fix import quarantine_fix

    changes = _changes(sets, nulls)
    found = quarantine_fix(where, relation, row, changes, environment=environment, **decided)
    if as_json:
        write_json(found)
        return 0
    set_to = ", ".join(f"{name} = {cell(value)}" for name, value in found.changed.items()) or "as it is"
    write(f"{found.relation}: corrected {found.row} ({set_to}) in batch {found.batch}")
    write(f"`penstock run`, or `penstock quarantine replay {found.relation}`, loads it")
    return 0


@quarantine.command("discard", epilog=EXIT_CODES)
@click.argument("relation", metavar="RELATION")
@click.argument("rows", metavar="ID...", nargs=-1, required=True)
@_decided
@waiting(0)
@common
def discard(
    where: Path, environment: str | None, relation: str, rows: tuple[str, ...], as_json: bool, **decided: Any
) -> int:
    """Show and count rows no more, also when they are sent or judged again as they are. Nothing is removed.

    \b
    Example:
      penstock quarantine discard raw.orders 3f2a 77b0 --why "test data of the shop"
    """
    from penstock.commands.quarantine_discard import quarantine_discard

    found = quarantine_discard(where, relation, rows, environment=environment, **decided)
    if as_json:
        write_json(found)
    else:
        write(f"{found.relation}: discarded {things(len(found.rows), 'row')}: {', '.join(found.rows)}")
    return 0


@quarantine.command("restore", epilog=EXIT_CODES)
@click.argument("relation", metavar="RELATION")
@click.argument("rows", metavar="ID...", nargs=-1, required=True)
@_decided
@waiting(0)
@common
def restore(
    where: Path, environment: str | None, relation: str, rows: tuple[str, ...], as_json: bool, **decided: Any
) -> int:
    """Undo a discard: show and count rows again. Both decisions stay in the log.

    \b
    Example:
      penstock quarantine restore raw.orders 3f2a --why "it was a real order"
    """
    from penstock.commands.quarantine_discard import quarantine_restore

    found = quarantine_restore(where, relation, rows, environment=environment, **decided)
    if as_json:
        write_json(found)
    else:
        write(f"{found.relation}: restored {things(len(found.rows), 'row')}: {', '.join(found.rows)}")
    return 0


@quarantine.command("replay", epilog=EXIT_CODES)
@click.argument("relation", metavar="[RELATION]", required=False)
@waiting(0)
@quiet
@common
def replay(where: Path, environment: str | None, relation: str | None, wait: float, quiet: bool, as_json: bool) -> int:
    """Judge again what is set apart, where rules, types or code have changed, and load corrections. Sources are not
    asked; what reads these relations follows in the next run.

    \b
    Examples:
      penstock quarantine replay
      penstock quarantine replay raw.orders
    """
    from penstock.cli.progress import watching
    from penstock.cli.report import write_report
    from penstock.commands.quarantine_replay import quarantine_replay

    with watching(quiet) as emit:
        report = quarantine_replay(where, relation, environment=environment, emit=emit, wait=wait)
    return write_report(report, as_json=as_json)


@quarantine.command("log", epilog=EXIT_CODES)
@click.argument("relation", metavar="[RELATION]", required=False)
@click.option("--limit", "-n", type=click.IntRange(min=0), help="Only the last so many.")
@waiting(10)
@common
def log(
    where: Path, environment: str | None, relation: str | None, limit: int | None, wait: float, as_json: bool
) -> int:
    """Every fix, discard and restore: who, when and why; and every row that has left by itself, the oldest first.

    \b
    Examples:
      penstock quarantine log
      penstock quarantine log raw.orders --limit 20 --json
    """
    from penstock.commands.quarantine import quarantine_log

    found = quarantine_log(where, relation, environment=environment, wait=wait)
    found = found if limit is None else found[max(0, len(found) - limit) :]
    if as_json:
        write_json({"decisions": found})
        return 0
    rows = [
        (_time(each.at), each.what, str(each.relation), ", ".join(each.rows), cell(each.by or ""), cell(_why(each)))
        for each in found
    ]
    if rows:
        write_table(Table(("at", "what", "relation", "rows", "by", "why"), rows))
    else:
        write("nothing has been decided yet, and no row has left")
    return 0


def _why(each: Decision) -> str:
    if each.first_seen is None:
        return each.why
    return f"{each.why}; set apart since {_time(each.first_seen)}: {'; '.join(each.reasons)}"


def _changes(sets: Sequence[str], nulls: Sequence[str]) -> dict[str, str | None]:
    changes: dict[str, str | None] = {}
    pairs: list[tuple[str, str | None]] = [(name, None) for name in nulls]
    for each in sets:
        name, equals, value = each.partition("=")
        if not equals or not name:
            raise click.UsageError(f"--set: expected COLUMN=VALUE, found {each!r}")
        pairs.append((name, value))
    for name, given in pairs:
        if name.lower() in map(str.lower, changes):
            raise click.UsageError(f"{name} is set twice")
        changes[name] = given
    return changes


def _row(payload: Mapping[str, Any]) -> str:
    return "  ".join(f"{cell(name)}={cell(plain(value))}" for name, value in payload.items())


def _time(value: datetime | None) -> str:
    return "" if value is None else f"{value:%Y-%m-%d %H:%M:%S}"

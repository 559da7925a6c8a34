"""`penstock contract`: what relations promise, what they promised before, and what a change would break."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from penstock.cli.encode import plain
from penstock.cli.failure import indented
from penstock.cli.options import EXIT_CODES, common
from penstock.cli.output import Table, note, style, things, write, write_json, write_table
from penstock.domain.contract import Contract

if TYPE_CHECKING:  # whoever lists contracts needs no parser
    from penstock.contracts.difference import Difference

COLOURS = {"breaking": "red", "versioned": "yellow", "additive": "green"}


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]},
    subcommand_metavar="list|show|diff [OPTIONS] [ARGUMENTS]",
    epilog=EXIT_CODES,
)
def contract() -> None:
    """What relations promise to those who read them: now, before, and what a change would break.

    \b
    Examples:
      penstock contract list
      penstock contract show serv.sales_report --json
      penstock contract diff --against origin/main
    """


@contract.command("list", epilog=EXIT_CODES)
@common
def listed(*, where: Path, environment: str | None, as_json: bool) -> int:
    """Every contract: version, mode, owner, and whether it is what is published.

    With --json the contracts are complete, and `contract diff --against FILE` takes what is written.

    \b
    Examples:
      penstock contract list
      penstock contract list --json > contracts.json
    """
    from penstock.commands.contract import contract_list
    from penstock.embedded.contracts import encode

    found = contract_list(where, environment=environment)
    if as_json:
        write_json({"contracts": [{**plain(each), "contract": encode(each.contract)} for each in found]})
        return 0
    if not found:
        write("no relation has a contract")
        return 0
    rows = [
        (
            str(each.relation),
            str(each.contract.version),
            each.contract.mode,
            each.contract.compatibility,
            str(len(each.contract.columns)),
            each.state,
            (each.since or "")[:19].replace("T", " "),
            each.contract.deprecated or "",
            each.contract.owner or "",
        )
        for each in found
    ]
    head = ("relation", "version", "mode", "compatibility", "columns", "state", "since", "deprecated", "owner")
    write_table(Table(head, rows, right=(1, 4)))
    return 0


@contract.command("show", epilog=EXIT_CODES)
@click.argument("relation", metavar="RELATION")
@common
def show(*, where: Path, environment: str | None, relation: str, as_json: bool) -> int:
    """The contract of a relation and its history: which version since when, what changed, by which run and revision; of
    a source table also how the columns of its batches changed.

    \b
    Examples:
      penstock contract show serv.sales_report
      penstock contract show raw.orders --json
    """
    from penstock.commands.contract import contract_show
    from penstock.embedded.contracts import encode

    found = contract_show(where, relation, environment=environment)
    if as_json:
        document: dict[str, Any] = plain(found)
        if found.promise is not None:
            document["promise"]["contract"] = encode(found.promise.contract)
        write_json(document)
        return 0
    if found.promise is None:
        write(f"{found.relation} has no contract")
    else:
        write(f"{style(str(found.relation), bold=True)}: {_words(found.promise.contract)}; {found.promise.state}\n")
        rows = [
            (
                each.name,
                each.type.lower(),
                "" if each.nullable else "not null",
                "pii" if each.pii else "",
                each.description,
            )
            for each in found.promise.contract.columns
        ]
        write_table(Table(("column", "type", "null", "pii", "description"), rows))
    if found.history:
        write("\npublished")
        for step in found.history:
            by = f"run {step.run}" + (f", revision {step.revision[:10]}" if step.revision else "")
            write(f"  {step.since[:19].replace('T', ' ')}  version {step.version}  {'; '.join(step.changes)}  ({by})")
    if found.shapes:
        write("\nlanded")
        for shape in found.shapes:
            write(f"  {shape.processing_ts:%Y-%m-%d %H:%M:%S}  {shape.batch}  {'; '.join(shape.changes)}")
    return 0


def _words(of: Contract) -> str:
    told = [f"version {of.version}", of.mode, f"{of.compatibility} compatible"]
    told += [f"key {', '.join(of.key)}"] if of.key else []
    told += [f"owner {of.owner}"] if of.owner else []
    return ", ".join([*told, *([f"deprecated after {of.deprecated}"] if of.deprecated else [])])


@contract.command("diff", epilog=EXIT_CODES)
@click.option(
    "--against",
    metavar="REVISION|DIR|FILE",
    help="A git revision, a folder with a project, or what `contract list --json` wrote. Default: what is published in "
    "the environment.",
)
@common
def diff(*, where: Path, environment: str | None, against: str | None, as_json: bool) -> int:
    """Tell additive changes of contracts from breaking ones, and list the relations and columns below that break.

    Columns of relations without a contract are worked out from their SQL, and told: they promise nothing. Exit code 3
    when a contract breaks without a higher version. Runs nothing and changes nothing.

    \b
    Examples:
      penstock contract diff
      penstock contract diff --against origin/main
      penstock contract diff --against contracts.json --json | jq '.relations[] | select(.verdict == "breaking")'
    """
    from penstock.commands.contract_diff import contract_diff

    found = contract_diff(where, environment=environment, against=against)
    if as_json:
        document: dict[str, Any] = plain(found)
        write_json({**document, "exit_code": found.exit_code})
        return found.exit_code
    for problem in found.problems:
        note(f"{style('error:', sys.stderr, fg='red', bold=True)} {indented(problem).lstrip()}")
    for text in found.notes:
        note(f"note: {text}")
    for each in found.relations:
        _explain(each)
    rest = ", as far as it can be compared" if found.problems else ""
    if not found.relations:
        write(f"no change against {found.against}{rest}")
        return found.exit_code
    breaking = sum(each.verdict == "breaking" for each in found.relations)
    verdict = f"{things(breaking, 'contract')} broken" if breaking else "nothing breaks"
    write(f"{things(len(found.relations), 'relation')} changed against {found.against}: {verdict}{rest}")
    return found.exit_code


def _explain(each: Difference) -> None:
    versions = {(None, each.after): "new", (each.before, None): "gone"}.get((each.before, each.after), "")
    if not versions and each.before and each.after:
        versions = f"version {each.after}" if each.before == each.after else f"version {each.before} → {each.after}"
    what = {"told": "no contract", "versioned": "breaking, with a new version"}.get(each.verdict, each.verdict)
    colour = COLOURS.get(each.verdict)
    write(f"{style(f'{each.relation}: {what}', fg=colour, bold=True)}{f' ({versions})' if versions else ''}")
    told = each.reasons if each.verdict == "breaking" else ()
    for change in each.changes:
        if not any(reason.startswith(change) for reason in told):
            write(f"  {change}")
    for reason in told:
        write(f"  not {each.compatibility} compatible: {reason}")
    for one in each.below:
        write(f"  below: {one.name} reads {', '.join(one.columns)}{'' if one.sure else ' (by its words)'}")
    write("")

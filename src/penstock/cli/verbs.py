"""What the command line can do, and where each verb lives. Help is made from this table, without importing a verb."""

from __future__ import annotations

from importlib import import_module

import click

VERBS: dict[str, tuple[str, str]] = {
    "init": ("penstock.cli.init:init", "Make a new project that runs at once."),
    "validate": ("penstock.cli.validate:validate", "Check the whole project; report every problem with file and line."),
    "test": ("penstock.cli.test:test", "Carry out the unit tests of models, in memory."),
    "plan": ("penstock.cli.plan:plan", "Say what a run would do now, and why. Changes nothing."),
    "run": ("penstock.cli.run:run", "Land, load, build and export what has changed."),
    "land": ("penstock.cli.run:land", "Only copy new source data to the landing; never opens the warehouse."),
    "export": ("penstock.cli.run:export", "Write the exports again from the serving layer."),
    "backfill": ("penstock.cli.backfill:backfill", "Make a range of time of a model anew, partition by partition."),
    "rebuild": ("penstock.cli.run:rebuild", "Make the whole warehouse anew from the landing alone."),
    "drop": ("penstock.cli.drop:drop", "Drop what the project declares no more; alone, list it."),
    "verify": ("penstock.cli.verify:verify", "Recompute relations and compare; name the rows that differ."),
    "check": ("penstock.cli.check:check", "Evaluate checks over what is published; show rows that fail."),
    "contract": ("penstock.cli.contract:contract", "What relations promise; what a change would break."),
    "quarantine": ("penstock.cli.quarantine:quarantine", "Rows set apart: list, show, fix, discard, replay, log."),
    "status": ("penstock.cli.status:status", "Each relation: rows, last commit, age, owner, state."),
    "history": ("penstock.cli.history:history", "The runs so far, or the steps of one run."),
    "report": ("penstock.cli.quality:report", "How the data stands by its checks: scores, failures, trends, a page."),
    "show": ("penstock.cli.rows:show", "The first rows of a relation."),
    "query": ("penstock.cli.rows:query", "Run one read-only SELECT on the warehouse."),
    "schema": ("penstock.cli.schema:schema", "Write JSON Schemas, so that editors complete and check the YAML files."),
}


class Verbs(click.Group):
    """A group whose sub-commands are imported on demand."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        module, _, name = VERBS[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name == "help":
            args = [*args[1:], "--help"]
            if len(args) == 1:
                click.echo(ctx.get_help())
                ctx.exit()
            name = args[0]
        if name not in VERBS and not name.startswith("-"):
            from difflib import get_close_matches

            close = get_close_matches(name, VERBS, n=1)
            hint = f"did you mean `penstock {close[0]}`?" if close else f"the verbs are: {', '.join(VERBS)}"
            raise click.UsageError(f"there is no verb {name!r}; {hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl([(name, text) for name, (_, text) in VERBS.items()])

"""The rules between checks and what else a project declares."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from penstock.checks.compile import kind_of, looks_back
from penstock.checks.kind import TableKind, named
from penstock.domain.check import Check
from penstock.domain.layer import Layer
from penstock.domain.relation import RelationName
from penstock.domain.source import SourceTable
from penstock.domain.strategy import VALIDITY
from penstock.errors import Location
from penstock.graph.order import cycles
from penstock.project.names import BUILT_IN_PARAMETERS
from penstock.project.pieces import CheckPiece, Marked, Mention, ModelPiece
from penstock.project.problems import Problems, did_you_mean

if TYPE_CHECKING:
    from penstock.project.check import Declared

Exists = Callable[[Mention], bool]


def check(declared: Declared, problems: Problems, exists: Exists) -> None:
    """Add what is wrong with checks where they stand. `exists` adds a problem for a relation that does not."""
    rules = _Rules(declared, problems, exists)
    for model in declared.models:
        rules.model(model)
    rules.sources()
    for piece in declared.checks:
        rules.file(piece)
    for marked in declared.marked:
        rules.incident(marked)
    rules.circles()


class _Rules:
    def __init__(self, declared: Declared, problems: Problems, exists: Exists) -> None:
        self.declared, self.problems, self.exists = declared, problems, exists
        self.layers: dict[str, Layer] = {layer.name: layer for layer in declared.config.layers}
        self.models = {model.relation: model for model in declared.models}
        self.tables = {table.relation: table for piece in declared.sources for table in piece.source.tables}

    def materialization(self, model: ModelPiece) -> str:
        chosen = model.materialization or self.layers[model.relation.layer].materialization
        return "rebuild" if model.language == "python" and chosen == "view" else chosen

    def model(self, model: ModelPiece) -> None:
        for each in model.checks:
            with self.problems.of_check(each.location):
                self.columns(each, model)
                self.gate(each, model)
                self.itself(model.relation, each)
                for relation in each.refers:
                    self.read(model.relation, Mention(relation, each.location), f"the check {each.name} of")
        if model.max_quarantined is not None and not any(each.on_fail == "quarantine" for each in model.checks):
            self.problems.add(
                "OPTION_MISPLACED",
                f"{model.relation} says how many rows may be set apart, and no check of it sets any apart",
                model.places.get("quarantine", Location(model.location.path, 1)),
                "write `on_fail: quarantine` at a check, or remove quarantine",
            )

    def columns(self, each: Check, model: ModelPiece) -> None:
        if model.outputs is None:
            return
        added = VALIDITY if self.materialization(model) == "history" else ()
        given = (*model.outputs, *added)
        kind, private = kind_of(each), {name.lower() for name in model.pii} & {name.lower() for name in each.columns}
        if private and isinstance(kind, TableKind) and kind.kept and kind.tells(each):
            self.problems.add(
                "CHECK_OPTION",
                f"{each.kind} of {', '.join(each.columns)} would keep and show values of a column under pii",
                each.location,
                "look at its null_rate, distinct_count or mean",
            )
        for name in named(each):
            if name.lower() not in map(str.lower, given):
                self.problems.add(
                    "UNKNOWN_COLUMN",
                    f"{each.kind} names the column {name!r}, which {model.relation} does not give",
                    each.location,
                    did_you_mean(name, given, f"it gives: {', '.join(given)}"),
                )

    def gate(self, each: Check, model: ModelPiece) -> None:
        """What a relation is decides what can be held back."""
        how = self.materialization(model)
        if how == "view" and each.on_fail != "warn":
            self.problems.add(
                "CHECK_NOT_HERE",
                f"{model.relation} is a view: it shows new rows at once, and {each.name} could not hold them back",
                each.location,
                "write `materialization: auto`, or `on_fail: warn` at the check",
            )
        elif each.on_fail == "quarantine" and how == "history":
            named_here = {name.lower() for name in named(each)}
            for name in VALIDITY:
                if name in named_here:
                    self.problems.add(
                        "CHECK_NOT_HERE",
                        f"{each.name} names {name}, which {model.relation} adds to the versions of rows that pass: "
                        "a row is set apart before it has any",
                        each.location,
                        "write `on_fail: fail` or `warn`, or name columns of the SELECT",
                    )

    def read(self, relation: RelationName, mention: Mention, what: str) -> None:
        """A relation that a check looks at is there, in a layer that its own may read."""
        if mention.relation == relation or not self.exists(mention):
            return
        layer, target = self.layers[relation.layer], mention.relation
        if target.layer in layer.reads:
            return
        order = list(self.layers)
        later = order.index(target.layer) > order.index(layer.name)
        why = "which comes later" if later else "which this layer does not read"
        self.problems.add(
            "LAYER_RULE",
            f"{what} {relation} looks at {target} of the layer {target.layer!r}, {why}",
            mention.location,
            f"checks in {layer.name!r} may look at: {', '.join(layer.reads)}; put the check at {target}",
        )

    def sources(self) -> None:
        for table in self.tables.values():
            for each in table.checks:
                others = [name for name in each.refers if name not in (table.relation, table.stored)]
                with self.problems.of_check(each.location):
                    if others:
                        self.alone(table.relation, each.name, others[0], each.location)
                    self.itself(table.relation, each)

    def itself(self, relation: RelationName, each: Check) -> None:
        if each.options.get("same_as") == str(relation) and each.where is None:
            what = f"{each.kind}: {relation} always has as many rows as {relation}"
            self.problems.add("CHECK_OPTION", what, each.location, "name the relation that it is compared with")

    def alone(self, relation: RelationName, name: str, other: RelationName, place: Location) -> None:
        self.problems.add(
            "CHECK_NOT_HERE",
            f"{name} of the source table {relation} looks at {other}, and source tables are loaded in any order",
            place,
            f"put the check at a model that reads {relation}",
        )

    def file(self, piece: CheckPiece) -> None:
        """A check of checks/*.sql belongs to a model or a source table."""
        relation, own = piece.of.relation, piece.check
        self.name(piece)
        known = [*self.declared.config.variables, *BUILT_IN_PARAMETERS]
        for name, place in piece.parameters.items():
            if name not in known:
                hint = did_you_mean(name, known, f"there is {', '.join(map('${}'.format, known))}")
                self.problems.add("UNKNOWN_PARAMETER", f"the parameter ${name} is not declared", place, hint)
        if relation in self.models:
            self.gate(own, self.models[relation])
            for mention in piece.mentions:
                self.read(relation, mention, f"the check {own.name} of")
        elif relation in self.tables:
            allowed = {relation, self.tables[relation].stored}
            for mention in piece.mentions:
                if mention.relation not in allowed and self.exists(mention):
                    self.alone(relation, own.name, mention.relation, mention.location)
        elif self.exists(piece.of) and relation not in self.declared.unread:
            self.problems.add(
                "UNKNOWN_RELATION",
                f"{relation} is the history of a source table: checks belong to the table itself",
                piece.of.location,
                f"write `relation: {str(relation).removesuffix('_history')}`; the SELECT may read the history",
            )

    def name(self, piece: CheckPiece) -> None:
        """No other check of its relation is called like it: what is told and remembered of them goes by their names."""
        relation, own = piece.of.relation, piece.check
        owner: ModelPiece | SourceTable | None = self.models.get(relation) or self.tables.get(relation)
        files = [each.check for each in self.declared.checks if each.of.relation == relation and each is not piece]
        for other in (*(owner.checks if owner else ()), *files):
            if other.name == own.name and str(other.location) < str(own.location):
                self.problems.add(
                    "CHECK_OPTION",
                    f"two checks of {relation} are called {own.name!r} (the other: {other.location})",
                    own.location,
                    "rename the file, or give the other one a `name:`",
                )

    def incident(self, marked: Marked) -> None:
        """There is a check that looks back, and so can leave it out."""
        relation, place = marked.of.relation, marked.of.location
        if not self.exists(marked.of) or relation in self.declared.unread:
            return
        owner: ModelPiece | SourceTable | None = self.models.get(relation) or self.tables.get(relation)
        names = [each.name for each in owner.checks if looks_back(each)] if owner else []
        if not names or (marked.check is not None and marked.check not in names):
            wanted = f"no check {marked.check!r} that is" if marked.check and names else "no check that is"
            self.problems.add(
                "CHECK_OPTION",
                f"an incident is marked for {relation}, which has {wanted} judged by its history",
                place,
                did_you_mean(marked.check or "", names, f"checks that are: {', '.join(names) or 'none'}"),
            )

    def circles(self) -> None:
        """What checks look at must be there before, without waiting for one another."""
        reads = {name: [m.relation for m in model.mentions] for name, model in self.models.items()}
        if any(True for _ in cycles(sorted(reads), reads)):
            return  # told already
        looks = {name: [*reads[name], *(other for other, _ in self.looks(name))] for name in reads}
        for circle in cycles(sorted(looks), looks):
            place = next(
                (place for one, two in pairwise(circle) for o, place in self.looks(one) if o == two),
                None,
            )
            path = " → ".join(map(str, circle))
            hint = "put the check at the one of them that is made last"
            with self.problems.of_check(place or Location("")):
                said = f"a check looks at what is made from its relation: {path}"
                self.problems.add("CYCLE", said, place, hint)

    def looks(self, relation: RelationName) -> Iterator[tuple[RelationName, Location]]:
        files: Sequence[Check] = [piece.check for piece in self.declared.checks if piece.of.relation == relation]
        for each in (*self.models[relation].checks, *files):
            yield from ((other, each.location) for other in each.refers if other in self.models and other != relation)

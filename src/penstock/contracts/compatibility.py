"""Two contracts compared: what changed, and for whom that breaks something.

Directions are those of schema registries (Confluent, "Schema Evolution and Compatibility"): *backward*: whoever reads
by the new contract can read what was written by the old one; *forward*: whoever reads by the old one can read what is
written by the new one; *full*: both. A column is readable as in Avro's schema resolution: by name, its type read by
promotion; one that was not written has its default.

Two rules are those of tables rather than of messages. Rows from before a column was added have NULL in it, so a
column that may be NULL needs no default to read old rows; but SQL that names a column which is gone fails, whether it
was nullable or not. And a key is a promise: rows that are unique in some columns are so in more of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from penstock.domain.column_type import TypeUnknown, parse, refused
from penstock.domain.contract import Compatibility, Contract, ContractColumn
from penstock.record import record

What = Literal["added", "removed", "type", "nullable", "not_null", "key", "pii", "default"]


@record
class Change:
    """One difference between two contracts. `column` is empty for the key. `backward` and `forward` say why it breaks
    a reader in that direction; empty when it does not."""

    what: What
    column: str
    message: str
    backward: str = ""
    forward: str = ""

    def breaks(self, mode: Compatibility) -> str:
        """Why this change is breaking under `mode`; empty when it is additive."""
        return {"backward": self.backward, "forward": self.forward, "full": self.forward or self.backward}[mode]


@record
class Verdict:
    """`additive` also when nothing changed at all. `reasons`: why it is not."""

    changes: tuple[Change, ...]
    reasons: tuple[str, ...]

    @property
    def additive(self) -> bool:
        return not self.reasons


def verdict(old: Contract, new: Contract, mode: Compatibility) -> Verdict:
    """What changed from `old` to `new`, and why that breaks what `mode` promises, if it does."""
    changes = compare(old, new)
    return Verdict(changes, tuple(why for change in changes if (why := change.breaks(mode))))


def compare(old: Contract, new: Contract) -> tuple[Change, ...]:
    """Every difference, in the order of the columns; names are told apart without regard to case."""
    before = {each.name.lower(): each for each in old.columns}
    after = {each.name.lower(): each for each in new.columns}
    found: list[Change] = []
    for name, column in before.items():
        if name in after:
            found += _changed(column, after[name])
        else:
            found.append(_removed(column, [each for key, each in after.items() if key not in before]))
    found += [_added(column) for name, column in after.items() if name not in before]
    found += _key(old.key, new.key)
    return tuple(found)


def _removed(column: ContractColumn, added: Sequence[ContractColumn]) -> Change:
    same = [each.name for each in added if each.type == column.type]
    renamed = f" (renamed to {same[0]}?)" if len(same) == 1 else ""
    message = f"{column.name} is gone{renamed}"
    forward = "" if column.default is not None else f"{message}, and has no default for those who read it"
    return Change("removed", column.name, message, forward=forward)


def _added(column: ContractColumn) -> Change:
    message = f"{column.name} {column.type.lower()} is new"
    filled = column.nullable or column.default is not None
    return Change(
        "added", column.name, message, backward="" if filled else f"{message}: older rows have no value for it"
    )


def _changed(old: ContractColumn, new: ContractColumn) -> list[Change]:
    found: list[Change] = []
    if old.type != new.type:
        message = f"{new.name}: {old.type.lower()} has become {new.type.lower()}"
        backward, forward = _refused(old.type, new.type), _refused(new.type, old.type)
        found.append(
            Change(
                "type",
                new.name,
                message,
                backward and f"{message}: what was written before may not be read: {backward}",
                forward and f"{message}: who reads by the older contract may not read it: {forward}",
            )
        )
    if old.nullable and not new.nullable:
        message = f"{new.name} may no longer be NULL"
        found.append(Change("not_null", new.name, message, backward=f"{message}: older rows may have NULL"))
    if new.nullable and not old.nullable:
        message = f"{new.name} may be NULL"
        found.append(Change("nullable", new.name, message, forward=f"{message}, which its readers do not expect"))
    if old.pii != new.pii:
        message = f"{new.name} is {'now' if new.pii else 'no longer'} marked as personal data"
        found.append(Change("pii", new.name, message))
    if old.default != new.default:
        found.append(Change("default", new.name, f"{new.name} has another default"))
    return found


def _refused(written: str, read: str) -> str:
    """Types that nobody knows here can be read as themselves only."""
    try:
        return refused(parse(written), parse(read))
    except TypeUnknown:
        return "" if written == read else f"{written} does not read as {read}"


def _key(old: tuple[str, ...], new: tuple[str, ...]) -> list[Change]:
    before, after = {name.lower() for name in old}, {name.lower() for name in new}
    if before == after:
        return []
    message = f"the key ({', '.join(old) or 'none'}) has become ({', '.join(new) or 'none'})"
    return [
        Change(
            "key",
            "",
            message,
            backward=_not_unique(before, after, message),
            forward=_not_unique(after, before, message),
        )
    ]


def _not_unique(written: set[str], read: set[str], message: str) -> str:
    """Rows with the key `written` are unique in the columns `read` if these have all of it."""
    if not read or (written and written <= read):
        return ""
    return f"{message}: rows need not be unique in ({', '.join(sorted(read))})"

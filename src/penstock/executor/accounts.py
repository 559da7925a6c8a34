"""Where the rows of a model went: rows in = published + quarantined + filtered by its SQL."""

from __future__ import annotations

from penstock.domain.plan import BuildStep
from penstock.domain.quarantine import is_split
from penstock.ports import Session
from penstock.quoting import qualified


def accounts(step: BuildStep, session: Session, *, published: int, quarantined: int) -> dict[str, int]:
    """The sums of the whole relation, also where only changes were followed: `returned` by its SELECT = `published` +
    `quarantined`; and where each row comes from one row of one relation, `rows_in` = `returned` + `filtered`. Where SQL
    groups or joins there is no such relation: `rows_in` = `returned`, and nothing is said of `filtered`. Of a relation
    that keeps rows which its SELECT gives no more only `quarantined` is said, where rows are set apart. Asked in the
    transaction that changes it."""
    if not step.holds_select:
        return {"quarantined": quarantined} if is_split(step.model) else {}
    returned = published + quarantined
    found = {"returned": returned, "published": published, "quarantined": quarantined}
    source = step.drives
    if source is not None:
        read: int = session.query(f"SELECT count(*) FROM {qualified(source.layer, source.name)}").rows[0][0]
        return {"rows_in": read, **found, "filtered": read - returned}
    return {"rows_in": returned, **found}

"""Values as JSON, for whatever a verb gives with --json."""

from penstock.domain.encode import document, moment, plain

__all__ = ["document", "moment", "plain"]

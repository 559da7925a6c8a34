"""Checks: one kind per file, each a condition on rows, some aggregates, or a SELECT of rows that fail. Pure."""

"""Penstock: layered data pipelines with gates."""

__version__ = "0.1.0"

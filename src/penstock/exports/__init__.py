"""Exports: relations of the serving layer as files other programs read.

One file per format, each with a `PLUGIN` that implements ports.Exporter; `publish` puts what they write in its place.
"""

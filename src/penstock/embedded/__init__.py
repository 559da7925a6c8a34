"""The embedded DuckDB: the one factory that opens a connection, and the one table that reads its errors.

The warehouse engine, the file reader and the exporters all use it, each with its own folders allowed.
"""

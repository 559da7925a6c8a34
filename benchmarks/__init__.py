"""How fast Penstock is, as ratios against DuckDB alone on the same machine at the same time."""

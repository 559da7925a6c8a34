"""How relations are made: (what is declared, what is there) → SQL statements. Pure: nothing here runs anything."""

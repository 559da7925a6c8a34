"""Unit tests of models, carried out by the code that builds and maintains them, in a database in memory."""

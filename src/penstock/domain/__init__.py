"""The nouns of Penstock: frozen dataclasses, standard library only, one noun per file."""

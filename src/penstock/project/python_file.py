"""A Python file of a project: its tree and its front matter. It is read as text and never imported."""

from __future__ import annotations

import ast

from penstock.errors import Location
from penstock.project.front_matter import of_docstring
from penstock.project.problems import Problems
from penstock.project.yaml import Document
from penstock.record import record


@record
class PythonFile:
    """`docstring` as it is written, quotes and all; empty without one. `matter`: None when it holds none."""

    tree: ast.Module
    docstring: str
    matter: Document | None


def python_file(text: str, path: str, problems: Problems) -> PythonFile | None:
    """None, and a problem, when it does not parse. Raises ProjectError for front matter that is not YAML."""
    try:
        tree = ast.parse(text, filename=path)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        place = Location(path, getattr(error, "lineno", None) or 1, getattr(error, "offset", None))
        message = getattr(error, "msg", None) or str(error)
        problems.add("PYTHON_PARSE", f"the Python does not parse: {message}", place, "correct the syntax")
        return None
    head = tree.body[0] if tree.body else None
    if not (isinstance(head, ast.Expr) and isinstance(head.value, ast.Constant)):
        return PythonFile(tree, "", None)
    docstring = ast.get_source_segment(text, head) or ""
    return PythonFile(tree, docstring, of_docstring(docstring, path, head.lineno))

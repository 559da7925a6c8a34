"""checks/*.py → CheckPiece. The file is read as text and never imported: planning runs no user code."""

from __future__ import annotations

import ast
from hashlib import sha256

from penstock.domain.check import Check
from penstock.domain.relation import RelationName
from penstock.errors import Location
from penstock.project.check_schema import PythonCheckFile
from penstock.project.pieces import CheckPiece, Mention
from penstock.project.problems import Problems
from penstock.project.python_file import python_file
from penstock.project.tolerances import tolerance
from penstock.project.validation import validate

FUNCTION = "check"


def python_check(text: str, path: str, problems: Problems) -> CheckPiece | None:
    """What one Python file declares; None when it cannot be read. What is wrong goes to `problems`.

    Raises ProjectError for front matter that is not YAML.
    """
    file = python_file(text, path, problems)
    if file is None:
        return None
    document = file.matter
    if document is None:
        problems.add(
            "FRONT_MATTER",
            "a check in Python needs front matter in its docstring, between two lines `---`",
            Location(path, 1),
            "begin the file with a docstring that says `relation: layer.name`",
        )
        return None
    spec = validate(PythonCheckFile, document.value, document, (), problems)
    function = next(
        (node for node in file.tree.body if isinstance(node, ast.FunctionDef) and node.name == FUNCTION), None
    )
    if function is None:
        problems.add(
            "PYTHON_CHECK",
            f"expected a function `def {FUNCTION}(...)` at the top of the module, found none",
            Location(path, 1),
            f"define `def {FUNCTION}(rows)`: it takes the relation's rows as Arrow and returns those that fail",
        )
    if spec is None or function is None:
        return None
    _arity(function, 1 + len(spec.reads), path, problems)
    mentions = tuple(
        Mention(RelationName.parse(each), document.at("reads", index)) for index, each in enumerate(spec.reads)
    )
    check = Check(
        name=path.rsplit("/", 1)[-1].removesuffix(".py"),
        kind="python",
        location=Location(path, function.lineno),
        columns=tuple(spec.key),
        on_fail=spec.on_fail,
        tolerance=tolerance(spec.max_failures),
        dimension=spec.dimension or "consistency",
        description=spec.description,
        options={"code": sha256(text.encode()).hexdigest()},
        refers=tuple(mention.relation for mention in mentions),
        line=function.lineno,
    )
    return CheckPiece(check, Mention(RelationName.parse(spec.relation), document.at("relation")), mentions)


def _arity(function: ast.FunctionDef, inputs: int, path: str, problems: Problems) -> None:
    """It must be callable with the rows of the relation and of each in reads, in this order."""
    arguments = function.args
    positional = len(arguments.posonlyargs) + len(arguments.args)
    required = positional - len(arguments.defaults)
    needed = any(default is None for default in arguments.kw_defaults)
    if needed or inputs < required or (inputs > positional and not arguments.vararg):
        problems.add(
            "PYTHON_CHECK",
            f"{FUNCTION}() takes {positional} input{'s' if positional != 1 else ''}, and is called with {inputs}",
            Location(path, function.lineno, function.col_offset + 1),
            "let it take the rows of the relation, and of each relation in reads, in that order",
        )

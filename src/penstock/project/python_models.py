"""models/<layer>/<name>.py → ModelPiece. The file is read as text and never imported: planning runs no user code."""

from __future__ import annotations

import ast

from penstock.domain.relation import RelationName
from penstock.errors import Location
from penstock.project.checks import NONE, Macros, checks
from penstock.project.contracts import of_model as contract_of
from penstock.project.models import places
from penstock.project.pieces import Mention, ModelPiece
from penstock.project.problems import Problems
from penstock.project.python_file import PythonFile, python_file
from penstock.project.schema import PythonFrontMatter
from penstock.project.strategies import of_python
from penstock.project.tolerances import tolerance
from penstock.project.validation import validate
from penstock.project.yaml import Document
from penstock.sql.tokens import fingerprint

FUNCTION = "model"


def python_model(
    text: str, path: str, relation: RelationName, problems: Problems, macros: Macros = NONE
) -> ModelPiece | None:
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
            "a Python model needs front matter in its docstring, between two lines `---`",
            Location(path, 1),
            "begin the file with a docstring that says `columns: [...]` and `reads: [...]`",
        )
    function = _function(file.tree, path, problems)
    spec = validate(PythonFrontMatter, document.value, document, (), problems) if document else None
    if document is None or spec is None or function is None:
        return None
    _arity(function, len(spec.reads), path, problems)
    return ModelPiece(
        relation=relation,
        language="python",
        location=Location(path, function.lineno),
        definition=fingerprint(["python", _code(file, text), *spec.reads]),
        line=function.lineno,
        mentions=_mentions(spec.reads, document),
        outputs=tuple(spec.columns),
        materialization=spec.materialization,
        key=tuple(spec.key),
        columns=tuple(spec.columns),
        owner=spec.owner,
        tags=tuple(spec.tags),
        description=spec.description,
        places=places(document),
        strategy=of_python(spec, document, problems),
        checks=checks(spec.checks, document, ("checks",), problems, macros),
        pii=tuple(spec.pii),
        contract=contract_of(spec, document, problems),
        max_quarantined=tolerance(spec.quarantine.max) if spec.quarantine else None,
        publish_group=spec.publish_group,
    )


def _code(file: PythonFile, text: str) -> str:
    """The program without front matter, comments and layout: these make no other model."""
    body = file.tree.body[1:] if file.docstring else file.tree.body
    try:
        return ast.unparse(ast.Module(body=body, type_ignores=[]))
    except RecursionError:
        return text.replace(file.docstring, "", 1)


def _mentions(reads: list[str], document: Document) -> tuple[Mention, ...]:
    return tuple(Mention(RelationName.parse(each), document.at("reads", index)) for index, each in enumerate(reads))


def _function(tree: ast.Module, path: str, problems: Problems) -> ast.FunctionDef | None:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == FUNCTION:
            return node
    wrong = next((node for node in tree.body if getattr(node, "name", "") == FUNCTION), None)
    found = "found it as something else" if wrong else "found none"
    problems.add(
        "PYTHON_MODEL",
        f"expected a function `def {FUNCTION}(...)` at the top of the module, {found}",
        Location(path, getattr(wrong, "lineno", 1)),
        f"define `def {FUNCTION}(...)`: it takes one Arrow stream for each relation in reads and returns one",
    )
    return None


def _arity(function: ast.FunctionDef, reads: int, path: str, problems: Problems) -> None:
    """The function must be callable with the inputs in the order of reads, or all of them by name."""
    arguments = function.args
    positional = [*arguments.posonlyargs, *arguments.args]
    named = len(positional) + len(arguments.kwonlyargs)
    required = named - len(arguments.defaults) - sum(default is not None for default in arguments.kw_defaults)
    most = None if arguments.vararg or arguments.kwarg else named
    if required <= reads and (most is None or reads <= most):
        return
    problems.add(
        "PYTHON_MODEL",
        f"{FUNCTION}() takes {named} input{'s' if named != 1 else ''}, and the front matter's reads has {reads}",
        Location(path, function.lineno, function.col_offset + 1),
        "let the function take one parameter for each relation in reads, in that order",
    )

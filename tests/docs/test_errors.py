"""docs/errors.md has every code that the source can raise, and no other."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from penstock import errors

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "penstock"
CODE = re.compile(r"[A-Z][A-Z0-9_]{2,}")
ERRORS = {
    name: kind.exit_code for name, kind in vars(errors).items() if isinstance(kind, type) and hasattr(kind, "exit_code")
}
DIRECT = {*ERRORS, "Problem", "PydanticCustomError"}


class Codes:
    """Every error code that the source names, and where: `DataError(…, code="X")`, `Problem("X", …)`, and what is given
    to a function that hands its parameter `code` on. A code that cannot be followed is a failure, not a gap."""

    def __init__(self, files: dict[str, str]) -> None:
        self.found: dict[str, str] = {}
        self.exits: dict[str, set[int]] = {}
        self.lost: list[str] = []
        trees = {name: ast.parse(text) for name, text in files.items()}
        public = {
            name: least for tree in trees.values() for name, least in relays(tree).items() if not name.startswith("_")
        }
        for file, tree in trees.items():
            constants = dict(assigned(tree))
            takers = {**public, **relays(tree)}
            for node in ast.walk(tree):
                where = f"{file}:{getattr(node, 'lineno', 0)}"
                if isinstance(node, ast.FunctionDef):
                    self._note(defaults(node), "", where, constants)
                elif isinstance(node, ast.Call):
                    name = called(node)
                    explicit = [keyword.value for keyword in node.keywords if keyword.arg == "code"]
                    if not explicit and name in {"Problem", "PydanticCustomError"}:
                        explicit = node.args[:1]
                    known = (
                        self._note(explicit or node.args, name, where, constants) if name in DIRECT | set(takers) else 1
                    )
                    least = takers.get(name, 0 if explicit else 99)
                    if not known and len(node.args) + len(node.keywords) >= least:
                        self.lost.append(f"{where}: {ast.unparse(node)}")

    def _note(self, values: list[ast.expr], by: str, where: str, constants: dict[str, ast.expr]) -> int:
        """Note the codes among `values`. Gives how many there were, those handed on counted too."""
        known = 0
        for value in values:
            match value:
                case ast.IfExp():
                    known += self._note([value.body, value.orelse], by, where, constants)
                case ast.Constant(value=str(code)) if CODE.fullmatch(code):
                    known += 1
                    self.found.setdefault(code, where)
                    if by in ERRORS:
                        self.exits.setdefault(code, set()).add(ERRORS[by])
                case ast.Name(id=name) if name in constants:
                    known += self._note([constants[name]], by, where, constants)
                case ast.Name(id="code") | ast.Attribute(attr="code"):
                    known += 1  # it is noted where it comes from
        return known


def called(node: ast.Call) -> str:
    return getattr(node.func, "id", getattr(node.func, "attr", ""))


def relays(tree: ast.Module) -> dict[str, int]:
    """Functions, and classes whose `__init__`, has a parameter `code`: with how many arguments a call has to give one,
    99 where it has a default or the name has another meaning in the file too."""
    owners = {part: node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef) for part in node.body}
    found: dict[str, list[int]] = {}
    relay = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            names = [argument.arg for argument in (*node.args.args, *node.args.kwonlyargs) if argument.arg != "self"]
            name = owners[node] if node.name == "__init__" else node.name
            optional = len(node.args.defaults) + sum(value is not None for value in node.args.kw_defaults)
            takes = "code" in names and not defaults(node)
            found.setdefault(name, []).append(len(names) - optional if takes else 99)
            relay |= {name} if "code" in names else set()
    return {name: max(found[name]) for name in relay}


def defaults(node: ast.FunctionDef) -> list[ast.expr]:
    """What a parameter `code` is when nothing is given."""
    with_default = node.args.args[len(node.args.args) - len(node.args.defaults) :]
    pairs = [
        *zip(with_default, node.args.defaults, strict=True),
        *zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True),
    ]
    return [value for argument, value in pairs if argument.arg == "code" and value is not None]


def assigned(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    """`UNKNOWN = "COMMIT_UNKNOWN"` at the top of a file."""
    for node in tree.body:
        if (
            isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and isinstance(node.value, ast.Constant)
        ):
            yield node.targets[0].id, node.value


def source() -> Codes:
    return Codes({str(path.relative_to(ROOT)): path.read_text() for path in sorted(SOURCE.rglob("*.py"))})


def documented() -> list[tuple[str, int, str, str]]:
    """(code, exit code, meaning, what to do), row by row."""
    lines = (ROOT / "docs" / "errors.md").read_text().splitlines()
    table = lines[lines.index("|---|---|---|---|") + 1 :]
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table if line]
    assert all(len(row) == 4 for row in rows), [row for row in rows if len(row) != 4]
    return [(code, int(number), meaning, todo) for code, number, meaning, todo in rows]


def test_every_error_code_has_a_row_and_every_row_a_code() -> None:
    codes = source()
    assert not codes.lost, "codes that cannot be followed to where they come from"
    rows = [row[0] for row in documented()]
    assert rows == sorted(set(rows)), "sorted, and each of them once"
    assert not {code: where for code, where in codes.found.items() if code not in rows}, "without a row"
    assert not set(rows) - set(codes.found), "nobody raises these any more"


def test_the_rows_say_what_to_do_and_the_exit_code_that_is_given() -> None:
    codes = source()
    for code, number, meaning, todo in documented():
        assert re.search(r"\w+", meaning) and re.search(r"\w+", todo), code
        assert number in {kind.exit_code for kind in vars(errors).values() if hasattr(kind, "exit_code")}, code
        if code in codes.exits:
            assert codes.exits[code] == {number}, f"{code}: {codes.found[code]}"


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ('raise DataError("m", code="AN_A")', {"AN_A"}),
        ('problems.append(Problem("AN_A", "m", Location("a")))', {"AN_A"}),
        ('raise errors.UserError(f"m", code="AN_A" if x else "A_B")', {"AN_A", "A_B"}),
        ('A_C = "AN_A"\nraise UserError("m", code=A_C)', {"AN_A"}),
        ('def _told(message, code): return DataError(message, code=code)\nraise _told("m", "AN_A")', {"AN_A"}),
        ('class A:\n def add(self, code, m): self.x.append(Problem(code, m))\nA().add("AN_A", "m")', {"AN_A"}),
        ('def _told(*, code): raise DataError("m", code=code)\n_told(code="AN_A")', {"AN_A"}),
        ('class Bad(Exception):\n def __init__(self, at, code="AN_A"): pass\nBad(1, "A_B")', {"AN_A", "A_B"}),
        ('log("AN_A", "m")', set()),
    ],
)
def test_a_code_is_found_however_it_is_given(text: str, codes: set[str]) -> None:
    found = Codes({"a.py": text})
    assert (set(found.found), found.lost) == (codes, [])


def test_a_code_that_is_made_up_at_run_time_is_refused() -> None:
    assert Codes({"a.py": 'raise DataError("m", code=prefix + "_A")'}).lost
    assert Codes({"a.py": "def add(code, m): Problem(code, m)\nadd(made_up(), 'm')"}).lost

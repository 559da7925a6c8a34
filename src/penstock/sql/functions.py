"""Project functions: macros in `functions/*.sql`, expanded in the text of models.

A call is replaced by the function's expression in parentheses, each parameter by its argument in parentheses. That is
done in the text, so that everything else stays as it was written and each line keeps its number; SQLGlot only tells
which words are calls and which are parameters.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from penstock.errors import Location, Problem, ProjectError, UserError
from penstock.record import record
from penstock.sql.tokens import Kind, Token, canonical, fingerprint, position, significant, tokens

if TYPE_CHECKING:
    from sqlglot import exp

_OPENING, _CLOSING = "([{", ")]}"


@record
class Macro:
    """A function: its parameters, and its expression on one line without comments. `slots` are
    the (offset, length, parameter index) of each use of a parameter in `body`."""

    name: str
    parameters: tuple[str, ...]
    body: str
    location: Location
    slots: tuple[tuple[int, int, int], ...] = ()


@record
class Expanded:
    """`sql` with every call replaced and its lines where they were. `fingerprint` is the expanded text's."""

    sql: str
    fingerprint: str


@record
class _Call:
    macro: str
    start: int
    end: int
    arguments: tuple[tuple[int, int], ...]
    nested: list[_Call] = field(default_factory=list)


def flat(text: str) -> str:
    """`text` on one line, without comments."""
    parts: list[str] = []
    for token in tokens(text):
        blank = token.kind in (Kind.SPACE, Kind.COMMENT)
        if not blank:
            parts.append(token.text)
        elif parts and parts[-1] != " ":
            parts.append(" ")
    return "".join(parts).strip()


def macros(text: str, path: str) -> tuple[Macro, ...]:
    """The functions that one file defines. Raises ProjectError with everything that is wrong in it."""
    found: list[Macro] = []
    problems: list[Problem] = []
    statement: list[Token] = []
    for token in [*significant(text), Token(Kind.PUNCTUATION, ";", len(text))]:
        if token.text != ";":
            statement.append(token)
            continue
        if statement:
            try:
                found.append(_macro(text, statement, path))
            except UserError as error:
                problems.extend(error.problems)
        statement = []
    if problems:
        raise ProjectError(problems)
    return tuple(found)


def _macro(text: str, found: Sequence[Token], path: str) -> Macro:
    """CREATE [OR REPLACE] MACRO|FUNCTION name(a, b) AS expression"""

    def wrong(message: str, token: Token, hint: str = "write CREATE MACRO name(a, b) AS (expression);") -> UserError:
        place = Location(path, *position(text, token.start))
        return UserError(message, code="FUNCTION_SYNTAX", location=place, hint=hint)

    words = [token.text.lower() for token in found]
    at = 1
    if words[1:3] == ["or", "replace"]:
        at = 3
    if words[0] != "create" or words[at : at + 1] not in (["macro"], ["function"]):
        raise wrong(f"expected CREATE MACRO, found {found[0].text}", found[0])
    at += 1
    if len(found) < at + 4 or found[at].kind is not Kind.WORD or words[at + 1] != "(" or ")" not in words[at:]:
        raise wrong("expected a name and its parameters in parentheses", found[min(at, len(found) - 1)])
    name, close = words[at], words.index(")", at)
    inside = found[at + 2 : close]
    names, commas = inside[::2], inside[1::2]
    if inside and (
        len(inside) % 2 == 0
        or any(token.kind is not Kind.WORD for token in names)
        or any(token.text != "," for token in commas)
    ):
        raise wrong("expected plain parameter names with commas between them", inside[0], "write name(a, b)")
    parameters = tuple(token.text.lower() for token in names)
    if len(set(parameters)) < len(parameters):
        raise wrong(f"{name}() has two parameters of one name", inside[0], "give each its own name")
    if words[close + 1 : close + 2] != ["as"] or len(found) == close + 2:
        raise wrong("expected AS and an expression after the parameters", found[close])
    if words[close + 2] == "table":
        raise wrong(
            f"{name}() is a table macro", found[close + 2], "make a model of it: models are how tables are shared"
        )
    body = flat(text[found[close + 2].start : found[-1].end])
    place = Location(path, *position(text, found[at].start))
    return _with_slots(Macro(name, parameters, body, place))


def _with_slots(macro: Macro) -> Macro:
    """The macro with the places of its parameters found. Raises UserError when its expression cannot be used."""
    from penstock.sql.parse import parse

    def wrong(message: str, hint: str, code: str = "FUNCTION_SYNTAX") -> UserError:
        return UserError(message, code=code, location=macro.location, hint=hint)

    from sqlglot import exp

    lead = "SELECT "
    try:
        taken = not isinstance(parse(f"{lead}{macro.name}()").selects[0], exp.Anonymous)
    except UserError:
        taken = True
    if taken:
        raise wrong(f"{macro.name}() is a function of SQL itself", "choose another name", "FUNCTION_NAME")
    try:
        tree = parse(lead + macro.body)
    except UserError as error:
        raise wrong(
            f"the expression of {macro.name}() does not parse: {error.problem.message}", "correct the expression"
        ) from None
    if len(tree.selects) != 1 or isinstance(tree.selects[0], exp.Alias) or tree.args.get("from_"):
        raise wrong(f"expected one expression after AS in {macro.name}()", "write AS (expression);")
    uses: list[tuple[int, int, int]] = []
    words = {token.start: token for token in significant(macro.body)}
    for column in tree.find_all(exp.Column):
        first = column.parts[0]
        word = words.get(int(first.meta.get("start", -1)) - len(lead))
        if word is not None and first.name.lower() in macro.parameters:
            uses.append((word.start, len(word.text), macro.parameters.index(first.name.lower())))
    known = {offset for offset, _, _ in uses}
    previous = ""
    for token in words.values():
        unclear = token.kind is Kind.WORD and token.text.lower() in macro.parameters and previous != "."
        if unclear and token.start not in known:
            raise wrong(
                f"{token.text!r} in {macro.name}() is a parameter, used where a value cannot stand",
                "give the parameter another name",
            )
        previous = token.text
    return replace(macro, slots=tuple(sorted(uses)))


def resolved(found: Iterable[Macro]) -> dict[str, Macro]:
    """Functions by name, the calls between them expanded. Raises ProjectError: FUNCTION_DUPLICATE, FUNCTION_CYCLE,
    FUNCTION_ARITY."""
    given: dict[str, Macro] = {}
    problems: list[Problem] = []
    for macro in found:
        if first := given.get(macro.name):
            message = f"the function {macro.name}() is defined twice (first at {first.location})"
            problems.append(Problem("FUNCTION_DUPLICATE", message, macro.location, "rename one of them"))
        else:
            given[macro.name] = macro
    done: dict[str, Macro] = {}
    failed: set[str] = set()

    def finish(name: str, path: tuple[str, ...]) -> None:
        if name in done or name in failed:
            return
        macro = given[name]
        if name in path:
            failed.update(path)
            circle = [*path[path.index(name) :], name]
            steps = " → ".join(f"{step}()" for step in circle)
            files = ", ".join(str(given[step].location) for step in circle[:-1])
            raise UserError(
                f"functions call each other in a circle: {steps}",
                code="FUNCTION_CYCLE",
                location=macro.location,
                hint=f"remove one of the calls ({files})",
            )
        for other in _called(macro.body, given):
            finish(other, (*path, name))
        if name in failed:
            return
        try:
            text = expand(macro.body, done, lead="SELECT ").sql
        except UserError as error:
            failed.add(name)
            found = error.problem
            raise UserError(found.message, code=found.code, location=macro.location, hint=found.hint) from None
        done[name] = _with_slots(replace(macro, body=text)) if text != macro.body else macro

    for name in given:
        try:
            finish(name, ())
        except UserError as error:
            problems.extend(error.problems)
    if problems:
        raise ProjectError(problems)
    return done


def _called(sql: str, known: Mapping[str, Macro]) -> list[str]:
    """The functions that might be called in `sql`: a known name before an opening parenthesis."""
    found = significant(sql)
    names = (token.text.lower() for token, after in pairwise(found) if token.kind is Kind.WORD and after.text == "(")
    return list(dict.fromkeys(name for name in names if name in known))


def expand(sql: str, known: Mapping[str, Macro], path: str = "<sql>", line: int = 1, *, lead: str = "") -> Expanded:
    """`sql` with every call of a `known` function replaced. The text is unchanged when it calls none.

    `lead` makes a query of a bare expression. Raises UserError: FUNCTION_ARITY, FUNCTION_CALL, SQL_PARSE.
    """
    if not _called(sql, known):
        return Expanded(sql, fingerprint([canonical(sql)]))
    from sqlglot import exp

    from penstock.sql.parse import Where, parse

    where = Where(sql, path, line)
    tree = parse(lead + sql, path, line)
    found = significant(sql)
    index = {token.start: at for at, token in enumerate(found)}
    calls: list[_Call] = []
    for node in tree.find_all(exp.Anonymous):
        at = index.get(int(node.meta.get("start", -1)) - len(lead))
        if node.name.lower() in known and at is not None:
            calls.append(_call(node, known[node.name.lower()], found, at, where.at(found[at].start)))
    outer: list[_Call] = []
    open_calls: list[_Call] = []
    for call in sorted(calls, key=lambda each: each.start):
        while open_calls and open_calls[-1].end <= call.start:
            open_calls.pop()
        (open_calls[-1].nested if open_calls else outer).append(call)
        open_calls.append(call)
    text = _spliced(sql, 0, len(sql), outer, known)
    return Expanded(text, fingerprint([canonical(text)]))


def _call(node: exp.Anonymous, macro: Macro, found: Sequence[Token], at: int, place: Location) -> _Call:
    """The extent of one call and of its arguments. Raises UserError when it is not a plain call."""

    def wrong(code: str, message: str, hint: str) -> UserError:
        return UserError(message, code=code, location=place, hint=hint)

    form = f"{macro.name}({', '.join(macro.parameters)})"
    if at and found[at - 1].text == ".":
        raise wrong("FUNCTION_CALL", f"the project function {macro.name}() is called on a value", f"write {form}")
    depth, arguments, begin, end = 0, list[tuple[int, int]](), found[at + 1].end, at + 1
    for end in range(at + 1, len(found)):
        text = found[end].text
        if text in _OPENING:
            depth += 1
        elif text in _CLOSING:
            depth -= 1
        if depth == 0 or (depth == 1 and text == ","):
            if found[end - 1].end > begin or text == "," or arguments:
                arguments.append((begin, found[end].start))
            begin = found[end].end
        if depth == 0:
            break
    if len(arguments) != len(macro.parameters) or len(arguments) != len(node.expressions):
        raise wrong(
            "FUNCTION_ARITY",
            f"{form} takes {len(macro.parameters)} arguments, found {len(node.expressions)} "
            f"(defined at {macro.location})",
            f"call it as {form}",
        )
    after = found[end + 1].text.lower() if end + 1 < len(found) else ""
    if after in ("over", "filter", "within"):
        raise wrong(
            "FUNCTION_CALL",
            f"the project function {macro.name}() takes no {after.upper()}",
            f"put the {after.upper()} into the function's expression",
        )
    return _Call(macro.name, found[at].start, found[end].end, tuple(arguments))


def _is_one_group(text: str) -> bool:
    """Whether one pair of parentheses holds the whole of `text`."""
    depth = 0
    found = significant(text)
    for token in found:
        depth += (token.text in _OPENING) - (token.text in _CLOSING)
        if depth == 0:
            return token is found[-1] and text[0] == "("
    return False


def _spliced(sql: str, start: int, end: int, calls: Sequence[_Call], known: Mapping[str, Macro]) -> str:
    """sql[start:end] with the calls in it replaced, each as many lines long as it was."""
    parts: list[str] = []
    at = start
    for call in calls:
        if not start <= call.start < end:
            continue
        macro = known[call.macro]
        arguments = [f"({flat(_spliced(sql, *extent, call.nested, known))})" for extent in call.arguments]
        text, done = "", 0
        for offset, length, parameter in macro.slots:
            text += macro.body[done:offset] + arguments[parameter]
            done = offset + length
        text += macro.body[done:]
        text = text if _is_one_group(text) else f"({text})"
        lost = sql.count("\n", call.start, call.end) - text.count("\n")
        parts += [sql[at : call.start], text, "\n" * lost]
        at = call.end
    return "".join([*parts, sql[at:end]])

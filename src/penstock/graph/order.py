"""Topological order, and the cycle that prevents it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

Node = TypeVar("Node")


class CycleFound(ValueError):
    """The nodes depend on each other in a circle. `path` begins and ends with the same node."""

    def __init__(self, path: tuple[object, ...]) -> None:
        super().__init__(" → ".join(str(node) for node in path))
        self.path = path


def order(nodes: Iterable[Node], depends_on: Mapping[Node, Iterable[Node]]) -> tuple[Node, ...]:
    """`nodes`, each after what it depends on, otherwise in the order given. Dependencies that are not among the nodes
    are ignored. Raises CycleFound."""
    known = list(dict.fromkeys(nodes))
    members = set(known)
    done: dict[Node, None] = {}
    for start in known:
        if start in done:
            continue
        # An explicit stack: a chain of models may be longer than Python's.
        path: dict[Node, None] = {start: None}
        stack = [(start, iter(list(depends_on.get(start, ()))))]
        while stack:
            node, inputs = stack[-1]
            following = next((each for each in inputs if each in members and each not in done), None)
            if following is None:
                stack.pop()
                path.pop(node)
                done[node] = None
            elif following in path:
                circle = list(path)
                raise CycleFound((*circle[circle.index(following) :], following))
            else:
                path[following] = None
                stack.append((following, iter(list(depends_on.get(following, ())))))
    return tuple(done)


def cycles(nodes: Iterable[Node], depends_on: Mapping[Node, Iterable[Node]]) -> list[tuple[Node, ...]]:
    """Every group of nodes that depend on each other, as one circle of each; the first node stands at both ends."""
    remaining = list(dict.fromkeys(nodes))
    found: list[tuple[Node, ...]] = []
    while True:
        try:
            order(remaining, depends_on)
        except CycleFound as error:
            circle: tuple[Node, ...] = error.path  # type: ignore[assignment]
            found.append(circle)
            remaining = [node for node in remaining if node not in circle]
        else:
            return found


def downstream(nodes: Iterable[Node], depends_on: Mapping[Node, Iterable[Node]]) -> set[Node]:
    """`nodes` and everything that depends on them, near or far."""
    readers: dict[Node, list[Node]] = {}
    for node, inputs in depends_on.items():
        for each in inputs:
            readers.setdefault(each, []).append(node)
    return upstream(nodes, readers)


def upstream(nodes: Iterable[Node], depends_on: Mapping[Node, Iterable[Node]]) -> set[Node]:
    """`nodes` and everything they depend on, near or far."""
    found = set(nodes)
    todo = list(found)
    while todo:
        for each in depends_on.get(todo.pop(), ()):
            if each not in found:
                found.add(each)
                todo.append(each)
    return found

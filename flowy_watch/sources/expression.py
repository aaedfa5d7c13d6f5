"""One JMESPath expression, compiled once."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from enum import Enum
from operator import itemgetter
from typing import Any, Final, Literal, TypeAlias, cast

import jmespath
from jmespath.exceptions import JMESPathError
from jmespath.functions import Functions


class Absent(Enum):
    """What stands where nothing stands: the field is not there at all, which is not the same as null."""

    ABSENT = "absent"


ABSENT: Final[Literal[Absent.ABSENT]] = Absent.ABSENT
Reader: TypeAlias = Callable[[object], object]
Items: TypeAlias = Sequence[dict[str, Any]]
Column: TypeAlias = Callable[[Items], Sequence[Any]]
Columns: TypeAlias = Callable[[Items], list[Sequence[Any]]]
Path: TypeAlias = tuple[str, ...]
_Tree: TypeAlias = dict[str, Any]

# What JMESPath raises beside its own errors when the values are none that its functions expect.
_MISFITS = (JMESPathError, ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


class CannotApply(ValueError):
    """The expression fails on this value."""


def valid(expression: str) -> str:
    """`expression`, if JMESPath can read it and has every function it calls; empty is allowed. Raises ValueError."""
    if not expression:
        return expression
    try:
        tree = cast(_Tree, jmespath.compile(expression).parsed)
    except JMESPathError as error:
        column = getattr(error, "lex_position", None)
        where = "" if column is None else f" (look at column {column + 1})"
        raise ValueError(f"is not a JMESPath expression{where}") from None
    for function in _functions(tree):
        if function not in Functions.FUNCTION_TABLE:
            raise ValueError(f"calls {function}(), which JMESPath does not have")
    return expression


def reader(expression: str) -> Reader:
    """Reads what `expression` points at: the value, None for null, ABSENT where there is nothing.

    Plain names and dotted paths never enter JMESPath, which costs microseconds for each. Any other expression that
    comes out as null counts as ABSENT when none of the fields it starts from is there. The reader raises CannotApply.
    """
    compiled = jmespath.compile(expression)
    tree = cast(_Tree, compiled.parsed)
    path = _path(tree)
    if path is not None:
        return _plain(path)
    roots = tuple(_plain(root) for root in _roots(tree))

    def search(value: object) -> object:
        try:
            found: object = compiled.search(value)
        except _MISFITS as error:
            raise CannotApply("cannot be applied to what is there") from error
        if found is None and roots and all(root(value) is ABSENT for root in roots):
            return ABSENT
        return found

    return search


def columns(expressions: Sequence[str]) -> Columns:
    """Reads from many objects at once, a column for each expression, what `reader` reads from each of them.

    An empty expression gives a column of None. Raises CannotApply when an expression fails on one of the objects.
    """
    each = [_column(expression) for expression in expressions]
    names = {position: name for position, text in enumerate(expressions) if text and (name := _name(text))}
    if len(names) < 2:
        return lambda items: [read(items) for read in each]
    fields = itemgetter(*names.values())

    def read_all(items: Items) -> list[Sequence[Any]]:
        found: dict[int, Sequence[Any]] = {}
        with suppress(KeyError):  # then something is ABSENT somewhere
            found = dict(zip(names, zip(*map(fields, items), strict=True), strict=False))  # no items: no columns
        return [found[position] if position in found else read(items) for position, read in enumerate(each)]

    return read_all


def _column(expression: str) -> Column:
    if not expression:
        return lambda items: [None] * len(items)
    if name := _name(expression):
        return lambda items: [item.get(name, ABSENT) for item in items]
    read = reader(expression)
    return lambda items: [read(item) for item in items]


def _name(expression: str) -> str | None:
    """What the expression comes to if it is the plain name of a field."""
    path = _path(cast(_Tree, jmespath.compile(expression).parsed))
    return path[0] if path is not None and len(path) == 1 else None


def _plain(path: Path) -> Reader:
    if len(path) == 1:
        name = path[0]

        def field(value: object) -> object:
            return value.get(name, ABSENT) if type(value) is dict else ABSENT

        return field

    def dotted(value: object) -> object:
        for name in path:
            if value is None:
                return None
            if type(value) is not dict:
                return ABSENT
            value = value.get(name, ABSENT)
        return value

    return dotted


def _path(tree: _Tree) -> Path | None:
    if tree["type"] == "field":
        return (tree["value"],)
    if tree["type"] == "subexpression" and all(child["type"] == "field" for child in tree["children"]):
        return tuple(child["value"] for child in tree["children"])
    return None


def _roots(tree: _Tree) -> Iterator[Path]:
    """The plain paths an expression starts from, as far as they can be told without running it."""
    path = _path(tree)
    if path is not None:
        yield path
        return
    children = [child for child in tree["children"] if isinstance(child, dict)]
    together = ("function_expression", "or_expression", "and_expression", "not_expression", "comparator")
    for child in children if tree["type"] in together else children[:1]:
        yield from _roots(child)


def _functions(tree: _Tree) -> Iterator[str]:
    if tree["type"] == "function_expression":
        yield tree["value"]
    for child in tree["children"]:
        if isinstance(child, dict):
            yield from _functions(child)

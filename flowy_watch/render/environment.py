"""The one Jinja2 environment: where templates are found, and why a name cannot break out of them."""

import json
from pathlib import Path
from textwrap import fill
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Undefined, pass_context, select_autoescape
from jinja2.runtime import Context
from markupsafe import Markup

from flowy_watch.core.words import credit_words, span_words
from flowy_watch.render.phrase import shorten

_UNBROKEN = 16  # characters
_PACKAGE = Path(__file__).parents[1]


def build_environment() -> Environment:
    """Templates by their path below `templates/`, such as `slack/notice.json.j2`.

    What is printed in a `.json.j2` is always a JSON value of its own (`"text": {{ name }}` needs no quotes), in a
    `.html.j2` or `.svg.j2` always escaped. A name that is not there is an error.
    """
    environment = Environment(
        loader=FileSystemLoader(_folder()),
        autoescape=select_autoescape(("html.j2", "svg.j2")),  # the default does not cover names that end in .j2
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["credits"] = credit_words
    environment.filters["span"] = span_words
    environment.filters["shorten"] = shorten
    environment.filters["wrapped"] = wrapped
    environment.filters["breakable"] = breakable
    return environment


def breakable(text: str) -> Markup:
    """For HTML in mails: a long word may be broken. `overflow-wrap` does that where mail programs know it: in few."""
    broken = (
        Markup("<wbr>").join(word[n : n + _UNBROKEN] for n in range(0, len(word), _UNBROKEN))
        for word in text.split(" ")
    )
    return Markup(" ").join(broken)


def wrapped(text: str, width: int = 72, *, indent: str = "", first: str | None = None) -> str:
    """`text` in lines for a mail; what has no space in it, such as an address, stays whole."""
    options: dict[str, Any] = {"break_long_words": False, "break_on_hyphens": False}
    return fill(text, width, initial_indent=indent if first is None else first, subsequent_indent=indent, **options)


@pass_context
def _finalize(context: Context, value: object) -> object:
    if context.name and context.name.endswith(".json.j2") and not isinstance(value, Undefined):
        return json.dumps(value, ensure_ascii=False)
    return value


def _folder() -> Path:
    """Inside the package when it was installed from a wheel, else beside it in the checkout."""
    installed = _PACKAGE / "templates"
    return installed if installed.is_dir() else _PACKAGE.parent / "templates"

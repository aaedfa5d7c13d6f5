"""Templates: found in the wheel and in the checkout, strict, and escaping by their extension."""

import json
from pathlib import Path

import pytest
from jinja2 import DictLoader, UndefinedError

from flowy_watch.render import environment as rendering
from flowy_watch.render.environment import build_environment


def render(name: str, source: str, **values: object) -> str:
    environment = build_environment()
    environment.loader = DictLoader({name: source})
    return environment.get_template(name).render(**values)


def test_json_templates_print_values_of_their_own() -> None:
    value = '", "x": "<&\\\u2028'
    assert json.loads(render("a.json.j2", '{"text": {{ value }}}', value=value)) == {"text": value}


def test_html_and_svg_templates_escape_and_text_does_not() -> None:
    assert render("a.html.j2", "{{ value }}", value="<b>") == "&lt;b&gt;"
    assert render("a.svg.j2", "{{ value }}", value="<b>") == "&lt;b&gt;"
    assert render("a.txt.j2", "{{ value }}", value="<b>") == "<b>"


@pytest.mark.parametrize("name", ["a.json.j2", "a.txt.j2"])
def test_a_missing_name_is_an_error(name: str) -> None:
    with pytest.raises(UndefinedError):
        render(name, "{{ nothing }}")


def test_templates_inside_of_the_package_win_over_the_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "flowy_watch"
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "a.txt.j2").write_text("checkout")
    monkeypatch.setattr(rendering, "_PACKAGE", package)
    assert build_environment().get_template("a.txt.j2").render() == "checkout"

    (package / "templates").mkdir(parents=True)
    (package / "templates" / "a.txt.j2").write_text("wheel")
    assert build_environment().get_template("a.txt.j2").render() == "wheel"

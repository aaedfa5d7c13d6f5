"""A Slack message as a picture of itself in HTML: for the README, the demo's inbox, and eyes in review.

Faithful enough to judge length, order and emphasis; Slack's own clients have the last word.
"""

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

from flowy_watch.core.message import SlackMessage

_STYLE = """
:root { color-scheme: light dark; --bg: #fff; --ink: #1d1c1d; --soft: #616061; --line: #ddd; --link: #1264a3;
  --code: #c01343; --code-bg: #f6f6f6; }
@media (prefers-color-scheme: dark) { :root { --bg: #1a1d21; --ink: #d1d2d3; --soft: #ababad; --line: #35383c;
  --link: #1d9bd1; --code: #e8912d; --code-bg: #232529; } }
body { margin: 0; background: var(--bg); color: var(--ink);
  font: 15px/1.46 Lato, -apple-system, "Segoe UI", sans-serif; }
article { display: flex; gap: 8px; padding: 12px 16px; max-width: 640px; }
.who { width: 36px; height: 36px; flex: none; border-radius: 8px; background: #1d5fbf; color: #fff; font-weight: 900;
  display: grid; place-items: center; }
.app { font-size: 10px; background: var(--line); border-radius: 2px; padding: 0 3px; color: var(--soft); }
.said { min-width: 0; overflow-wrap: anywhere; }
h3 { font-size: 18px; line-height: 1.3; margin: 6px 0; }
.block { margin: 8px 0; white-space: pre-wrap; }
ul { margin: 0; padding-left: 24px; white-space: pre-wrap; } hr { border: 0; border-top: 1px solid var(--line); }
.press, a.press { color: var(--ink); display: inline-block; font-weight: 700; border-radius: 8px;
  border: 1px solid var(--line); padding: 6px 12px; margin: 2px 8px 2px 0; }
.press.primary { background: #007a5a; border-color: #007a5a; color: #fff; }
.press.danger { background: #e01e5a; border-color: #e01e5a; color: #fff; }
a { color: var(--link); text-decoration: none; }
code { font: 12px/1.5 Monaco, Menlo, Consolas, monospace; color: var(--code); background: var(--code-bg);
  border: 1px solid var(--line); border-radius: 3px; padding: 2px 3px; }
"""


def slack_page(messages: Iterable[SlackMessage]) -> str:
    """A whole HTML page that shows `messages` one below the other, light or dark as the reader's screen is."""
    shown = "".join(
        '<article><div class="who">f</div><div class="said"><b>flowy-watch</b> <span class="app">APP</span>'
        f"{''.join(map(_block, message.blocks))}</div></article>"
        for message in messages
    )
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
    head = f"<head>{head}<title>Slack</title><style>{_STYLE}</style></head>"
    return f'<!DOCTYPE html><html lang="en">{head}<body>{shown}</body></html>'


def _block(block: Mapping[str, Any]) -> str:
    if block["type"] == "header":
        return f"<h3>{escape(block['text']['text'])}</h3>"
    if block["type"] == "divider":
        return "<hr>"
    if block["type"] == "actions":
        return f'<div class="block">{"".join(map(_control, block["elements"]))}</div>'
    if block["type"] == "rich_text":
        return f'<div class="block">{"".join(map(_rich, block["elements"]))}</div>'
    return f'<div class="block">{escape(str(block.get("text", "")))}</div>'


def _control(element: Mapping[str, Any]) -> str:
    """A button, or a list to choose from, closed."""
    words = element.get("text") or element["placeholder"]
    more = "" if "text" in element else " ⌄"
    look, said = f'class="press {element.get("style", "")}"', f"{escape(str(words['text']))}{more}"
    if "url" in element:
        return f'<a {look} href="{escape(str(element["url"]))}">{said}</a>'
    return f"<span {look}>{said}</span>"


def _rich(element: Mapping[str, Any]) -> str:
    if element["type"] == "rich_text_list":
        items = (f"<li>{_rich(item)}</li>" for item in element["elements"])
        return f"<ul>{''.join(items)}</ul>"
    return "".join(map(_span, element["elements"]))


def _span(span: Mapping[str, Any]) -> str:
    text, style = escape(str(span.get("text", ""))), span.get("style", {})
    if span["type"] == "link":
        text = f'<a href="{escape(str(span["url"]))}">{text}</a>'
    for name, tag in (("code", "code"), ("bold", "b"), ("italic", "i"), ("strike", "s")):
        if style.get(name):
            text = f"<{tag}>{text}</{tag}>"
    return text

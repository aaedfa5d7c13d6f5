"""Words from elsewhere in a CSV, so that no spreadsheet takes them for a formula, and back."""

_FORMULA = tuple("=+-@＝＋－＠")  # the wide ones where people write Japanese
_QUOTE = "'"


def guarded(text: str) -> str:
    """With an apostrophe before what a spreadsheet would run, as OWASP advises; `unguarded` takes it away again.

    What has one already gets another, so that nothing is lost on the way.
    """
    return _QUOTE + text if text.lstrip(_QUOTE).startswith(_FORMULA) else text


def unguarded(text: str) -> str:
    """What `guarded` was given. Other words come back as they are."""
    guard = text.startswith(_QUOTE) and text.lstrip(_QUOTE).startswith(_FORMULA)
    return text[1:] if guard else text

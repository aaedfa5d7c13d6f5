"""The configuration: every option, checked, from a file and the environment. Nothing else reads either."""

from flowy_watch.settings.checks import parse_duration
from flowy_watch.settings.options import Settings, WebSettings
from flowy_watch.settings.reading import DEFAULT_PATH, load, load_meter, load_to_look, parse
from flowy_watch.settings.template import TEMPLATE

__all__ = [
    "DEFAULT_PATH",
    "TEMPLATE",
    "Settings",
    "WebSettings",
    "load",
    "load_meter",
    "load_to_look",
    "parse",
    "parse_duration",
]

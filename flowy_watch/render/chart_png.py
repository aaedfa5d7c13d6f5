"""A chart as a picture, for mail and for files."""

import re

from flowy_watch.render.environment import _folder

_FONT, _FONT_FILE = "Noto Sans", "noto-sans.ttf"
_BEYOND_FONT = re.compile(
    "[^\x20-\x7e\\s\u00a0-\u017f\u0370-\u03ff\u0400-\u045f\u2010-\u203a\u20ac\u2190-\u2193\u2212]"
)


def png_of(svg: str, scale: float = 2.0) -> bytes:
    """The picture of an SVG, `scale` pixels to each of its units. Raises ValueError when it is no SVG.

    Text is set in the font that lies beside the templates, since a slim container has none and text without a font
    vanishes silently. The machine's own fonts are looked for only where ours lacks a character: that takes longer,
    and pictures should look the same everywhere.
    """
    import resvg_py  # a compiled library that only pictures need

    return resvg_py.svg_to_bytes(
        svg_string=svg,
        zoom=scale,
        skip_system_fonts=not _BEYOND_FONT.search(svg),
        font_files=[str(_folder() / "chart" / _FONT_FILE)],
        font_family=_FONT,
        sans_serif_family=_FONT,
    )

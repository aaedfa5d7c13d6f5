"""Facts into words: what a notification says, in each dialect."""

from flowy_watch.render.notice import Reader
from flowy_watch.render.renderer import Renderer

__all__ = ["Reader", "Renderer"]

"""The dashboard, the JSON API, `/metrics` and health: what people and machines look at.

It runs beside the watch and can be switched off; nothing of it is asked by a poll or a delivery.
"""

from flowy_watch.web.server import beside

__all__ = ["beside"]

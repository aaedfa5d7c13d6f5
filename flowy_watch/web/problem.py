"""What is wrong, for machines: RFC 9457."""

from collections.abc import Mapping
from http import HTTPStatus

import orjson
from starlette.responses import Response


def problem(status: int, detail: str, *, headers: Mapping[str, str] | None = None) -> Response:
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return Response(orjson.dumps(body), status, dict(headers or {}), media_type="application/problem+json")

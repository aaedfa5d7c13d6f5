"""A daemon elsewhere, asked by its JSON API: what the commands need of it, in the fields they print."""

from datetime import datetime
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import httpx

from flowy_watch import __version__
from flowy_watch.errors import FlowyWatchError, NotFound, WrongUsage

_PAGE = 500
_MOST_ALERTS = 1000
"""As many as the command lists from a database."""
_TIMEOUT = 30.0  # seconds
_LONGEST_ANSWER = 64 * 1024 * 1024
Fields = dict[str, Any]


class ServerError(FlowyWatchError):
    """The daemon elsewhere cannot be asked, or refuses."""


class Remote:
    """Every method raises ServerError, or NotFound in the daemon's own words."""

    def __init__(self, url: str, token: str) -> None:
        place = _place(url)
        self._shown = place
        self._client = httpx.Client(
            base_url=f"{place}/api/v1/",
            headers={"authorization": f"Bearer {token}", "user-agent": f"flowy-watch/{__version__}"},
            timeout=_TIMEOUT,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    # ── looking ──────────────────────────────────────────────────────────────────────────────────────────────────

    def status(self) -> Fields:
        return self._ask("GET", "status")

    def alerts(self, *, unresolved: bool) -> list[Fields]:
        query: dict[str, Any] = {"limit": _PAGE} | ({"status": "unresolved"} if unresolved else {})
        found: list[Fields] = []
        while True:
            page = self._ask("GET", "alerts", query=query)
            found += page["alerts"]
            if page["next_cursor"] is None or (len(found) >= _MOST_ALERTS and not unresolved):
                return found
            query["cursor"] = page["next_cursor"]

    def small(self) -> list[Fields]:
        found: list[Fields] = self._ask("GET", "small-anomalies")["small_anomalies"]
        return found

    def digest(self, period: str, owner: str) -> Fields:
        return self._ask("GET", f"digests/{period}", query={"owner": owner})

    def digest_mail(self, period: str, owner: str) -> Fields:
        return self._ask("GET", f"digests/{period}/mail", query={"owner": owner})

    def story(self, alert: int) -> Fields:
        return self._ask("GET", f"alerts/{alert}")

    # ── acting ───────────────────────────────────────────────────────────────────────────────────────────────────

    def acknowledge(self, alert: int, *, by: str, why: str, until: datetime | None) -> Fields:
        return self._ask("POST", f"alerts/{alert}/ack", {"by": by, "why": why} | _until(until))

    def report_stop(self, alert: int, *, by: str, why: str) -> tuple[Fields, list[Fields]]:
        return _with_taken(self._ask("POST", f"alerts/{alert}/stop", {"by": by, "why": why}))

    def resolve(self, alert: int, *, by: str, why: str, no_anomaly: bool) -> Fields:
        body = {"by": by, "why": why, "not_an_anomaly": no_anomaly}
        return self._ask("POST", f"alerts/{alert}/resolve", body)

    def silence(self, pattern: str, *, by: str, why: str, kind: str, until: datetime) -> Fields:
        body = {"pattern": pattern, "by": by, "why": why, "kind": kind}
        return _silence(self._ask("POST", "silences", body | _until(until)))

    def expect(
        self, key: str, *, by: str, why: str, credits_: float | None, until: datetime
    ) -> tuple[Fields, list[Fields]]:
        body = {"key": key, "by": by, "why": why, "credits": credits_}
        made, taken = _with_taken(self._ask("POST", "expectations", body | _until(until)))
        return _silence(made), taken

    def unsilence(self, silence: int, *, by: str, why: str) -> None:
        self._ask("DELETE", f"silences/{silence}", query={"by": by, "why": why})

    def block(self, key: str, *, by: str, why: str) -> Fields:
        return self._ask("POST", "blocks", {"key": key, "by": by, "why": why})

    def unblock(self, key: str, *, by: str, why: str) -> Fields:
        return self._ask("POST", "blocks/end", {"key": key, "by": by, "why": why})

    # ── the wire ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _ask(self, method: str, path: str, body: Fields | None = None, *, query: Fields | None = None) -> Fields:
        try:
            with self._client.stream(method, path, json=body, params=query) as answer:
                content = b""
                for part in answer.iter_bytes():
                    content += part
                    if len(content) > _LONGEST_ANSWER:
                        raise ServerError(f"{self._shown} answers with more than {_LONGEST_ANSWER >> 20} MB")
        # `from None`: the causes quote headers, and with them the token
        except httpx.TimeoutException:
            raise ServerError(f"{self._shown} does not answer within {_TIMEOUT:g} s; try again") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            why = str(error) or type(error).__name__
            raise ServerError(f"cannot reach {self._shown} ({why}); does `flowy-watch run` serve there?") from None
        if answer.status_code == 204:
            return {}
        return self._said(answer.status_code, httpx.Response(200, content=content))

    def _said(self, status: int, answer: httpx.Response) -> Fields:
        try:
            found = answer.json()
            if not isinstance(found, dict):
                raise ValueError
            if 200 <= status < 300:
                return {name: _instant(name, one) for name, one in found.items()}
            detail = str(found["detail"])
        except (ValueError, KeyError):
            raise ServerError(f"{self._shown} does not answer as flowy-watch does (HTTP {status})") from None
        if status == 401:
            raise ServerError(f"{self._shown} refuses the token; it must be the daemon's web.token")
        if status == 404:
            raise NotFound(detail.rstrip("."))
        raise ServerError(f"{self._shown}: {detail.rstrip('.')}")


def _place(url: str) -> str:
    """Where the daemon is, without a slash at its end. Raises WrongUsage that does not repeat what may be a secret."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None or parts.query:
        raise WrongUsage("--server must be the daemon's address, such as https://watch.example.com")
    return url.rstrip("/").removesuffix("/api/v1")


def _until(until: datetime | None) -> Fields:
    return {} if until is None else {"until": until.isoformat()}


def _with_taken(fields: Fields) -> tuple[Fields, list[Fields]]:
    return fields, fields.pop("taken")


def _silence(fields: Fields) -> Fields:
    """What is not said is empty in the command's own fields."""
    return fields | {name: fields[name] or "" for name in ("kind", "by", "why")}


def _with_instants(value: Any) -> Any:
    """Times as datetimes again; which fields they are tells their name."""
    if isinstance(value, list):
        return [_with_instants(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {name: _instant(name, one) for name, one in value.items()}


def _instant(name: str, value: Any) -> Any:
    if isinstance(value, str) and (name in ("at", "until") or name.endswith("_at")):
        return datetime.fromisoformat(value)
    return _with_instants(value)

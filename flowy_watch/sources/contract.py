"""The usage contract we assume, and the options that map it onto a workspace's real endpoints.

Flowy documents no endpoint for the list of keys, their spend, their last use or the balance. Everything named here is
therefore an assumption: each default follows the conventions of Flowy's documented API, and each can be changed.
"""

import re
from datetime import timedelta
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, StringConstraints

from flowy_watch.sources.expression import valid

BASE_URL = "https://apis.tryflowy.ai/genstudio-svc-v2/api/v1"
_PRINTABLE = re.compile(r"[!-~](?:[ -~]*[!-~])?")  # what may stand in a header without being folded or cut
_VISIBLE = re.compile(r"[!-~]+")


def _base_url(text: str) -> str:
    try:
        url = urlsplit(text)
        complete = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
    except ValueError:
        complete = False
    if not complete or not _VISIBLE.fullmatch(text):
        raise ValueError("is not an http or https URL") from None
    if "@" in url.netloc or "?" in text or "#" in text:
        raise ValueError("must hold no user, password, query or fragment; a credential belongs in token or headers")
    return text.rstrip("/")


def _path(text: str) -> str:
    if text and (not text.startswith("/") or not _VISIBLE.fullmatch(text) or "?" in text or "#" in text):
        raise ValueError("must start with / and hold no space, query or fragment")
    return text


def _header(secret: SecretStr) -> SecretStr:
    # An HTTP library that refuses a header value prints it: better to refuse it here, unseen.
    if not _PRINTABLE.fullmatch(secret.get_secret_value()):
        raise ValueError("must be printable ASCII, not empty, with no space or line end around it")
    return secret


BaseUrl = Annotated[str, AfterValidator(_base_url)]
UrlPath = Annotated[str, AfterValidator(_path)]
HeaderName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")]
HeaderValue = Annotated[SecretStr, AfterValidator(_header)]
Expression = Annotated[str, AfterValidator(valid)]
Required = Annotated[Expression, StringConstraints(min_length=1)]
Span = Annotated[timedelta, Field(gt=timedelta(0), le=timedelta(hours=1))]


class _Options(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class KeysOptions(_Options):
    """Where the keys are listed, and how one page leads to the next."""

    path: Annotated[UrlPath, StringConstraints(min_length=1)] = "/keys"
    query: dict[str, SecretStr] = Field(default_factory=dict)
    """Sent with every page."""
    items: Required = "data"
    """Where the list stands in an answer; `@` when the answer is the list."""
    next_cursor: Expression = "nextCursor"
    """What the next page is asked with; null, absent or empty on the last one."""
    cursor_param: str = "cursor"
    """Empty: the list comes in one page."""
    limit_param: str = "limit"
    """Empty: the size of a page is not ours to choose."""


class WorkspaceOptions(_Options):
    """Where the balance is told. An empty `path` or `balance`: this workspace does not offer it."""

    path: UrlPath = "/workspace"
    balance: Expression = "data.creditBalance"
    name: Expression = "data.name"


class FieldOptions(_Options):
    """Where each field stands in one listed key. Empty: this workspace does not offer it."""

    id: Required = "id"
    name: Expression = "name"
    prefix: Expression = "prefix"
    """A hint such as `flw_sk_…a1b2`; no more than four characters of it are kept."""
    status: Expression = "status"
    created_at: Expression = "createdAt"
    last_used_at: Expression = "lastUsedAt"
    daily_cap: Expression = "dailySpendCap"
    rate_limit: Expression = "rateLimitPerMinute"
    spent_today: Required = "spentToday"


class ApiOptions(_Options):
    """The section `source` of kind `api`."""

    base_url: BaseUrl = BASE_URL
    token: HeaderValue
    """Sent as `Authorization: Bearer …`; an owner's or editor's credential."""
    headers: dict[HeaderName, HeaderValue] = Field(default_factory=dict)
    """Sent with every request; one named `Authorization` takes the place of the token's."""
    timeout: Span = timedelta(seconds=10)
    """For one whole request."""
    deadline: Span = timedelta(seconds=60)
    """For a whole pull: every page, every retry, every wait."""
    max_body: int = Field(default=32 * 1024 * 1024, ge=1024, json_schema_extra={"unit": "bytes"})
    """Bytes of one answer, counted after decompression."""
    page_limit: int = Field(default=500, ge=1)
    max_pages: int = Field(default=1000, ge=1)
    retries: int = Field(default=4, ge=0, le=20)
    """Further tries of one request after the first."""
    clock_tolerance: timedelta = Field(default=timedelta(minutes=5), ge=timedelta(0))
    """How far in the future a key may have been last used."""
    keys: KeysOptions = Field(default_factory=KeysOptions)
    workspace: WorkspaceOptions = Field(default_factory=WorkspaceOptions)
    fields: FieldOptions = Field(default_factory=FieldOptions)

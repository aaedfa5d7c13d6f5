"""What must never be shown: secrets, wherever they turn up in other people's words."""

import re

HIDDEN = "[hidden]"

# Flowy's three shapes of key, Slack tokens and webhook addresses, Authorization values, passwords in URLs.
_SECRETS = re.compile(
    r"""
      flw_sk_[A-Za-z0-9_\-]{4,}
    | flowy_pk_[A-Za-z0-9_\-]{4,}
    | flowy_[A-Za-z0-9]{12,}[A-Za-z0-9_\-]*
    | xox[a-z]-[A-Za-z0-9\-]{4,} | xapp-[A-Za-z0-9\-]{4,}
    | (?<=hooks\.slack\.com/)\S+
    | (?<=://)[^/\s:@]*:[^/\s]+(?=@)
    | (?i:(?<=bearer\ )|(?<=basic\ ))(?=\S*[A-Z0-9=])[A-Za-z0-9._~+/=\-]{6,}
    """,
    re.VERBOSE,
)


def redact(text: str) -> str:
    """`text` with everything that has the shape of a secret replaced by `[hidden]`."""
    return _SECRETS.sub(HIDDEN, text)

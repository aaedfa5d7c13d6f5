"""What passed through the meter: one SQLite file that the meter writes, the daemon reads, and both may block keys in.

A key is known by its fingerprint (`fingerprint_of`: the first 16 hex digits of its SHA-256) and its last four
characters; the secret itself is never stored. What came without a key is counted under `NO_KEY`, and what is beyond a
bound (keys nobody ever accepted, origins or apps of a key) under `OTHER`.

| table | a row is |
| --- | --- |
| key | a key: first seen, last used (an answer that was not 401), last refused (401) |
| counts | a key, an app ("" where no run was asked for) and five minutes of UTC, none of which holds a midnight |
| app_seen | an app that a key started a run of |
| origin_seen | an address (plain, truncated or hashed, as the meter is told) and a user agent that a key came from |
| run | a run that was accepted, and how it ended as far as answers told |
| price | what a run of an app costs, configured or learned, and between which amounts the truth lies |
| block | a key that the meter refuses |

Times are milliseconds since 1970 in the file and aware datetimes everywhere else. `counts` and `run` are pruned.
"""

from flowy_watch.ledger.batch import Batch, Counts, bucket_of
from flowy_watch.ledger.find import find_key, key_words
from flowy_watch.ledger.ledger import Ledger
from flowy_watch.ledger.values import (
    NO_KEY,
    OTHER,
    AppSeen,
    Block,
    FiveMinutes,
    KeyUse,
    OriginSeen,
    Outcome,
    Price,
    PriceSource,
    UseStatus,
    fingerprint_of,
)

__all__ = [
    "NO_KEY",
    "OTHER",
    "AppSeen",
    "Batch",
    "Block",
    "Counts",
    "FiveMinutes",
    "KeyUse",
    "Ledger",
    "OriginSeen",
    "Outcome",
    "Price",
    "PriceSource",
    "UseStatus",
    "bucket_of",
    "find_key",
    "fingerprint_of",
    "key_words",
]

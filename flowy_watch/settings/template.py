"""What `flowy-watch init` writes: every option with its default. A test reads it back."""

TEMPLATE = """\
# The configuration of flowy-watch. Lines with a # in front are examples; every other line shows its default.
# Durations have a unit: 90s, 15m, 24h, 30d, 2w. Any option can come from the environment instead, where it wins:
#   FLOWY_WATCH__POLL__EVERY=1m  FLOWY_WATCH__DETECTORS__CAP__LEVELS=[80,95]
# Any secret can come from a file: write token_file = "/path" in place of token = "…".

[workspace]
name = ""                            # shown in messages; empty: what the source says
# api_keys_url = "https://…"         # the page where a person revokes a key; linked from every alert
timezone = "UTC"                     # in which people read times, e.g. "Europe/Madrid"
false_alarms_per_month = 4.0         # accepted from spike and ramp on ordinary days, all keys together

[store]
url = "sqlite:///flowy-watch.db"     # or postgresql+psycopg://user:password@host/name, also as url_file
retain = "35d"                       # single snapshots; daily figures and alerts are kept

[poll]
every = "5m"                         # 1s to 1h

# A watch on the watcher: an address to fetch after finished polls, such as a check at healthchecks.io. When it is
# not fetched for `every` and one poll more, nothing is watched; /fail is added to it when a poll breaks down here.
[heartbeat]
# url_file = "/run/secrets/heartbeat_url"
every = "5m"                         # at most this often

[source]
kind = "api"
base_url = "https://apis.tryflowy.ai/genstudio-svc-v2/api/v1"
# token_file = "/run/secrets/source_token"      # or FLOWY_WATCH__SOURCE__TOKEN; an owner's or editor's credential
timeout = "10s"                      # one request
deadline = "60s"                     # a whole poll with its retries
# Where the figures stand, when your workspace's answers differ from what is assumed (JMESPath; "" = not offered):
# keys = { path = "/keys", items = "data" }
# workspace = { path = "/workspace", balance = "data.creditBalance" }
# fields = { id = "id", spent_today = "spentToday", last_used_at = "lastUsedAt", daily_cap = "dailySpendCap" }
# Other kinds: meter (what our proxy counted), probe (each key asks Flowy itself) and file (an export);
# docs/ways-in.md compares them.

# More sources of the same workspace; each figure is taken from the most trusted one that knows it.
# [sources.proxy]
# kind = "meter"
# match = "last_four"                           # by what its keys are those of [source]; or "name", "key_id"

# What a file calls our columns, for `flowy-watch import` and `backtest`; --map does the same for one file.
# [import.columns]
# key_id = "Key"
# spent_today = "Credits used today"

# What is known of keys, by name or id; for each option the first pattern that matches and sets it counts.
# [keys."prod-*"]
# owner = "media-team"
# hours = "Mon-Fri 07:00-20:00 Europe/Madrid"   # when use is expected
# dormant_after = "30d"                         # unused for so long, any use is told; learned when not set
# same_as = ["0123456789abcdef"]                # what other sources call it, where they cannot be matched
# sensitivity = 0.1                             # a tenth of its share of false alarms

# Each detector can be turned off with enabled = false: cap, spike, ramp, last_used, new_origin, new_app, balance,
# unattributed, safeguard, blind.
[detectors.cap]
levels = [80, 95, 100]               # per cent of the daily cap

[detectors.spike]
least_credits = 10.0                 # an excess below this is a line in the digest, no alert

[detectors.ramp]
least_credits = 100.0                # the same, over three days

[detectors.last_used]
in_flight = "15m"                    # runs started before a revoke may be charged for this long

[detectors.new_origin]               # needs a source that sees addresses: meter
learning = "14d"                     # a key's first addresses are only learned
most_new = 2.0                       # more than this in four weeks are a habit, and are not told

[detectors.new_app]
learning = "14d"
most_new = 2.0

[detectors.balance]
floor_credits = 0.0                  # warn below this; 0: by share and runway alone
runway = "3d"                        # warn when the balance lasts no longer

[detectors.unattributed]
least_credits = 500.0                # less than this in 24 hours is never told

[detectors.safeguard]
new_keys = true                      # tell of keys that appear
revoked = false                      # tell of keys that Flowy refuses from one poll to the next

[detectors.blind]
after_polls = 3                      # failed polls in a row before it is told

# Where people are told. Every kind has quiet_hours too: what is not critical waits for their end.
# [channels.ops]
# kind = "slack"
# token_file = "/run/secrets/slack_token"       # a bot token, xoxb-…
# channel = "C0123456789"
# quiet_hours = "22:00-07:00 Europe/Madrid"     # or with days: "Sat-Sun 00:00-24:00 Europe/Madrid"
# app_token_file = "/run/secrets/slack_app_token"    # buttons: an App-Level Token, xapp-…, with connections:write
# allowed_users = ["U0123456789"]               # the member ids of those who may press them

# [channels.hook]
# kind = "slack_webhook"
# url_file = "/run/secrets/slack_webhook"

# [channels.mail]
# kind = "email"
# host = "smtp.example.com"
# security = "starttls"                         # or "tls", "none"
# username = "flowy-watch"
# password_file = "/run/secrets/smtp_password"
# from = "Flowy Watch <flowy-watch@example.com>"
# to = ["oncall@example.com"]

# [channels.pager]
# kind = "pagerduty"
# routing_key_file = "/run/secrets/pagerduty_key"    # the Integration Key of an Events API V2 integration

# [channels.program]
# kind = "webhook"                              # the facts as JSON, to a program of your own
# url_file = "/run/secrets/webhook_url"
# token_file = "/run/secrets/webhook_token"     # Authorization: Bearer …
# secret_file = "/run/secrets/webhook_secret"   # signs each post

# [channels.teams]
# kind = "apprise"                              # Teams, Discord, Telegram, ntfy, …: pip install 'flowy-watch[apprise]'
# url_file = "/run/secrets/apprise_url"         # as https://appriseit.com/services/ says

# Who hears what. Without a route every alert goes to every channel; an empty or missing selector takes everything.
# [[routes]]
# severities = ["critical"]                     # info, warning, critical
# kinds = []                                    # names of detectors
# keys = []                                     # patterns
# owners = []                                   # patterns of what stands as owner in [keys]
# channels = ["ops", "mail"]
# repeat = "4h"                                 # told again so often until acknowledged; unset: told once
# escalate_after = "15m"                        # critical and not acknowledged for so long …
# escalate_to = ["pager"]                       # … these hear of it too, once

[digest]
weekday = "monday"
time = "09:00"
timezone = ""                        # empty: that of the workspace
channels = []                        # none: no digest is sent
recipients = []                      # mail addresses, instead of those of the channel
monthly = true                       # on the first of a month also the finished month
empty = "line"                       # nothing spent, nothing happened: one line; "none": no message

# One owner's keys alone, and their share of the whole:
# [[digest.editions]]
# owner = "media-team"
# channels = ["mail"]
# recipients = ["media@example.com"]

[web]
enabled = true                       # the dashboard; `flowy-watch open` prints a link to sign in
listen = "127.0.0.1:8420"            # elsewhere than on loopback it needs a token
url = ""                             # the address people use, where a proxy stands in front
# token_file = "/run/secrets/web_token"         # may act; also for the JSON API and /metrics
# viewer_token_file = "/run/secrets/web_viewer" # may only read

# A proxy in front of Flowy that counts what every key does: `flowy-watch meter`, a process of its own.
[meter]
listen = "127.0.0.1:8430"            # point FLOWY_API of your servers there
upstream = "https://apis.tryflowy.ai/genstudio-svc-v2/api/v1"
# ca_file = "/etc/ssl/our-ca.pem"    # in place of the system's authorities
ledger = "flowy-meter.db"
origins = "truncated"                # of addresses and user agents; also "plain", "hashed" (with origins_key_file)
# prices = { "app-id" = 4, "*" = 1 } # credits of a run; what is not here is learned where a balance is known
max_connections = 1000
max_body = 1024                      # megabytes
answer_timeout = "5m"                # of Flowy, before the meter answers 504
drain = "30s"                        # for what is under way at SIGTERM

# What a key is called, and the meter's own limits; none is set unless it stands here.
# [meter.keys."A1b2"]                           # its last four characters, or its fingerprint; "*": every other key
# name = "prod-render"
# daily_cap = 500                               # credits by price and UTC day: 402 beyond
# daily_runs = 100                              # 402 beyond
# requests_per_minute = 30                      # 429 beyond

[log]
level = "info"                       # debug, info, warning, error
format = "auto"                      # json, console; auto: console on a terminal
"""
"""What `flowy-watch init` writes. Only `source.token` has to be added."""

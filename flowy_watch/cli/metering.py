"""The metering proxy, in a process of its own."""

import os
from typing import TYPE_CHECKING

import typer

from flowy_watch.cli.common import app

if TYPE_CHECKING:
    from flowy_watch.meter.config import MeterConfig
    from flowy_watch.settings.options import MeterSettings


@app.command(short_help="Forward every request to Flowy and count it.")
def meter(context: typer.Context) -> None:
    """Forward every request to Flowy and count it, until told to stop (SIGTERM)."""
    from flowy_watch.clock import SystemClock
    from flowy_watch.log import configure
    from flowy_watch.meter.run import run_meter
    from flowy_watch.settings import load_meter

    settings, log = load_meter(context.obj, environ=os.environ)
    secrets = [settings.origins_key.get_secret_value()] if settings.origins_key else []
    configure(log.level, log.format, secrets)
    run_meter(config_of(settings), SystemClock())


def config_of(settings: "MeterSettings") -> "MeterConfig":
    from flowy_watch.core.usage import credits_to_micro
    from flowy_watch.meter.config import KeyRules, Limits, MeterConfig, Origins, target_of

    host, port = settings.address
    return MeterConfig(
        target=target_of(settings.upstream, settings.ca_file),
        ledger=settings.ledger,
        host=host,
        port=port,
        origins=Origins(settings.origins),
        origins_key=settings.origins_key.get_secret_value().encode() if settings.origins_key else b"",
        keys={
            key: KeyRules(
                name=rules.name,
                daily_cap=None if rules.daily_cap is None else credits_to_micro(rules.daily_cap),
                daily_runs=rules.daily_runs,
                requests_per_minute=rules.requests_per_minute,
            )
            for key, rules in settings.keys.items()
        },
        prices={app_id: credits_to_micro(price) for app_id, price in settings.prices.items()},
        limits=Limits(
            connections=settings.max_connections,
            body_bytes=settings.max_body * 1024 * 1024,
            answer_seconds=settings.answer_timeout.total_seconds(),
            drain_seconds=settings.drain.total_seconds(),
        ),
    )

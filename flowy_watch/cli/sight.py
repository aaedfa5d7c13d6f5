"""The second half of `check`: what the Flowy it is pointed at offers, and which alerts the source can raise."""

from typing import TYPE_CHECKING, Any

from flowy_watch.cli.common import say

if TYPE_CHECKING:
    from flowy_watch.core.needs import Raisable
    from flowy_watch.settings import Settings
    from flowy_watch.sources.offers import Offers


def show_sight(settings: "Settings", *, quiet: bool) -> list[dict[str, Any]]:
    """Print it unless `quiet`, and return it as entries of the JSON. Nothing of it is a failure."""
    from flowy_watch.core.redact import redact
    from flowy_watch.jobs.check import alerts_possible, offers

    sources = settings.by_trust
    addresses = (address for _, one in sources if (address := getattr(one.config, "base_url", "")))
    base_url = next(addresses, settings.meter.upstream)
    found, why = offers(base_url)
    off = [name for name, detector in settings.detectors.items() if not detector.enabled]
    alerts = alerts_possible({name: (one.kind, one.config) for name, one in sources}, off)
    if not quiet:
        _print_offers(found, redact(why), base_url)
        _print_alerts(alerts)
    entries = [] if found else [_entry("flowy", "openapi.json", ok=False, detail=redact(why))]
    if found:
        entries += [_entry("flowy", one.signal, ok=bool(one.call), detail=one.call) for one in found.signals]
        entries += [_entry("flowy", "proposed configuration", ok=True, detail=found.toml)] if found.toml else []
    return entries + [_entry("alert", one.kind, ok=one.can, detail=one.words) for one in alerts]


def _entry(what: str, name: str, *, ok: bool, detail: str) -> dict[str, Any]:
    return {"what": what, "name": name, "ok": ok, "detail": detail}


def _print_offers(found: "Offers | None", why: str, base_url: str) -> None:
    if found is None:
        say(f"\nWhat the Flowy at {base_url} offers cannot be told: {why}")
        return
    say(f"\nThe Flowy at {base_url} documents {found.calls} calls, and of what is watched")
    for one in found.signals:
        say(f"  {one.signal:<17} {one.call or '–'}")
    if found.toml:
        say("\nThe source `api` can be mapped onto them (a proposal: compare the figures with Flowy's pages):\n")
        say(found.toml.rstrip())
    elif not any(one.call for one in found.signals):
        say("The sources `meter` and `probe` need none of these; `api` is for a workspace that has them elsewhere.")


def _print_alerts(alerts: "list[Raisable]") -> None:
    say("\nAlerts that can be raised")
    for one in alerts:
        say(f"  {one.kind:<13} {'yes' if one.can else 'no '}  {one.words}")

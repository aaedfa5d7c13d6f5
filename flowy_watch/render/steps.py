"""What to do about it: the decision, what to press, and what comes after."""

from zoneinfo import ZoneInfo

from flowy_watch.core.alert import Alert
from flowy_watch.core.finding import Finding
from flowy_watch.core.press import Until, Verb
from flowy_watch.core.silence import EXPECTABLE
from flowy_watch.core.usage import ALL_KEYS, CREDIT, next_reset
from flowy_watch.core.words import credit_words
from flowy_watch.render.notice import Part, Reader, Role, name_of, tail_of
from flowy_watch.render.phrase import Line, When, argument, bold, code, line

_PUT_BACK = {
    "new_key": "Not planned? Revoke it",
    "active_again": "Not planned? Revoke it again",
}
_REPLACE = line(bold("Replace:"), " a new key with a daily cap of 2–3× a normal day.")
_LEAK = line(bold("Find the leak:"), " who had it, and where it lies: code, CI, browser, logs.")
_SUPPORT = line(bold("Used again after that?"), " Then the revoke does not hold: write to Flowy's support.")


def steps(alert: Alert, reader: Reader, when: When) -> tuple[Part, ...]:
    """The decision first, then the one thing to press, then the rest."""
    finding = alert.finding
    special = {"balance": _balance, "blind": _blind, "unattributed": _unattributed}.get(finding.kind)
    if special:
        return special(alert, reader)
    if finding.kind == "safeguard":
        return _safeguard(alert, reader)
    if finding.key_id == ALL_KEYS:
        return _unattributed(alert, reader)
    if not name_of(finding):
        return (_decision(alert, "Expected?"),)
    if _revoked_before(alert):
        return (_decision(alert, "Known?"), _stop(alert, reader), _after(alert, _SUPPORT))
    softer = (_softer(finding, when),) if finding.suspicious_only else ()
    return (_decision(alert, "Expected?", expect=when), *softer, _stop(alert, reader), _after(alert, _REPLACE))


def after_stop(alert: Alert, reader: Reader) -> tuple[Part, ...]:
    """What is left to do once the key is quiet: where it is still listed as active, the stop itself."""
    if alert.stop and alert.stop.still_listed:
        lines = (line(bold("Look whether it is revoked"), ", by an owner or editor:"), _path(alert.finding, "Revoke"))
        return (Part(Role.STOP, lines, link=reader.api_keys_url),)
    return (Part(Role.MORE, bullets=(_REPLACE, _LEAK)),)


def stop_of(alert: Alert, reader: Reader) -> tuple[Part, ...]:
    """What is left to do for whoever looks after it: the way to stop it."""
    return tuple(
        part for part in steps(alert, reader, When(reader.timezone, alert.last_seen_at)) if part.role is Role.STOP
    )


def verbs_for(alert: Alert) -> tuple[Verb, ...]:
    """What can be pressed. What nobody can know better than the figures is not to be expected."""
    finding = alert.finding
    expectable = finding.kind in EXPECTABLE and finding.key_id and not _revoked_before(alert)
    stoppable = finding.key_id and finding.key_id != ALL_KEYS and finding.kind != "safeguard"
    return (
        Verb.ACKNOWLEDGE,
        Verb.SILENCE,
        *([Verb.EXPECT] if expectable else []),
        *([Verb.STOP] if stoppable else []),
        *([Verb.BLOCK] if stoppable and finding.meter_key else []),
    )


def ends(timezone: ZoneInfo) -> dict[Until, str]:
    """The ends that can be chosen, as they are called."""
    return {
        Until.MIDNIGHT: "the reset tonight (00:00 UTC)",
        Until.DAY: "24 hours from now",
        Until.FRIDAY: f"Friday 18:00 ({timezone.key})"[:75],
    }


def _decision(alert: Alert, question: str, *, expect: When | None = None) -> Part:
    lines = [line(bold(question), " ", code(f"flowy-watch ack {alert.id}"))]
    if expect and (key := argument(alert.finding.key_name, alert.finding.key_id or "")):
        until = alert.finding.stakes.resets_at if alert.finding.stakes else next_reset(expect.now)
        verb = "expect" if alert.finding.kind in EXPECTABLE else "silence"
        lines.append(line("or until the reset: ", code(f"flowy-watch {verb} {key} --until {until:%Y-%m-%dT%H:%MZ}")))
    return Part(Role.DECISION, tuple(lines))


def _path(finding: Finding, last: str) -> Line:
    """The exact way in Flowy."""
    return line(bold(f"Settings → API keys → {name_of(finding)}{tail_of(finding)} → {last}"))


def _stop(alert: Alert, reader: Reader) -> Part:
    finding = alert.finding
    doubt = "Stolen?" if finding.suspicious_only else "Not expected?"
    lines = (
        line(bold("Revoke it again" if _revoked_before(alert) else f"{doubt} Revoke now"), ", by an owner or editor:"),
        _path(finding, "Revoke"),
        line("Stops at once everything that uses this key: its runs are refused (401)."),
        _block(finding),
    )
    return Part(Role.STOP, lines, link=reader.api_keys_url)


def _block(finding: Finding) -> Line:
    """The fast stop, where there is one, with what it cannot do."""
    if not finding.meter_key:
        return ()
    key = argument(finding.key_name, finding.meter_key)
    how = code(f"flowy-watch block {key}")
    return line(bold("Faster: block it at the meter"), " ", how, ". What goes past it goes on: revoke too.")


def _softer(finding: Finding, when: When) -> Part:
    """The cap set to today's spend, where a stop by the cap can still change something."""
    stakes = finding.stakes
    if stakes is None:
        way = (line(bold("Not sure? Softer stop:")), _path(finding, "daily cap = today's spend"))
        return Part(Role.SOFTER, way)
    reset = when.clock(stakes.resets_at)
    if stakes.daily_cap is not None and stakes.spent_today >= stakes.daily_cap:
        held = f" Its cap holds it until {reset}. To keep it stopped after that, lower the cap:"
        return Part(Role.SOFTER, (line(bold("Not sure?"), held), _path(finding, "daily cap")))
    cap = credit_words(max(stakes.spent_today, CREDIT))  # a cap of 0 could be read as none
    stop = line(bold("Not sure? Softer stop:"), f" no new runs until {reset}:")
    return Part(Role.SOFTER, (stop, _path(finding, f"daily cap = {cap}")))


def _revoked_before(alert: Alert) -> bool:
    finding, stop = alert.finding, alert.stop
    return (finding.kind == "last_used" and finding.period == "revoked") or (stop is not None and bool(stop.used_at))


def _after(alert: Alert, then: Line) -> Part:
    bullets = (
        line(
            bold("Revoked it?"),
            " ",
            code(f"flowy-watch ack {alert.id} --revoked"),
            " Within two polls flowy-watch says whether the key is quiet; any use after that is a critical alert.",
        ),
        then,
        _LEAK,
    )
    return Part(Role.MORE, bullets=bullets)


def _safeguard(alert: Alert, reader: Reader) -> tuple[Part, ...]:
    finding = alert.finding
    what = finding.facts.get("what", "")
    if what == "refused":
        still = line("Everything that uses this key stands still: its requests are refused (401).")
        return (_decision(alert, "Planned? All is well."), Part(Role.MORE, bullets=(still, _REPLACE)))
    if what in _PUT_BACK:
        lines = (line(bold(_PUT_BACK[what]), ", by an owner or editor:"), _path(finding, "Revoke"))
    else:
        lines = (line(bold("Not planned? Put it back"), ", by an owner or editor:"), _path(finding, "Edit"))
    bullets = (line(bold("Nobody did it?"), " Then somebody else may hold an owner's or editor's login."),)
    return (
        _decision(alert, "Planned? All is well."),
        Part(Role.STOP, lines, link=reader.api_keys_url),
        Part(Role.MORE, bullets=bullets),
    )


def _balance(alert: Alert, reader: Reader) -> tuple[Part, ...]:
    lines = (
        line(bold("At zero every run of every key stops"), ", whatever the caps say."),
        line(bold("Top up"), " the workspace's credits in Flowy, or lower the caps of the keys that burn most:"),
        line(bold("Settings → API keys → the key → daily cap")),
    )
    return (_decision(alert, "Expected?"), Part(Role.STOP, lines, link=reader.api_keys_url))


def _blind(alert: Alert, _: Reader) -> tuple[Part, ...]:
    """No question whether it is expected: while it lasts nobody watches."""
    what = alert.finding.facts.get("what", "")
    cause = {
        "clock": "Set this machine's clock (NTP).",
        "frozen": "See whether the source still gets new figures.",
    }.get(what, "Look at the network, the source's address and its credential.")
    lines = (
        line(bold("Find the cause: "), code("flowy-watch check"), " tries every step and says which one fails."),
        line(cause),
        line("Until then look at Last used in Flowy: ", bold("Settings → API keys"), "."),
    )
    more = (line("No spend alert opens or resolves while blind. You are told once when it is over."),)
    return (Part(Role.STOP, lines), Part(Role.MORE, bullets=more), _decision(alert, "Known?"))


def _unattributed(alert: Alert, reader: Reader) -> tuple[Part, ...]:
    lines = (
        line(bold("Find who spends:"), " compare with the list in Flowy, key by key:"),
        line(bold("Settings → API keys → Last used")),
        line("A key that is not watched, or runs that were started without a key, would explain it."),
    )
    return (_decision(alert, "Explained?"), Part(Role.STOP, lines, link=reader.api_keys_url))

"""Words about a key that is said or seen to be revoked, and about alerts that come and go."""

from datetime import timedelta

from flowy_watch.core.alert import Alert
from flowy_watch.core.stop import Stop, Toll
from flowy_watch.core.words import credit_words, span_words
from flowy_watch.render.phrase import Line, When, bold, line, who


def stop_lines(stop: Stop, when: When) -> tuple[Line, ...]:
    """Who says that the key is revoked, and what the polls since have seen."""
    if stop.by:
        said = line(bold(who(stop.by)), " reported the key revoked at ", bold(when(stop.reported_at)), ".")
    else:
        said = line("Flowy shows the key revoked since ", bold(when(stop.reported_at)), ".")
    if stop.used_at:
        wrong = (
            "Either another key was revoked, or the revoke did not hold." if stop.by else "The revoke does not hold."
        )
        return said, line("It was ", bold(f"used at {when(stop.used_at)}"), ", after that. ", wrong)
    if stop.quiet_since is None:
        return said, line("The next two polls check that: either it is quiet, or you are told at once.")
    quiet = line("Two polls since have seen no use: ", bold(f"quiet since {when(stop.quiet_since)}"), ".")
    if not stop.still_listed:
        return said, quiet
    doubt = line(
        bold("But Flowy still lists this key as active."), " Was it this one? A key nobody uses is quiet, too."
    )
    return said, quiet, doubt


def toll_lines(toll: Toll | None) -> tuple[Line, ...]:
    """What it cost and how long it took; nothing where that is not known yet."""
    if toll is None:
        return ()
    above = "above a usual day" if toll.beyond_usual else "spent since this alert opened"
    lost = line("Lost: ", bold(f"{credit_words(toll.loss)} credits"), f", {above}.")
    ended = (
        f"last used {_span(toll.stopped_after)} after the alert" if toll.stopped_after else "not used after the alert"
    )
    if toll.detected_after is None:
        return lost, line(f"The key was {ended}.")
    return lost, line(f"You were told {_span(toll.detected_after)} after its first odd use; it was {ended}.")


def wobble_line(alert: Alert, when: When) -> Line:
    """That it comes and goes; empty where it does not."""
    wobble = alert.wobble
    times = f"{wobble.back} times" if wobble.back > 1 else "once"
    if wobble.flapping_since is None:
        return line(f"It had gone away and came back {times}.") if wobble.back else ()
    since = bold(when(wobble.flapping_since))
    if alert.resolved_at:
        return line(bold("It came and went:"), f" back {times}, flapping since ", since, ".")
    still = f"only if it gets worse or stays away for {span_words(alert.life.settles_after)}"
    return line(bold("It comes and goes"), f" (flapping): back {times}, since ", since, f". You hear again {still}.")


def _span(span: timedelta) -> str:
    return span_words(span) if span else "within a second"

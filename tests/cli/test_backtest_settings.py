"""Other settings of the knob are tried in the same pass, and would have told just that."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from random import Random

import pytest

from flowy_watch.core.alert import Alert
from flowy_watch.core.finding import Finding, Severity
from flowy_watch.core.usage import Reading
from flowy_watch.detectors import DETECTORS, KeyRules, View
from flowy_watch.detectors.base import about_key
from flowy_watch.detectors.ramp import RampConfig
from flowy_watch.jobs.backtest import ODD_SPEND, Setting, backtest, setting_for
from tests.builders import DAY, MIDNIGHT, MINUTE, reading, snapshot
from tests.jobs.rigs import detectors, rules

KINDS = tuple(DETECTORS)


def bursty(days: int = 24, keys: int = 6) -> list[Reading]:
    """Keys that spend in bursts of every size, and polls that are missing."""
    dice, spent, out = Random(7), [0.0] * keys, []
    for n in range(days * 48):
        at = MIDNIGHT - days * DAY + n * 30 * MINUTE
        if at.hour == at.minute == 0:
            spent = [0.0] * keys
        for key in range(keys):
            spent[key] += dice.choice((0, 4, 8)) + (dice.random() < 0.02) * dice.paretovariate(1.5) * 20
        if n % 97:
            listed = [snapshot(s, at, cap=900, key_id=f"key_{k}", name=f"k{k}") for k, s in enumerate(spent)]
            out.append(reading(*listed, at=at, balance=1_000_000 - n))
    return out


class Fickle:
    """Tells less from a loose setting than from a strict one, as a ramp gives way to a spike."""

    Config = RampConfig

    def examine(self, view: View) -> Iterator[Finding]:
        for history in view.histories:
            verdict = history.verdict
            if verdict and verdict.surprise > 3 and 3.2 < view.threshold(history) < verdict.surprise + 1:
                yield about_key(history, view, "ramp", Severity.WARNING, "drifts")


def told(alerts: Iterable[Alert]) -> list[tuple[str, str | None, datetime]]:
    return [(alert.finding.kind, alert.finding.key_id, alert.opened_at) for alert in alerts]


@pytest.mark.slow
def test_trying_settings_in_one_pass_equals_a_whole_replay_with_each() -> None:
    readings, chosen, watching = bursty(), (0.1, 0.5, 4.0, 16.0), [*detectors(*KINDS), Fickle()]

    def rules_of(key_id: str, name: str) -> KeyRules:
        return KeyRules(sensitivity=5.0 if key_id == "key_1" else 1.0)

    tried = backtest(readings, watching, rules_of, 4.0, settings=chosen, scenes=True)
    whole = [backtest(readings, watching, rules_of, setting) for setting in chosen]

    assert tried.alerts == whole[2].alerts
    assert [one.false_alarms_per_month for one in tried.settings] == list(chosen)
    for setting, replayed in zip(tried.settings, whole, strict=True):
        assert told(setting.alerts) == [one for one in told(replayed.alerts) if one[0] in ODD_SPEND]
    spikes, ramps = ([sum(a.finding.kind == kind for a in s.alerts) for s in tried.settings] for kind in ODD_SPEND)
    assert spikes[0] < spikes[-1]
    assert len(set(ramps)) > 1


def test_the_knob_moves_nothing_but_odd_spend() -> None:
    calm, loose = (backtest(bursty(), detectors(*KINDS), rules().rules_of, knob).alerts for knob in (0.1, 1000.0))
    assert len(calm) < len(loose)
    assert [one for one in told(calm) if one[0] not in ODD_SPEND] == [o for o in told(loose) if o[0] not in ODD_SPEND]


def test_rates_are_per_thirty_days() -> None:
    tested = backtest(bursty(), detectors("spike"), rules().rules_of, settings=[16.0])
    assert tested.months == pytest.approx(24 / 30, rel=0.01)
    [setting] = tested.settings
    assert setting.per_month == pytest.approx(len(setting.alerts) / tested.months)
    assert len(setting.alerts) >= 3


def test_a_setting_for_a_wanted_rate_is_the_nearest_below_it_and_the_quietest_of_equals() -> None:
    settings = [Setting(knob, 3.0, (), rate) for knob, rate in ((0.5, 2), (1, 3), (2, 6), (4, 6), (8, 9))]
    wanted = {rate: setting_for(rate, settings) for rate in (1, 2, 5.9, 8, 100)}
    assert {rate: one and one.false_alarms_per_month for rate, one in wanted.items()} == {
        1: None,
        2: 0.5,
        5.9: 1,
        8: 2,
        100: 8,
    }


def test_progress_is_heard_of_every_poll() -> None:
    heard: list[datetime] = []
    backtest(bursty(2), detectors("cap"), rules().rules_of, progress=heard.append)
    assert heard == [one.taken_at for one in bursty(2)]

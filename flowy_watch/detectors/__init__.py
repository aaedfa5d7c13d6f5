"""The rules. A new one is a file here and a line in `DETECTORS`."""

from collections.abc import Callable
from typing import Any

from flowy_watch.detectors.balance import BalanceDetector
from flowy_watch.detectors.base import Detector, KeyRules, View
from flowy_watch.detectors.blind import BlindDetector
from flowy_watch.detectors.cap import CapDetector
from flowy_watch.detectors.last_used import LastUsedDetector
from flowy_watch.detectors.new_app import NewAppDetector
from flowy_watch.detectors.new_origin import NewOriginDetector
from flowy_watch.detectors.ramp import RampDetector
from flowy_watch.detectors.safeguard import SafeguardDetector
from flowy_watch.detectors.spike import SpikeDetector
from flowy_watch.detectors.unattributed import UnattributedDetector

DETECTORS: dict[str, Callable[[Any], Detector]] = {
    "cap": CapDetector,
    "spike": SpikeDetector,
    "ramp": RampDetector,
    "last_used": LastUsedDetector,
    "new_origin": NewOriginDetector,
    "new_app": NewAppDetector,
    "balance": BalanceDetector,
    "unattributed": UnattributedDetector,
    "safeguard": SafeguardDetector,
    "blind": BlindDetector,
}

__all__ = ["DETECTORS", "Detector", "KeyRules", "View"]

"""What a configuration can see: of its sources, and of the Flowy it is pointed at."""

from collections.abc import Iterable, Mapping

from pydantic import BaseModel

from flowy_watch.core.needs import Raisable, raisable
from flowy_watch.core.provenance import Figure, Knowledge, Sure
from flowy_watch.errors import SourceError
from flowy_watch.sources import SOURCES
from flowy_watch.sources.contract import ApiOptions
from flowy_watch.sources.export import FileOptions
from flowy_watch.sources.offers import Offers, look
from flowy_watch.sources.probe import ProbeOptions

_MAPPED = {
    Figure.LAST_USED: "last_used_at",
    Figure.STATUS: "status",
    Figure.CAP: "daily_cap",
    Figure.RATE_LIMIT: "rate_limit",
}


def knowledge(kind: str, config: BaseModel) -> Knowledge:
    """What a source of this kind knows, as it is configured."""
    knows = dict(SOURCES[kind].knows)
    if isinstance(config, ApiOptions):
        for figure, field in _MAPPED.items():
            if not getattr(config.fields, field):
                knows.pop(figure, None)
        if not (config.workspace.path and config.workspace.balance):
            knows.pop(Figure.BALANCE, None)
    if isinstance(config, FileOptions) and config.workspace is None:
        knows.pop(Figure.BALANCE)
    if isinstance(config, ProbeOptions) and config.prices:
        knows[Figure.SPENT] = Sure.BY_PRICE
    return knows


def alerts_possible(sources: Mapping[str, tuple[str, BaseModel]], off: Iterable[str]) -> list[Raisable]:
    """Every kind of alert: whether these sources, by name, can raise it. `off` are detectors that are switched off."""
    found = raisable({name: knowledge(kind, config) for name, (kind, config) in sources.items()}, off=off)
    together = [name for name, (_, config) in sources.items() if isinstance(config, ProbeOptions) and config.prices]
    return [
        Raisable(one.kind, one.can, f"{one.words}, of all keys together")
        if one.can and any(f"spend by price ({name})" in one.words for name in together)
        else one
        for one in found
    ]


def offers(base_url: str) -> tuple[Offers | None, str]:
    """What the Flowy at this address documents today; or None, and why that cannot be said."""
    try:
        return look(base_url), ""
    except SourceError as error:
        return None, str(error)

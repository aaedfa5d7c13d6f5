"""The kinds of source: one file and one line here each."""

from flowy_watch.sources.api import ApiSource
from flowy_watch.sources.base import Kind
from flowy_watch.sources.export import FileSource
from flowy_watch.sources.meter import MeterSource
from flowy_watch.sources.probe import ProbeSource

SOURCES: dict[str, Kind] = {"api": ApiSource, "file": FileSource, "meter": MeterSource, "probe": ProbeSource}

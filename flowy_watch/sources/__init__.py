"""The kinds of source: one file and one line here each."""

from flowy_watch.sources.api import ApiSource

SOURCES = {"api": ApiSource}

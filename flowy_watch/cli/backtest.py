"""`backtest`: the same detectors over history."""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flowy_watch.cli.common import Json, Mapping, a_file, app, fail, mapped, now_utc, say, settings_of, span_of, usage

if TYPE_CHECKING:
    from flowy_watch.core.usage import Reading
    from flowy_watch.jobs.backtest import Backtest
    from flowy_watch.render.chart_page import Table
    from flowy_watch.settings import Settings


@app.command(short_help="Run the same detectors over history.")
def backtest(
    context: typer.Context,
    snapshots: Annotated[Path | None, typer.Argument(metavar="[SNAPSHOTS.csv[.gz]]", callback=a_file)] = None,
    workspace: Annotated[
        Path | None, typer.Option("--workspace", callback=a_file, help="A file of at,balance.")
    ] = None,
    map_: Mapping = None,
    last: Annotated[str | None, typer.Option("--last", help="From the database instead of a file: 30d.")] = None,
    sweep: Annotated[
        float | None,
        typer.Option("--sweep", metavar="WANTED", help="Find the setting for so many alerts about odd spend a month."),
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", callback=a_file, help="Write one page with a chart for each alert."),
    ] = None,
    png: Annotated[
        Path | None, typer.Option("--png", metavar="DIR", help="Write each chart as a picture into a folder.")
    ] = None,
    json: Json = False,
) -> None:
    """Run the same detectors over history: what would have been told, and what other settings would tell."""
    from flowy_watch import show
    from flowy_watch.core.words import counted
    from flowy_watch.jobs.backtest import FINE_SETTINGS, SETTINGS, setting_for

    if (snapshots is None) == (last is None):
        raise usage("give a file of snapshots or --last, one of the two")
    called = mapped(map_)
    if last and workspace:
        raise usage("--workspace goes with a file; the database knows its balances")
    if sweep is not None and not 0 < sweep < float("inf"):
        raise usage("--sweep must be a number of alerts above 0")
    settings = _settings_for_backtest(context, needed=last is not None)
    present = settings.workspace.false_alarms_per_month
    told = {} if json and not sweep and not html else dict.fromkeys((*SETTINGS, present))
    finer = FINE_SETTINGS if sweep else ()
    result = _replay(settings, snapshots, workspace, last, called, tried=(*told, *finer), scenes=bool(html or png))
    chosen = setting_for(sweep, result.settings) if sweep else None
    tables = (
        show.kinds_table(result.alerts, result.months),
        show.knob_table([one for one in result.settings if one.false_alarms_per_month in told], present),
    )
    if html:
        _write_page(html, result, tables)
    if png:
        _write_pictures(png, result)
    if html or png:  # beside the figures, which may go into a file
        written = [str(html)] * bool(html) + [f"{counted(len(result.scenes), 'chart')} into {png}"] * bool(png)
        sys.stderr.write(f"Wrote {' and '.join(written)}\n")
    if json:
        fields = show.backtest_fields(result.alerts, result.polls, result.keys)
        if sweep:
            fields["settings"] = [show.setting_fields(one) for one in result.settings]
            fields["chosen"] = chosen and chosen.false_alarms_per_month
        say(show.as_json(fields))
        return
    for alert in result.alerts:
        say(f"{alert.opened_at:%Y-%m-%d %H:%M} UTC  {alert.finding.severity.word:8}  {alert.finding.title}")
    say(f"{_summary(result)}{show.period(result)}")
    for table in tables:
        show.print_table(table)
    if sweep:
        say("\n" + show.sweep_words(sweep, chosen, result.settings))


def _settings_for_backtest(context: typer.Context, *, needed: bool) -> "Settings":
    """A file needs no configuration; the database has to be found."""
    from flowy_watch.errors import NoSettings
    from flowy_watch.settings import parse

    try:
        return settings_of(context, to_look=True)
    except NoSettings:
        if needed:
            raise
        return parse('source.token = "not used here"', environ={})


def _replay(
    settings: "Settings",
    snapshots: Path | None,
    workspace: Path | None,
    last: str | None,
    called: dict[str, str],
    *,
    tried: Iterable[float],
    scenes: bool,
) -> "Backtest":
    """The history of a file, or of the database where there is none, with a bar on a terminal."""
    from contextlib import ExitStack, closing

    from rich.console import Console
    from rich.progress import Progress

    from flowy_watch.app import build_detectors, open_store
    from flowy_watch.core.words import counted
    from flowy_watch.jobs.backtest import backtest as replay
    from flowy_watch.sources.file import read_export

    readings: Iterable[Reading]
    with ExitStack() as stack:
        bar = stack.enter_context(Progress(console=Console(stderr=True), disable=not sys.stderr.isatty()))
        task = bar.add_task("Reading", total=None)
        if snapshots:
            export = read_export(snapshots, workspace, settings.import_.columns.called | called)
            readings = export.readings
            if export.bad.count:
                first = export.bad.named[0]
                lines = counted(export.bad.count, "line")
                skipped = f"{lines} skipped, the first is line {first.number}: {first.reason}"
                sys.stderr.write(f"flowy-watch: {skipped}\n")
            start, end = readings[0].taken_at, readings[-1].taken_at
        else:
            end = now_utc()
            start = end - span_of(last or "", "--last")
            store = stack.enter_context(closing(open_store(settings)))
            readings = stack.enter_context(store.read()).usage.readings(start)
        bar.update(task, description="Replaying", total=(end - start).total_seconds())
        result = replay(
            readings,
            build_detectors(settings),
            settings.rules_of,
            settings.workspace.false_alarms_per_month,
            settings=tried,
            scenes=scenes,
            progress=lambda at: bar.update(task, completed=(at - start).total_seconds()),
        )
    if not result.polls:
        raise fail(f"the database holds no snapshot of the last {last}; `flowy-watch import` adds some")
    return result


def _summary(result: "Backtest") -> str:
    from flowy_watch.core.words import counted

    alerts, polls, keys = len(result.alerts), result.polls, result.keys
    return f"{counted(alerts, 'alert')} in {counted(polls, 'poll')} of {counted(keys, 'key')}"


def _write_page(file: Path, result: "Backtest", tables: "Sequence[Table]") -> None:
    from flowy_watch import show
    from flowy_watch.render.chart_page import backtest_page

    summary = f"{_summary(result)}{show.period(result)}."
    html = backtest_page("What flowy-watch would have told", summary, tables, result.scenes)
    try:
        file.write_text(html, encoding="utf-8")
    except OSError as error:
        raise fail(f"cannot write {file}: {error.strerror}") from None


def _write_pictures(folder: Path, result: "Backtest") -> None:
    from flowy_watch.render.chart_alert import picture, picture_name

    try:
        folder.mkdir(parents=True, exist_ok=True)
        for scene in result.scenes:
            (folder / picture_name(scene)).write_bytes(picture(scene))
    except OSError as error:
        raise fail(f"cannot write {error.filename or folder}: {error.strerror}") from None

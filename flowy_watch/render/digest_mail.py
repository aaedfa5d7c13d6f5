"""A digest in each dialect: the mail with its pictures and its table, one message elsewhere."""

import re
from base64 import b64encode
from dataclasses import dataclass

from jinja2 import Environment

from flowy_watch.core.digest import Digest
from flowy_watch.core.edition import Issue
from flowy_watch.core.message import EmailMessage, Enclosure
from flowy_watch.render.digest_pictures import Picture, pictures_of, spark_of
from flowy_watch.render.digest_table import table_of
from flowy_watch.render.digest_words import Row, Sheet, sheet_of
from flowy_watch.render.notice import Mood, Notice, Part, Reader, Role
from flowy_watch.render.phrase import When, bold, line, plain, visible

SERIES = "digest"


@dataclass(frozen=True, slots=True)
class Ranked:
    """A row of the table with its small picture."""

    row: Row
    spark: Enclosure | None


def mail_of(issue: Issue, reader: Reader, environment: Environment) -> EmailMessage:
    """Every try of an issue is the same mail: it is made of what the issue holds, and of nothing else."""
    digest = issue.digest
    sheet = _sheet(digest, reader)
    pictures = [] if sheet.empty else pictures_of(digest)
    ranked = list(_ranked(sheet, digest))
    given = {"sheet": sheet, "plain": plain, "link": reader.api_keys_url, "pictures": pictures, "ranked": ranked}
    html = environment.get_template("digest/mail.html.j2").render(**given)
    enclosures = [*_files(pictures), *(one.spark for one in ranked if one.spark)]
    return EmailMessage(
        sheet.subject,
        text_of(sheet, environment),
        html,
        (*enclosures, table_of(digest)) if digest.keys else tuple(enclosures),
        to=(issue.edition.recipient,) if issue.edition.recipient else (),
        series=SERIES,
    )


def text_of(sheet: Sheet, environment: Environment) -> str:
    """The same for a text-only reader, written for reading."""
    return environment.get_template("digest/mail.txt.j2").render(sheet=sheet, plain=plain, table=_columns)


def notice_of(digest: Digest, reader: Reader) -> Notice:
    """The same as one short message, for Slack and for channels without pictures."""
    sheet = _sheet(digest, reader)
    asks = tuple(line(*ask.what, f" ({ask.owner})" if ask.owner else "", "\n", *ask.where) for ask in sheet.asks)
    rows = tuple(
        line(bold(row.name), row.tail, f"  {row.spent}", f" · {row.share}" if row.share else "", _change(row))
        for row in sheet.rows
    )
    more = tuple(
        part for section in sheet.sections for part in (Part(Role.MORE, (line(bold(section.title)),), section.lines),)
    )
    parts = (
        Part(Role.DECISION, (line(bold("To do")),), asks, link=reader.api_keys_url) if asks else Part(Role.DECISION),
        Part(Role.VERDICT, (*sheet.caveats, *sheet.verdict)),
        Part(Role.MONEY, (line(bold("Who"), ", in credits"),), rows) if rows else Part(Role.MONEY),
        *more,
    )
    return Notice(Mood.WARNING if asks else Mood.INFO, sheet.subject, parts, sheet.footer)


def page_of(mail: EmailMessage) -> str:
    """What the mail shows, as one file that a browser opens: the pictures stand inside."""
    shown = {file.cid: file for file in mail.enclosures if file.inline}

    def inside(match: re.Match[str]) -> str:
        file = shown[match[1]]
        return f'src="data:{file.media_type};base64,{b64encode(file.content).decode()}"'

    return re.sub(r'src="cid:([^"]+)"', inside, mail.html)


def _sheet(digest: Digest, reader: Reader) -> Sheet:
    return sheet_of(digest, visible(reader.workspace), When(reader.timezone, digest.made_at))


def _ranked(sheet: Sheet, digest: Digest) -> list[Ranked]:
    return [
        Ranked(row, spark_of(row.key, number, digest.period.length) if row.key else None)
        for number, row in enumerate(sheet.rows, 1)
    ]


def _files(pictures: list[Picture]) -> list[Enclosure]:
    return [file for picture in pictures for file in (picture.light, picture.dark)]


def _change(row: Row) -> str:
    return f" ({row.change})" if row.change else ""


def _columns(rows: tuple[Row, ...], width: int = 30) -> list[str]:
    """Rows of a table in plain text: names to the left, figures to the right under each other."""
    cells = [(_cut(f"{row.name}{row.tail}", width), row.spent, row.share, row.change) for row in rows]
    widths = [max((len(cell) for cell in column), default=0) for column in zip(*cells, strict=True)]
    return [
        "  ".join(
            [name.ljust(widths[0]), *(cell.rjust(wide) for cell, wide in zip(rest, widths[1:], strict=True))]
        ).rstrip()
        for name, *rest in cells
    ]


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"

"""Files of all kinds, and the lines in them that are none."""

import gzip
from pathlib import Path
from typing import Any

import pytest

from flowy_watch.errors import SourceError
from flowy_watch.sources.lines import LONGEST, Columns, opened

WANTED = Columns("snapshot", ("id", "spent"), ("id",))


def rows(path: Path, content: str | bytes, columns: Columns = WANTED) -> list[tuple[int, Any]]:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with opened(path) as lines:
        return list(lines.rows(columns))


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_csv_is_read_whatever_stands_between_its_columns_and_lines(tmp_path: Path, delimiter: str, end: str) -> None:
    content = end.join(delimiter.join(row) for row in (["spent", "id", "x"], ["1", "a", ""], ["", '"b ""c"""', ""]))
    assert rows(tmp_path / "f.csv", content) == [(2, {"id": "a", "spent": "1"}), (3, {"id": 'b "c"', "spent": ""})]


def test_compression_and_json_are_known_by_what_is_in_the_file(tmp_path: Path) -> None:
    packed = gzip.compress(b'\n{"id": "a", "spent": 1}\n\n{"id": "b"}')
    assert rows(tmp_path / "export", packed) == [(2, {"id": "a", "spent": 1}), (4, {"id": "b"})]


def test_columns_may_be_called_otherwise(tmp_path: Path) -> None:
    columns = Columns("snapshot", ("id", "spent"), ("id",), {"id": "API key"})
    assert rows(tmp_path / "f.csv", "API key,Spent\na,1\n", columns) == [(2, {"id": "a", "spent": "1"})]
    assert rows(tmp_path / "f.jsonl", '{"API key": "a", "id": 7}', columns) == [(1, {"id": "a"})]
    with pytest.raises(SourceError, match="has id, spent and not API key; say what it calls them: --map id=NAME"):
        rows(tmp_path / "f.csv", "id,spent\na,1\n", columns)


def test_a_column_that_stands_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="has 2 columns id"):
        rows(tmp_path / "f.csv", "id,id\na,b\n")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'"a,1', "has a quote out of place, or one that is not closed on its line"),
        (b'"a"x,1', "has a quote out of place, or one that is not closed on its line"),
        (b"a", "has 1 columns and not 2"),
        (b"a,1,", "has 3 columns and not 2"),
        (b"caf\xe9,1", "is not UTF-8"),
        (b"a" * (LONGEST + 9), f"is longer than {LONGEST:,} bytes"),
    ],
)
def test_a_bad_line_takes_no_other_with_it(tmp_path: Path, line: bytes, reason: str) -> None:
    found = rows(tmp_path / "f.csv", b"id,spent\nbefore,1\n" + line + b'\n"after",2\n')
    assert found == [(2, {"id": "before", "spent": "1"}), (3, reason), (4, {"id": "after", "spent": "2"})]


def test_json_lines_that_hold_no_object_are_named(tmp_path: Path) -> None:
    found = rows(tmp_path / "f.jsonl", '{"id": 1}\n[1]\n{"id": NaN}\n{"id": "a"')
    assert [row if isinstance(row, str) else "" for _, row in found] == [
        "",
        "is not a JSON object",
        "is not JSON",
        "is not JSON",
    ]

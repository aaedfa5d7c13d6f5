"""What one pull brings, and when it brings nothing at all."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowy_watch.core.usage import CREDIT, Skipped
from flowy_watch.errors import CredentialRefused, SourceError
from flowy_watch.sources.api import ApiSource

from .conftest import TOKEN, MakeSource
from .server import NOON, FakeTime, Reply, Request, Server, key, listed, pages, workspace


def refusal(source: ApiSource, now: datetime = NOON) -> str:
    with pytest.raises(SourceError) as caught:
        source.pull(now)
    return str(caught.value)


def ids(source: ApiSource) -> list[str]:
    return [snapshot.key_id for snapshot in source.pull(NOON).snapshots]


def test_a_pull_brings_keys_balance_and_the_name_of_the_workspace(source: ApiSource) -> None:
    reading = source.pull(NOON)
    assert [s.key_id for s in reading.snapshots] == ["key_1", "key_2"]
    assert (reading.taken_at, reading.balance, reading.workspace_name) == (NOON, 5000 * CREDIT, "Studio")
    assert (reading.skipped, reading.clock_offset) == ((), timedelta(0))


def test_the_credential_travels_as_a_bearer_token_with_every_request(source: ApiSource, server: Server) -> None:
    source.pull(NOON)
    assert {request.headers["authorization"] for request in server.requests} == {f"Bearer {TOKEN}"}


def test_headers_and_query_of_the_configuration_are_sent(make: MakeSource, server: Server) -> None:
    make(headers={"X-Team": "media", "Authorization": "Basic abc"}, keys={"query": {"org": "o1"}}).pull(NOON)
    assert server.requests[0].query == {"org": "o1", "limit": "500"}
    assert server.requests[0].headers["x-team"] == "media"
    assert server.requests[0].headers["authorization"] == "Basic abc"


def test_one_connection_serves_many_pulls(source: ApiSource, server: Server) -> None:
    for _ in range(3):
        source.pull(NOON)
    assert server.connections == 1


def test_a_workspace_without_keys_is_an_empty_reading(source: ApiSource, server: Server) -> None:
    server.scripts["/keys"] = listed()
    assert source.pull(NOON).snapshots == ()


# --- pages


def test_pages_are_followed_to_the_last(make: MakeSource, server: Server) -> None:
    server.scripts["/keys"] = pages([key(n) for n in range(7)], 3)
    assert ids(make(page_limit=3)) == [f"key_{n}" for n in range(7)]
    assert [r.query for r in server.requests if r.path == "/keys"] == [
        {"limit": "3"},
        {"limit": "3", "cursor": "3"},
        {"limit": "3", "cursor": "6"},
    ]


@pytest.mark.parametrize("last", [{}, {"nextCursor": None}, {"nextCursor": ""}])
def test_an_absent_null_or_empty_cursor_ends_the_list(source: ApiSource, server: Server, last: dict[str, Any]) -> None:
    server.scripts["/keys"] = Reply({"data": [key(1)]} | last)
    assert ids(source) == ["key_1"]


def test_a_list_that_has_no_pages_is_asked_for_once_and_plainly(make: MakeSource, server: Server) -> None:
    source = make(keys={"cursor_param": "", "limit_param": "", "next_cursor": ""})
    assert ids(source) == ["key_1", "key_2"]
    assert server.requests[0].query == {}


def test_a_next_page_that_cannot_be_asked_for_is_not_left_out_in_silence(make: MakeSource, server: Server) -> None:
    server.scripts["/keys"] = Reply({"data": [key(1)], "nextCursor": "2"})
    assert "source.keys.cursor_param is empty" in refusal(make(keys={"cursor_param": ""}))


def test_a_bare_list_can_be_mapped(make: MakeSource, server: Server) -> None:
    server.scripts["/keys"] = Reply([key(1)])
    assert ids(make(keys={"items": "@"})) == ["key_1"]


def test_a_cursor_that_comes_back_refuses_the_poll(source: ApiSource, server: Server) -> None:
    server.scripts["/keys"] = Reply({"data": [key(1)], "nextCursor": "again"})
    assert refusal(source) == "GET /keys names the same next page twice: its pages never end"


def test_too_many_pages_refuse_the_poll(make: MakeSource, server: Server) -> None:
    server.scripts["/keys"] = pages([key(n) for n in range(9)], 1)
    assert refusal(make(max_pages=3)) == "GET /keys has more than 3 pages (source.max_pages)"
    assert len(server.requests) == 3


def test_exactly_as_many_pages_as_allowed_are_read(make: MakeSource, server: Server) -> None:
    server.scripts["/keys"] = pages([key(n) for n in range(3)], 1)
    assert len(ids(make(max_pages=3))) == 3


@pytest.mark.parametrize("cursor", [True, 1.5, [], {"at": 1}])
def test_a_cursor_that_is_none_refuses_the_poll(source: ApiSource, server: Server, cursor: Any) -> None:
    server.scripts["/keys"] = Reply({"data": [key(1)], "nextCursor": cursor})
    assert "source.keys.next_cursor leads to neither text nor null" in refusal(source)


def test_a_cursor_expression_that_fails_refuses_the_poll(make: MakeSource, server: Server) -> None:
    server.scripts["/keys"] = Reply({"data": [key(1)], "more": 1})
    assert "source.keys.next_cursor" in refusal(make(keys={"next_cursor": "join(',', more)"}))


def test_a_page_that_fails_to_the_end_refuses_the_whole_poll(source: ApiSource, server: Server) -> None:
    first = Reply({"data": [key(1)], "nextCursor": "2"})
    server.scripts["/keys"] = lambda request: Reply({}, 503) if request.query.get("cursor") else first
    assert "Flowy is in trouble (503); tried 5 times" in refusal(source)


@pytest.mark.parametrize(
    "body", [{}, {"data": None}, {"data": {}}, {"data": "no"}, {"error": "x"}, None, 7, "text", [], [key(1)]]
)
def test_a_page_without_a_list_refuses_the_poll(source: ApiSource, server: Server, body: Any) -> None:
    server.scripts["/keys"] = Reply(body)
    assert refusal(source).startswith("GET /keys: source.keys.items is data, but ")


_ITEMS = [key(n) for n in range(9)] + [key(3, spentToday=99), key(20, status="?"), {"name": "no id"}, key(4)]


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(_ITEMS), min_size=1), st.integers(1, 15))
def test_pages_of_any_size_give_the_same_reading(
    source: ApiSource, server: Server, items: list[dict[str, Any]], size: int
) -> None:
    outcomes = []
    for per_page in (len(items), size):
        server.scripts["/keys"] = pages(items, per_page)
        try:
            outcomes.append(repr(source.pull(NOON)))
        except SourceError as error:
            outcomes.append(str(error))
    assert outcomes[0] == outcomes[1]


# --- which cap day


@pytest.mark.parametrize("days", [-1, 1])
def test_a_source_that_lives_in_another_day_refuses_the_poll(
    source: ApiSource, server: Server, days: int, time: FakeTime
) -> None:
    server.time = FakeTime(NOON + timedelta(days=days))
    assert "cannot tell which cap day" in refusal(source)


def test_a_day_that_ends_between_two_pages_refuses_the_poll(make: MakeSource, server: Server, time: FakeTime) -> None:
    time.at = datetime(2026, 3, 10, 23, 59, 59, tzinfo=UTC)
    page = pages([key(1), key(2)], 1)

    def slow(request: Request) -> Reply:
        if request.query.get("cursor"):
            time.move(timedelta(seconds=2))
        return page(request)

    server.scripts["/keys"] = slow
    assert "cannot tell which cap day" in refusal(make(), time.now())


def test_a_day_that_ends_while_reading_is_noticed_without_a_date_too(
    make: MakeSource, server: Server, time: FakeTime
) -> None:
    time.at = datetime(2026, 3, 10, 23, 59, 59, tzinfo=UTC)
    server.time = None

    def slow(_: Request) -> Reply:
        time.move(timedelta(seconds=2))
        return workspace()

    server.scripts["/workspace"] = slow
    assert "the UTC day changed while the keys were read" in refusal(make(), time.now())


# --- clocks


@pytest.mark.parametrize(("apart", "told"), [(90, 90), (-90, -90), (1, 0), (-1, 0), (0, 0)])
def test_the_difference_of_the_clocks_is_told_but_not_below_their_resolution(
    source: ApiSource, server: Server, apart: int, told: int
) -> None:
    server.time = FakeTime(NOON + timedelta(seconds=apart))
    assert source.pull(NOON).clock_offset == timedelta(seconds=told)


def test_a_slow_answer_is_not_taken_for_a_wrong_clock(source: ApiSource, server: Server, time: FakeTime) -> None:
    def slow(_: Request) -> Reply:
        time.move(timedelta(seconds=8))
        return listed(key(1))

    server.scripts["/keys"] = slow
    assert source.pull(NOON).clock_offset == timedelta(0)


@pytest.mark.parametrize("date", ["", "soon", "Tue, 99 Mar 2026 12:00:00 GMT"])
def test_without_a_date_that_can_be_read_no_offset_is_told(source: ApiSource, server: Server, date: str) -> None:
    server.time = None
    for path in ("/keys", "/workspace"):
        reply = server.scripts[path]
        assert isinstance(reply, Reply)
        reply.headers["Date"] = date
    assert source.pull(NOON).clock_offset is None


def test_a_key_used_while_the_pages_were_read_is_believed(make: MakeSource, server: Server, time: FakeTime) -> None:
    def slow(_: Request) -> Reply:
        time.move(timedelta(minutes=3))
        return listed(key(1, lastUsedAt="2026-03-10T12:07:00Z"))

    server.scripts["/keys"] = slow
    assert len(make(deadline=600).pull(NOON).snapshots) == 1


# --- keys that cannot be believed


def test_one_key_that_cannot_be_believed_is_left_out_and_named(source: ApiSource, server: Server) -> None:
    server.scripts["/keys"] = listed(key(1), key(2, spentToday=None))
    reading = source.pull(NOON)
    assert [s.key_id for s in reading.snapshots] == ["key_1"]
    assert reading.skipped == (Skipped("key_2", "spentToday is null, not a number"),)


def test_a_literal_nan_spoils_one_key_and_not_the_list(source: ApiSource, server: Server) -> None:
    server.scripts["/keys"] = listed(key(1), key(2, spentToday=float("nan")), key(3, spentToday=float("inf")))
    reading = source.pull(NOON)
    assert [s.key_id for s in reading.snapshots] == ["key_1"]
    assert [s.key_id for s in reading.skipped] == ["key_2", "key_3"]


def test_a_lone_surrogate_in_a_name_spoils_nothing(source: ApiSource, server: Server) -> None:
    server.scripts["/keys"] = listed(key(1, name="a\ud800b"))
    assert source.pull(NOON).snapshots[0].name == "ab"


def test_when_no_key_can_be_believed_the_commonest_reason_is_told(source: ApiSource, server: Server) -> None:
    server.scripts["/keys"] = listed(key(1, status="?"), key(2, spentToday=...), key(3, spentToday=...))
    assert refusal(source) == (
        "none of the 3 keys listed can be believed; the commonest reason: spentToday is missing; check source.fields"
    )


# --- the balance


@pytest.mark.parametrize(
    ("balance", "reason"),
    [
        (None, "data.creditBalance is null, not a number"),
        ("5000", "data.creditBalance is text, not a number"),
        (float("nan"), "data.creditBalance is not an amount"),
        (-(10**30), "data.creditBalance is not an amount"),
    ],
)
def test_a_balance_that_cannot_be_believed_does_not_stop_the_watch_over_keys(
    source: ApiSource, server: Server, balance: Any, reason: str
) -> None:
    server.scripts["/workspace"] = workspace(balance)
    reading = source.pull(NOON)
    assert (len(reading.snapshots), reading.balance, reading.workspace_name) == (2, None, "Studio")
    assert reading.skipped[0].key_id == "workspace"
    assert reason in reading.skipped[0].reason


@pytest.mark.parametrize("body", [{}, {"data": None}, [], {"data": {"creditBalance": {}}}])
def test_a_missing_balance_is_named(source: ApiSource, server: Server, body: Any) -> None:
    server.scripts["/workspace"] = Reply(body)
    reading = source.pull(NOON)
    assert (reading.balance, reading.workspace_name) == (None, None)
    assert [s.key_id for s in reading.skipped] == ["workspace"]


def test_a_debt_is_told_as_one(source: ApiSource, server: Server) -> None:
    server.scripts["/workspace"] = workspace(-12.5)
    assert source.pull(NOON).balance == -12_500_000


@pytest.mark.parametrize("status", [403, 404])
def test_a_workspace_that_is_not_offered_costs_only_the_balance(source: ApiSource, server: Server, status: int) -> None:
    server.scripts["/workspace"] = Reply({"error": "no"}, status)
    reading = source.pull(NOON)
    assert (len(reading.snapshots), reading.balance) == (2, None)
    assert f"({status})" in reading.skipped[0].reason


def test_a_workspace_in_trouble_to_the_end_refuses_the_poll(source: ApiSource, server: Server) -> None:
    server.scripts["/workspace"] = Reply({}, 500)
    assert refusal(source).startswith("GET /workspace: Flowy is in trouble (500)")


def test_a_credential_revoked_between_the_two_calls_is_told(source: ApiSource, server: Server) -> None:
    server.scripts["/workspace"] = Reply({"error": "revoked"}, 401)
    with pytest.raises(CredentialRefused):
        source.pull(NOON)


def test_a_workspace_configured_away_is_never_asked_for(make: MakeSource, server: Server) -> None:
    reading = make(workspace={"path": ""}).pull(NOON)
    assert (reading.balance, reading.skipped, server.paths()) == (None, (), ["/keys"])


def test_a_balance_configured_away_leaves_the_name(make: MakeSource) -> None:
    reading = make(workspace={"balance": ""}).pull(NOON)
    assert (reading.balance, reading.workspace_name, reading.skipped) == (None, "Studio", ())


# --- check


def lines(source: ApiSource) -> dict[str, tuple[bool, str]]:
    return {check.name: (check.ok, check.detail) for check in source.check(NOON)}


def test_check_says_what_works(source: ApiSource) -> None:
    assert lines(source) == {
        "reachable": (True, ""),
        "credential accepted": (True, ""),
        "keys listed": (True, "2 listed"),
        "balance offered": (True, ""),
        "clocks agree": (True, ""),
    }


def test_check_says_what_to_do_about_a_refused_credential(source: ApiSource, server: Server) -> None:
    server.scripts["/keys"] = Reply({"error": "no"}, 401)
    assert lines(source)["credential accepted"] == (
        False,
        "GET /keys: the credential is refused (401): no; replace source.token",
    )


def test_check_says_what_to_do_when_nobody_answers(make: MakeSource) -> None:
    ok, detail = lines(make(base_url="http://127.0.0.1:9", retries=0))["reachable"]
    assert not ok
    assert "cannot connect" in detail
    assert "check source.base_url" in detail


@pytest.mark.parametrize(
    ("path", "reply", "name", "said"),
    [
        ("/keys", Reply(b"<html>"), "keys listed", "is a web page"),
        ("/keys", listed(key(1), key(2, status=1)), "keys listed", "1 listed, 1 skipped; the commonest reason: status"),
        ("/keys", listed(), "keys listed", "source.token"),
        ("/workspace", Reply({}, 404), "balance offered", 'source.workspace.path = ""'),
        ("/workspace", Reply({}, 400), "balance offered", "refused (400)"),
    ],
)
def test_check_says_what_to_do_about(
    source: ApiSource, server: Server, path: str, reply: Reply, name: str, said: str
) -> None:
    server.scripts[path] = reply
    ok, detail = lines(source)[name]
    assert not ok
    assert said in detail


def test_check_says_when_a_clock_is_wrong(source: ApiSource, server: Server) -> None:
    server.time = FakeTime(NOON + timedelta(minutes=10))
    assert lines(source)["clocks agree"] == (
        False,
        "the source is 600 s ahead; synchronise the clock of this machine (NTP)",
    )
    server.time = FakeTime(NOON - timedelta(minutes=1))
    assert lines(source)["clocks agree"] == (True, "the source is 60 s behind")

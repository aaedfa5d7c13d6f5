"""Who is let in, and what is not even heard."""

import socket
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
import structlog
from structlog.testing import capture_logs

from flowy_watch.app import build_app
from flowy_watch.demo import dashboard
from flowy_watch.errors import SettingsError
from flowy_watch.settings import parse
from flowy_watch.web import beside

from .house import TOKEN, VIEWER, Browser, House


def signed_in(client: httpx.Client) -> bool:
    return client.get("/settings").status_code == 200


def test_nothing_is_shown_to_who_has_not_signed_in(house: House) -> None:
    answer = house.client().get("/settings")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?next=/settings")


def test_a_link_signs_in_once(house: House) -> None:
    link, first, second = house.link(), Browser(house.client()), Browser(house.client())
    assert first.get(link).status_code == 200  # looking at it, as a mail program does, does not use it up
    assert first.send(link).status_code == 303
    assert signed_in(first.client)
    assert second.send(link).status_code == 401
    assert not signed_in(second.client)


def test_a_link_is_worth_nothing_after_ten_minutes(house: House) -> None:
    link = house.link()
    house.clock.at += timedelta(minutes=10)
    assert Browser(house.client()).send(link).status_code == 401


def test_a_session_ends_by_itself_and_by_signing_out(house: House) -> None:
    first, second = house.browser(), house.browser()
    assert first.act("/sign-out").status_code == 303
    assert (signed_in(first.client), signed_in(second.client)) == (False, True)
    house.clock.at += timedelta(hours=12)
    assert not signed_in(second.client)


def test_the_cookie_is_out_of_reach_of_scripts_and_of_other_sites(house: House) -> None:
    answer = Browser(house.client()).send(house.link())
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie


def test_behind_https_the_cookie_is_for_https_alone(tmp_path: Path) -> None:
    with House(tmp_path, web='url = "https://watch.example.com"') as house:
        cookie = Browser(house.client()).send(house.link()).headers["set-cookie"].lower()
        assert "secure" in cookie
        assert house.client(headers={"host": "watch.example.com"}).get("/healthz").status_code == 200


def test_a_token_signs_in_as_operator_or_as_viewer(house: House) -> None:
    for token, acts in ((TOKEN, True), (VIEWER, False)):
        browser = Browser(house.client())
        assert browser.send("/sign-in", token=token, name="Ana", next="/settings").headers["location"] == "/settings"
        assert ("(viewer)" not in browser.get("/settings").text) == acts


@pytest.mark.parametrize("target", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)"])
def test_signing_in_leads_to_a_page_of_ours_alone(house: House, target: str) -> None:
    answer = Browser(house.client()).send("/sign-in", token=TOKEN, next=target)
    assert answer.headers["location"] == "/"


def test_a_session_ends_when_its_token_is_replaced(tmp_path: Path) -> None:
    with House(tmp_path) as house:
        by_token, by_link = Browser(house.client()), house.browser()
        by_token.send("/sign-in", token=TOKEN)
        cookies = [dict(browser.client.cookies) for browser in (by_token, by_link)]
    with House(tmp_path, web='token = "another-token-of-today"') as house:
        assert [signed_in(house.client(cookies=cookie)) for cookie in cookies] == [False, True]
        assert house.machine(TOKEN).get("/readyz").status_code == 401


def test_after_ten_wrong_tokens_nobody_there_is_listened_to_for_a_while(house: House) -> None:
    browser = Browser(house.client())
    answers = [browser.send("/sign-in", token=f"wrong-{n}").status_code for n in range(11)]
    assert answers == [401] * 10 + [429]
    refused = browser.send("/sign-in", token=TOKEN)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "301")
    house.clock.at += timedelta(minutes=5, seconds=1)
    assert browser.send("/sign-in", token=TOKEN).status_code == 303


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8420", "127.0.0.1.evil.example", "127.0.0.1@evil", ""])
def test_a_name_that_is_not_ours_is_not_served(house: House, host: str) -> None:
    assert house.client(headers={"host": host}).get("/healthz").status_code == 421


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1", "http://[", None])
def test_a_form_on_another_site_changes_nothing(house: House, origin: str | None) -> None:
    browser = house.browser()
    headers = {} if origin is None else {"origin": origin}
    assert browser.send("/sign-out", csrf=browser.csrf, headers=headers).status_code == 403
    assert signed_in(browser.client)


@pytest.mark.parametrize("csrf", ["", "0" * 64, "ä"])
def test_a_form_without_its_token_changes_nothing(house: House, csrf: str) -> None:
    browser = house.browser()
    assert browser.send("/sign-out", csrf=csrf).status_code == 403
    assert signed_in(browser.client)


def test_a_form_of_another_session_changes_nothing(house: House) -> None:
    first, second = house.browser(), house.browser()
    assert first.send("/sign-out", csrf=second.csrf).status_code == 403


def test_a_body_that_is_too_large_is_refused_before_it_is_read(house: House) -> None:
    browser = house.browser()
    assert browser.send("/sign-out", csrf="x" * 100_000).status_code == 413
    pieces = browser.client.post("/sign-out", content=iter([b"x" * 70_000]), headers=browser.origin)
    assert pieces.status_code == 413


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [(b"{}", "application/json", 415), (b"a=%ff", "application/x-www-form-urlencoded", 400)],
)
def test_what_is_no_form_is_refused(house: House, content: bytes, kind: str, status: int) -> None:
    browser = house.browser()
    headers = browser.origin | {"content-type": kind}
    assert browser.client.post("/sign-out", content=content, headers=headers).status_code == status


@pytest.mark.parametrize(
    "path", ["/static/../site.py", "/static/%2e%2e/site.py", "/static/..%2fsite.py", "/static//etc/passwd", "/static/"]
)
def test_no_path_leads_out_of_the_static_files(house: House, path: str) -> None:
    with socket.create_connection(("127.0.0.1", int(house.url.rpartition(":")[2])), timeout=5) as line:
        line.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: line.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 404")


def test_every_answer_is_framed(house: House) -> None:
    browser = house.browser()
    for path in ("/settings", "/sign-in", "/nowhere", "/static/watch.css", "/healthz", "/api/v1/nowhere"):
        headers = browser.get(path).headers
        assert headers["content-security-policy"].startswith("default-src 'self'"), path
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["cache-control"] == ("no-cache" if path.startswith("/static/") else "no-store"), path
        assert headers["x-content-type-options"] == "nosniff"
        assert "server" not in headers


def test_listening_elsewhere_needs_a_token() -> None:
    with pytest.raises(SettingsError, match=r"^web must have a token to listen elsewhere than on loopback: set web"):
        parse('source.token = "s"\nweb.listen = "0.0.0.0:8420"', environ={})
    assert parse('source.token = "s"\nweb.listen = "0.0.0.0:8420"\nweb.enabled = false', environ={}).web.token is None
    with pytest.raises(SettingsError, match="web must have two different tokens"):
        parse('source.token = "s"\nweb.token = "same"\nweb.viewer_token = "same"', environ={})


def test_a_port_in_use_is_one_line_in_the_log_and_no_dashboard(house: House, tmp_path: Path) -> None:
    taken = parse(
        f'source.token = "s"\nstore.url = "sqlite:///{tmp_path}/other.db"\nweb.listen = "{house.url[7:]}"', environ={}
    )
    structlog.reset_defaults()  # a command that another test ran in this process may have silenced the log
    with capture_logs() as logs, build_app(taken) as app, beside(app) as server:
        assert server is None
    (line,) = [line for line in logs if line["event"] == "web.refused"]
    assert line["log_level"] == "error"
    assert line["reason"] == "Address already in use; set another web.listen"


def test_it_can_be_switched_off(tmp_path: Path) -> None:
    off = parse(f'source.token = "s"\nstore.url = "sqlite:///{tmp_path}/w.db"\nweb.enabled = false', environ={})
    with build_app(off) as app, beside(app) as server:
        assert server is None


def test_where_time_runs_faster_a_session_still_lives_twelve_of_our_hours(tmp_path: Path) -> None:
    with House(tmp_path, speed=2000.0) as house:
        browser = house.browser()
        house.clock.at += timedelta(days=900)
        assert browser.get("/alerts").status_code == 200
        house.clock.at += timedelta(days=200)
        assert browser.get("/alerts").status_code == 303


def test_the_demo_says_where_its_dashboard_is_and_signs_in(tmp_path: Path) -> None:
    with House(tmp_path) as house:
        said: list[str] = []
        with dashboard(house.app, said.append):
            (line,) = said
            url, login, code = line.partition(": ")[2].partition("/login/")
            browser = Browser(house.client())
            browser.client.base_url = url
            assert browser.send(login + code).status_code == 303
            assert browser.get("/").status_code == 200

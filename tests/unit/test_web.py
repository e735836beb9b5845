"""The console over HTTP: who gets in, what each role may, and that nothing of a patient is where it must not be."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from deid.naming import Names
from node.audit import chain
from node.jobs import JobId, new_job_id
from node.ledger import open_ledger
from node.settings import Settings
from node.spool import Spool
from node.studies import note_names
from tests import factories
from tests.web import PASSWORDS, Visitor, serving, settings_in

PAGES = {
    "/": "vera",
    "/overview/live": "vera",
    "/studies": "vera",
    "/studies?show=open": "vera",
    "/studies?show=refused": "vera",
    "/studies/1": "vera",
    "/profiles": "vera",
    "/profiles/tcia": "vera",
    "/profiles/compare?first=basic&second=tcia": "vera",
    "/settings": "vera",
    "/quarantine": "vera",
    "/dry-run": "rita",
    "/audit": "ada",
}
NAMES = Names("PSEUDO1", "2.25.1", "2.25.2", "2.25.3")


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return settings_in(tmp_path_factory.mktemp("web"))


@pytest.fixture(scope="module")
def refused(settings: Settings) -> JobId:
    """Let there be a study of two instances, one delivered and one refused."""
    ledger, spool, job_id = open_ledger(settings.spool.path), Spool(settings.spool.path, 0), new_job_id()
    delivered = new_job_id()
    for each in (delivered, job_id):
        ledger.received(each, "default", 100)
        note_names(ledger, each, "default", NAMES)
    ledger.cleaned(delivered, ["archive"])
    ledger.delivered(delivered, "archive", 0)
    spool.incoming_path(job_id).write_bytes(factories.to_bytes(factories.ct()))
    spool.quarantine(job_id, "identifier-left", "(0010,0010)", "default")
    ledger.quarantined(job_id, "identifier-left")
    ledger.close()
    return job_id


@pytest.fixture(scope="module")
def host(settings: Settings, refused: JobId) -> Iterator[str]:
    with serving(settings) as host:
        yield host


@pytest.fixture
def visitor(host: str) -> Visitor:
    return Visitor(host)


def audited(settings: Settings) -> list[str]:
    return [entry["what"] for entry in chain.entries(settings.spool.path)]


@pytest.mark.parametrize(("page", "name"), PAGES.items())
def test_a_page_is_for_who_may_see_it_and_for_nobody_else(host: str, page: str, name: str) -> None:
    stranger = Visitor(host).get(page)
    assert (stranger.status, stranger.headers["Location"]) == (303, "/login")
    for each in PASSWORDS:
        visitor = Visitor(host)
        assert visitor.log_in(each).status == 303
        names = list(PASSWORDS)
        allowed = names.index(each) >= names.index(name)
        answer = visitor.get(page, Accept="text/html")
        assert answer.status == (200 if allowed else 403)
        assert allowed or "default" not in answer.text


@pytest.mark.parametrize("page", [*PAGES, "/login", "/nowhere", "/static/console.css"])
def test_no_answer_lets_another_site_or_a_script_within_a_page_do_anything(host: str, page: str) -> None:
    visitor = Visitor(host)
    visitor.log_in("ada")
    answer = visitor.get(page, Accept="text/html")
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    if answer.headers.get("Content-Type", "").startswith("text/html"):
        assert answer.headers["Cache-Control"] == "no-store"
        assert "<script>" not in answer.text
        assert " style=" not in answer.text
        assert " onclick" not in answer.text


def test_no_page_asks_for_anything_from_elsewhere(host: str) -> None:
    visitor = Visitor(host)
    visitor.log_in("ada")
    for page in PAGES:
        text = visitor.get(page).text
        assert 'src="http' not in text
        assert 'href="http' not in text


def test_the_session_is_out_of_reach_of_scripts_and_other_sites(visitor: Visitor) -> None:
    answer = visitor.log_in("vera")
    cookie = next(each for each in answer.headers.get_all("Set-Cookie") or [] if each.startswith("deid_session"))
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie


def test_a_wrong_password_is_refused_and_audited_without_what_was_typed(visitor: Visitor, settings: Settings) -> None:
    before = audited(settings).count("sign-in-failed")
    assert visitor.log_in("rita", "not her password").status == 401
    assert visitor.log_in("hunter2-typed-as-name", "x").status == 401
    assert audited(settings).count("sign-in-failed") == before + 2
    log = "".join(json.dumps(entry) for entry in chain.entries(settings.spool.path))
    assert "hunter2" not in log
    assert "not her password" not in log
    assert visitor.get("/").status == 303


def test_who_fails_too_often_has_to_wait_even_with_the_right_password(tmp_path: Path) -> None:
    with serving(settings_in(tmp_path)) as host:
        visitor = Visitor(host)
        assert [visitor.log_in("ada", "wrong").status for _ in range(5)] == [401] * 5
        answer = visitor.log_in("ada")
        assert answer.status == 429
        assert int(answer.headers["Retry-After"]) > 0
        assert Visitor(host).log_in("vera").status == 303


def test_who_tries_many_passwords_at_the_same_time_has_to_wait_as_well(tmp_path: Path) -> None:
    with serving(settings_in(tmp_path)) as host, ThreadPoolExecutor(24) as pool:
        answers = list(pool.map(lambda number: Visitor(host).log_in("nobody", f"wrong {number}").status, range(24)))
    assert Counter(answers) == {401: 5, 429: 19}


def test_a_form_without_the_sessions_token_does_nothing(visitor: Visitor, settings: Settings) -> None:
    visitor.log_in("ada")
    assert visitor.post("/destinations/archive/echo", csrf="").status == 403
    assert visitor.post("/destinations/archive/echo", csrf="x" * 43).status == 403
    assert visitor.post("/destinations/archive/echo").status == 303


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}])
def test_a_form_of_another_site_does_nothing(visitor: Visitor, headers: dict[str, str]) -> None:
    visitor.log_in("ada")
    assert visitor.post("/destinations/archive/echo", headers=headers).status == 403


def test_a_login_form_of_another_site_logs_nobody_in(visitor: Visitor) -> None:
    assert visitor.post("/login", csrf="guessed", name="ada", password=PASSWORDS["ada"]).status == 403


def test_a_logout_ends_the_session_for_good(visitor: Visitor) -> None:
    visitor.log_in("vera")
    token = visitor.cookies["deid_session"]
    assert visitor.post("/logout").status == 303
    visitor.cookies["deid_session"] = token
    assert visitor.get("/").status == 303


def test_a_viewer_may_not_ask_for_echoes_nor_try_files(visitor: Visitor) -> None:
    visitor.log_in("vera")
    assert visitor.post("/destinations/archive/echo").status == 403
    assert visitor.ask("POST", "/dry-run?project=default", b"x", X_CSRF_Token=visitor.csrf).status == 403


def test_a_study_is_found_by_its_new_names_and_says_where_its_instances_are(visitor: Visitor, refused: JobId) -> None:
    visitor.log_in("vera")
    for text in ("PSEUDO1", "2.25.1", "2.25.2", "2.25.3", refused):
        answer = visitor.post("/studies", text=text)
        assert (answer.status, answer.headers["Location"]) == (303, "/studies/1")
    page = visitor.get("/studies/1").text
    assert "identifier-left" in page
    assert "all destinations have it" in page
    assert f"/quarantine/{refused}" in page
    assert "0 found" in visitor.post("/studies", text="DOE^JANE").text


@pytest.mark.parametrize("page", ["/studies?before=%s", "/studies/%s", "/audit?before=%s"])
def test_a_number_that_nothing_has_is_no_mistake_of_the_program(visitor: Visitor, page: str) -> None:
    visitor.log_in("ada")
    assert visitor.get(page % ("9" * 30)).status in {400, 404}
    assert visitor.get(page % ("9" * 5000)).status in {400, 404}


def test_what_is_searched_for_stands_in_no_address(visitor: Visitor) -> None:
    visitor.log_in("vera")
    assert 'method="post" action="/studies"' in visitor.get("/studies").text
    assert "2.25.1" not in visitor.get("/studies?text=2.25.9").headers.as_string()


def test_an_unknown_profile_is_no_way_into_the_file_system(visitor: Visitor) -> None:
    visitor.log_in("vera")
    for name in ("..%2F..%2Fnode", "/etc/passwd", "%2e%2e%2fkey"):
        assert visitor.get(f"/profiles/{name}").status == 404


def test_a_dry_run_says_what_would_happen_and_leaves_nothing(visitor: Visitor, settings: Settings) -> None:
    visitor.log_in("rita")
    before = {path for path in settings.spool.path.rglob("*") if path.is_file()}
    looks = audited(settings).count("looked-at")
    file = factories.to_bytes(factories.ct())
    answer = visitor.ask("POST", "/dry-run?project=default", file, X_CSRF_Token=visitor.csrf)
    assert answer.status == 200
    assert "would be cleaned" in answer.text
    assert "PatientName" in answer.text
    assert audited(settings).count("looked-at") == looks + 1
    assert {path for path in settings.spool.path.rglob("*") if path.is_file()} == before


def test_a_dry_run_of_what_is_no_dicom_file_says_so(visitor: Visitor) -> None:
    visitor.log_in("rita")
    answer = visitor.ask("POST", "/dry-run?project=default", b"no DICOM", X_CSRF_Token=visitor.csrf)
    assert "would be refused" in answer.text
    assert "not-dicom" in answer.text


def test_what_is_too_large_is_not_taken(tmp_path: Path) -> None:
    with serving(settings_in(tmp_path, web="max_upload_bytes = 65536")) as host:
        visitor = Visitor(host)
        visitor.log_in("rita")
        answer = visitor.ask("POST", "/dry-run?project=default", bytes(65537), X_CSRF_Token=visitor.csrf)
        assert answer.status == 413


def test_the_settings_say_where_each_value_is_from(visitor: Visitor) -> None:
    visitor.log_in("vera")
    page = visitor.get("/settings").text
    row = page[page.index('title="min_free_bytes"') :][:300]
    assert "1000000" in row
    assert ">file<" in row
    row = page[page.index('title="keep_finished_days"') :][:300]
    assert ">default<" in row


def test_who_is_removed_is_out_at_once(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    with serving(settings) as host:
        visitor = Visitor(host)
        visitor.log_in("vera")
        assert visitor.get("/").status == 200
        lines = settings.web.users_file.read_text().splitlines(keepends=True)
        settings.web.users_file.write_text("".join(line for line in lines if not line.startswith("vera")))
        assert visitor.get("/").status == 303


def test_a_proxy_says_who_somebody_is_and_nobody_else_does(tmp_path: Path) -> None:
    with serving(settings_in(tmp_path, web='proxy = { header = "X-Remote-User", addresses = ["127.0.0.1"] }')) as host:
        visitor = Visitor(host)
        assert visitor.get("/", X_Remote_User="nobody").status == 403
        assert visitor.get("/").status == 403
        assert visitor.get("/", X_Remote_User="vera").status == 200
        assert visitor.get("/audit", X_Remote_User="vera").status == 403
        assert visitor.get("/audit", X_Remote_User="ada").status == 200  # another user: another session
        assert visitor.get("/").status == 403  # the cookie alone is nothing
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    with serving(settings_in(elsewhere, web='proxy = { header = "X-Remote-User", addresses = ["192.0.2.1"] }')) as host:
        assert Visitor(host).get("/", X_Remote_User="ada").status == 403

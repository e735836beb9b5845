"""The console in a real browser (Debian's chromium): logging in, what a viewer sees, a dry run, both themes, 400 px."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from deid.naming import Names
from node.jobs import JobId, new_job_id
from node.ledger import open_ledger
from node.settings import Settings
from node.spool import Spool
from node.studies import note_names
from tests import factories
from tests.web import browser, has_chromium, log_in_with, look, serving, settings_in

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

pytestmark = [
    pytest.mark.skipif(not has_chromium(), reason="chromium is not installed (Debian: chromium, chromium-driver)"),
    pytest.mark.timeout(600),
]

PAGES = (
    "/",
    "/studies",
    "/studies/1",
    "/quarantine",
    "/dry-run",
    "/profiles",
    "/profiles/tcia",
    "/profiles/compare?first=basic&second=tcia",
    "/audit",
    "/settings",
)
PATIENT = ("Doe", "19500101", "SENTINEL")


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return settings_in(tmp_path_factory.mktemp("console"))


@pytest.fixture(scope="module")
def refused(settings: Settings) -> JobId:
    ledger, spool, job_id = open_ledger(settings.spool.path), Spool(settings.spool.path, 0), new_job_id()
    ledger.received(job_id, "default", 100)
    note_names(ledger, job_id, "default", Names("PSEUDO1", "2.25.1", "2.25.2", "2.25.3"))
    ds = factories.ct()
    ds.PatientName = "SENTINEL^PATIENT"
    spool.incoming_path(job_id).write_bytes(factories.to_bytes(ds))
    spool.quarantine(job_id, "identifier-left", "(0010,0010)", "default")
    ledger.quarantined(job_id, "identifier-left")
    ledger.close()
    return job_id


@pytest.fixture(scope="module")
def host(settings: Settings, refused: JobId) -> Iterator[str]:
    with serving(settings) as host:
        yield host


@pytest.fixture(scope="module")
def chrome() -> Iterator[Chrome]:
    with browser() as driver:
        yield driver


@pytest.fixture
def driver(chrome: Chrome) -> Chrome:
    if chrome.current_url.startswith("http"):
        chrome.delete_all_cookies()
        chrome.get("about:blank")  # no page goes on asking
    chrome.get_log("browser")  # what was said before
    look(chrome, 1280, dark=False)
    return chrome


def wait(condition: Callable[[], object], within_s: float = 120.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def text_of(driver: Chrome) -> str:
    return driver.find_element("tag name", "body").text


def test_somebody_logs_in_and_out(driver: Chrome, host: str) -> None:
    driver.get(f"http://{host}/studies")
    assert driver.current_url.endswith("/login")
    log_in_with(driver, host, "vera")
    assert driver.current_url == f"http://{host}/"
    assert "in quarantine" in text_of(driver)
    driver.find_element("xpath", "//button[text()='Log out']").click()
    wait(lambda: driver.current_url.endswith("/login"))
    driver.back()
    driver.refresh()
    assert "in quarantine" not in text_of(driver)


def test_a_wrong_password_says_so_and_after_some_nobody_may_try(driver: Chrome, tmp_path: Path) -> None:
    with serving(settings_in(tmp_path)) as host:
        for _ in range(5):
            log_in_with(driver, host, "rita", "not the password")
            assert "name or the password is wrong" in text_of(driver)
        log_in_with(driver, host, "rita")
        assert "Too many failures" in text_of(driver)


def test_a_viewer_sees_nothing_of_a_patient(driver: Chrome, host: str, refused: JobId) -> None:
    log_in_with(driver, host, "vera")
    links = [link.text for link in driver.find_elements("css selector", ".top nav a")]
    assert links == ["Overview", "Studies", "Quarantine", "Profiles", "Settings"]
    for page in (*PAGES, f"/quarantine/{refused}"):
        driver.get(f"http://{host}{page}")
        assert not any(value in driver.page_source for value in PATIENT)
        assert driver.title.endswith("deid-node")
    for part in ("header", "frame", "facts"):
        driver.get(f"http://{host}/quarantine/{refused}/{part}")
        assert "Only who is reviewer may do that." in text_of(driver)


def test_a_dry_run_shows_what_would_happen_element_by_element(driver: Chrome, host: str, tmp_path: Path) -> None:
    file = tmp_path / "one.dcm"
    ds = factories.ct()
    ds.PatientName = "SENTINEL^PATIENT"
    file.write_bytes(factories.to_bytes(ds))
    log_in_with(driver, host, "rita")
    driver.get(f"http://{host}/dry-run")
    driver.find_element("id", "file").send_keys(str(file))
    wait(lambda: driver.find_element("id", "status").get_attribute("class"))
    assert "would be cleaned" in text_of(driver)
    assert "SENTINEL" not in driver.current_url + driver.title
    driver.find_element("css selector", "[data-filter]").send_keys("PatientName 0010,0010")

    def shown() -> list[str]:
        return [row.text for row in driver.find_elements("css selector", "#elements tr") if row.is_displayed()]

    wait(lambda: len(shown()) == 1)
    rows = shown()
    assert "SENTINEL^PATIENT" in rows[0]
    assert "pseudonym" in rows[0]


def test_a_study_is_found_by_its_pseudonym(driver: Chrome, host: str) -> None:
    log_in_with(driver, host, "vera")
    driver.get(f"http://{host}/studies")
    field = driver.find_element("name", "text")
    field.send_keys("PSEUDO1\n")
    wait(lambda: driver.current_url == f"http://{host}/studies/1")
    wait(lambda: "identifier-left" in text_of(driver))


def test_the_overview_keeps_itself_fresh(driver: Chrome, host: str, settings: Settings) -> None:
    log_in_with(driver, host, "vera")

    def number() -> str:  # one question, as the part may be replaced between two
        return str(driver.execute_script("return document.querySelectorAll('.figures b')[1].textContent"))

    before = number()
    ledger = open_ledger(settings.spool.path)
    ledger.received(new_job_id(), "default", 100)
    ledger.close()
    wait(lambda: number() != before)


def test_all_can_be_done_with_the_keyboard(driver: Chrome, host: str) -> None:
    from selenium.webdriver.common.keys import Keys

    driver.get(f"http://{host}/login")
    active = driver.switch_to.active_element
    assert active.get_attribute("name") == "name"
    active.send_keys("vera", Keys.TAB, "vera looks at it", Keys.ENTER)
    wait(lambda: driver.current_url == f"http://{host}/")
    wait(lambda: driver.execute_script("return document.readyState") == "complete")
    # from the top of the page: where a browser begins otherwise depends on what had the focus before the page came
    driver.execute_script("document.body.tabIndex = -1; document.body.focus()")
    driver.switch_to.active_element.send_keys(Keys.TAB)
    assert driver.switch_to.active_element.text == "Skip to the content"
    seen = []
    for _ in range(6):
        driver.switch_to.active_element.send_keys(Keys.TAB)
        seen.append(driver.switch_to.active_element.text)
    assert "Studies" in seen


def test_the_theme_is_the_systems_unless_somebody_switches(driver: Chrome, host: str) -> None:
    def ground() -> str:
        return str(driver.execute_script("return getComputedStyle(document.body).backgroundColor"))

    log_in_with(driver, host, "vera")
    light = ground()
    look(driver, 1280, dark=True)
    dark = ground()
    assert light != dark
    driver.find_element("css selector", "[data-theme-switch]").click()
    assert ground() == light
    driver.get(f"http://{host}/studies")
    assert ground() == light  # it is remembered
    driver.execute_script("localStorage.clear()")


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (1280, True), (400, False), (400, True)])
def test_each_page_fits_and_nothing_in_it_is_refused_by_the_browser(
    driver: Chrome, host: str, width: int, dark: bool
) -> None:
    look(driver, width, dark=dark)
    log_in_with(driver, host, "ada")
    for page in PAGES:
        driver.get(f"http://{host}{page}")
        assert driver.current_url == f"http://{host}{page}"
        over = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert (page, driver.execute_script(over)) == (page, 0)
        hidden = "return [...document.querySelectorAll('.scroll > table')].filter((table) => table.scrollWidth >"
        hidden += " table.parentElement.clientWidth).length"  # what one would have to scroll to, sideways
        assert (page, driver.execute_script(hidden)) == (page, 0)
        assert [entry["message"] for entry in driver.get_log("browser") if entry["level"] == "SEVERE"] == []

"""A refused instance in a real browser: looked at, masked, cleaned again, delivered; and who may not look, does not.

A node with all roles, DCMTK's storescp as the archive, and Chromium.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pydicom import dcmread

from deid.errors import Reason
from node.jobs import JobId, new_job_id
from node.spool import Spool
from node.web.users import User, changing, hashed
from tests import factories
from tests.network import Node, free_port, missing, storescp, wait_until
from tests.scanned import COLUMNS, ROWS, SCRIBBLE, page, scanned_document
from tests.sender import send
from tests.web import PASSWORDS, ROLES, browser, log_in_with

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pydicom import Dataset

pytest.importorskip("selenium")
pytestmark = [
    pytest.mark.skipif(bool(missing("storescp", "chromium", "chromedriver")), reason="needs storescp and chromium"),
    pytest.mark.timeout(900),
]

DOCUMENTS = 4
PATIENT = factories.STUDY.patient
WAIT_S = 240
LATE = """
const answered = window.fetch;
const late = new Promise((come) => { window.letCome = come; });
window.fetch = async (what, how) => {
  if (String(what).includes("/frame?") && !String(what).includes("trial=")) await late;
  return answered(what, how);
};
"""
"""A page in which the frame as it came is not answered before somebody says so."""


@dataclass
class Site:
    """A node with refused instances, and the folder of its archive."""

    node: Node
    archive: Path
    host: str
    documents: list[JobId]
    truncated: JobId
    text_left: JobId

    def delivered(self) -> list[Dataset]:
        return [dcmread(path) for path in self._files()]

    def wait_delivered(self, count: int) -> None:
        """Wait until the archive has so many instances, and has said so: before, it may still write the last one."""
        wait_until(lambda: len(self._files()) == count and not self.node.waiting(), WAIT_S, f"{count} are delivered")

    def files_of(self, job_id: JobId) -> list[Path]:
        return [path for path in self.node.spool.rglob("*") if job_id in path.name]

    def _files(self) -> list[Path]:
        return sorted(path for path in self.archive.iterdir() if path.is_file())

    def audited(self, what: str) -> list[dict[str, Any]]:
        lines = (self.node.spool / "audit.log").read_text("utf-8").splitlines()
        return [entry for entry in map(json.loads, lines) if entry["what"] == what]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder, web = tmp_path_factory.mktemp("site"), free_port()
    archive = folder / "archive"
    sections: dict[str, dict[str, object]] = {
        "web": {"port": web, "users_file": "users"},
        "work": {"processes": 1},
    }
    with storescp(archive) as (port, _):
        node = Node(folder / "node", port, profile="tcia", sections=sections)
        node.write_config()
        with changing(node.folder / "users") as users:
            users.update({name: User(name, role, hashed(PASSWORDS[name])) for name, role in ROLES.items()})
        text_left = refused_for_text(node.spool)
        with node:
            paths = []
            for number in range(DOCUMENTS):
                paths.append(folder / f"document{number}.dcm")
                scanned_document(seed=number).save_as(paths[-1], enforce_file_format=True)
            paths.append(folder / "truncated.dcm")
            short = factories.ct(size=64)
            short.PixelData = short.PixelData[:100]
            short.save_as(paths[-1], enforce_file_format=True)
            assert all(answer.status == 0 for answer in send(paths, node.port))
            wait_until(lambda: len(node.quarantined()) == DOCUMENTS + 2, WAIT_S, "all are refused")
            refused = {JobId(each.path.stem): each.reason for each in node.quarantined()}
            documents = [job_id for job_id, reason in refused.items() if reason == "kept-back-by-profile"]
            (truncated,) = (job_id for job_id, reason in refused.items() if reason == "truncated")
            yield Site(node, archive, f"127.0.0.1:{web}", documents, truncated, text_left)


def refused_for_text(folder: Path) -> JobId:
    """Put an instance into quarantine as work does it when it can still read something in a frame after its last look.

    Which frames the networks fail on so differs from version to version of them; what a person then does doesn't.
    """
    spool, job_id = Spool(folder, 0), new_job_id()
    instance = scanned_document(seed=DOCUMENTS, series=20)
    instance.ConversionType = "WSD"  # no document: the profile doesn't keep it back
    spool.incoming_path(job_id).write_bytes(factories.to_bytes(instance))
    spool.quarantine(job_id, Reason.TEXT_LEFT, "text is left in frame 2", "default")
    return job_id


class Browser:
    """Chromium, and somebody who is logged in."""

    def __init__(self, site: Site, driver: Any, user: str) -> None:
        self.driver, self.site = driver, site
        log_in_with(driver, site.host, user)
        self.wait("document.querySelector('form[action=\"/logout\"]')")

    def open(self, path: str) -> None:
        self.driver.get(f"http://{self.site.host}{path}")

    def one(self, selector: str) -> Any:
        return self.driver.find_element("css selector", selector)

    def all(self, selector: str) -> list[Any]:
        return self.driver.find_elements("css selector", selector)

    def said(self, script: str) -> Any:
        return self.driver.execute_script(f"return {script}")

    def wait(self, script: str) -> None:
        wait_until(lambda: bool(self.said(script)), WAIT_S, script, every_s=0.2)

    def sees(self, text: str) -> None:
        """Wait until the page says something: the one before may still be there."""
        self.wait(f"document.querySelector('main')?.innerText.includes({json.dumps(text)})")

    def look(self, job_id: JobId) -> None:
        """Open an instance, and wait until both sides are drawn."""
        self.open(f"/quarantine/{job_id}")
        self.wait("document.getElementById('viewer').dataset.tried === 'yes'")
        for side in ("before", "after"):  # each comes when it is rendered: the one may be there long before the other
            self.wait(f"document.getElementById('viewer').dataset.{side}Frame")

    def area(self) -> dict[str, float]:
        """Return where the frame as it came is in the window."""
        found: dict[str, float] = self.said("document.querySelector('#before svg').getBoundingClientRect().toJSON()")
        return found

    def boxes(self) -> list[list[int]]:
        found: list[list[int]] = json.loads(self.one("#decide [name=boxes]").get_attribute("value"))
        return found

    def place(self, x: int, y: int) -> tuple[int, int]:
        """Return where a pixel of the image is in the window."""
        self.said("document.querySelector('#before svg').scrollIntoView({block: 'center'})")
        left, top, width, height = (self.area()[side] for side in ("left", "top", "width", "height"))
        return int(left + width * x / COLUMNS), int(top + height * y / ROWS)

    def errors(self) -> list[str]:
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]


@pytest.fixture(scope="module")
def rita(site: Site) -> Iterator[Browser]:
    """Return one who reviews."""
    with browser() as driver:
        found = Browser(site, driver, "rita")
        yield found
        assert found.errors() == []


@pytest.fixture
def vera(site: Site) -> Iterator[Browser]:
    """Return one who may not look."""
    with browser() as driver:
        yield Browser(site, driver, "vera")


def drag(on: Browser, start: tuple[int, int], end: tuple[int, int], pointer: str) -> None:
    """Drag from one pixel of the image to another, by mouse or finger."""
    from selenium.webdriver.common.actions.action_builder import ActionBuilder
    from selenium.webdriver.common.actions.pointer_input import PointerInput

    one, other = on.place(*start), on.place(*end)
    actions = ActionBuilder(on.driver, mouse=PointerInput(pointer, pointer))
    actions.pointer_action.move_to_location(*one)
    actions.pointer_action.pointer_down()
    actions.pointer_action.move_to_location((one[0] + other[0]) // 2, other[1])
    actions.pointer_action.move_to_location(*other)
    actions.pointer_action.pointer_up()
    actions.perform()


def near(box: list[int], wanted: tuple[int, ...]) -> bool:
    return all(abs(one - other) <= 3 for one, other in zip(box, wanted, strict=False))


def test_viewer_sees_nothing_of_a_patient(site: Site, vera: Browser) -> None:
    vera.open("/quarantine")
    vera.one(f"a[href='/quarantine/{site.documents[0]}']").click()
    vera.wait("document.querySelector('main h1').textContent.startsWith('Instance')")
    assert str(PATIENT.name).split("^", maxsplit=1)[0] not in vera.driver.page_source
    assert not vera.all("#viewer")
    for part in ("/frame", "/facts", "/header"):
        status = vera.driver.execute_async_script(
            "const done = arguments[1]; fetch(arguments[0]).then(answer => done(answer.status))",
            f"/quarantine/{site.documents[0]}{part}",
        )
        assert status == 403
    vera.open("/quarantine")
    assert not vera.all("form[action='/quarantine/decide'] button")
    looks = [entry["person"] for entry in site.audited("looked-at")]
    assert "vera" not in looks


def test_nothing_is_drawn_on_a_frame_that_is_not_shown_yet_and_nothing_moves_when_it_comes(
    site: Site, rita: Browser
) -> None:
    script = rita.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": LATE})
    try:
        rita.open(f"/quarantine/{site.documents[1]}")
        rita.wait("document.getElementById('viewer').dataset.afterFrame")
    finally:
        rita.driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", script)
    rita.place(0, 0)
    kept_free = rita.area()
    assert kept_free["width"] / kept_free["height"] == pytest.approx(COLUMNS / ROWS, rel=0.01)
    drag(rita, (20, 100), (120, 150), "mouse")
    assert rita.boxes() == []

    rita.said("window.letCome()")
    rita.wait("document.getElementById('viewer').dataset.beforeFrame")
    assert rita.area() == kept_free
    drag(rita, (20, 100), (120, 150), "mouse")
    (box,) = rita.boxes()
    assert near(box, (20, 100, 120, 150))


def test_boxes_are_drawn_by_mouse_by_finger_by_keyboard_and_by_number(site: Site, rita: Browser) -> None:
    from selenium.webdriver.common.keys import Keys

    rita.look(site.documents[1])
    drag(rita, (20, 100), (120, 150), "mouse")
    drag(rita, (200, 100), (300, 150), "touch")
    by_mouse, by_finger = rita.boxes()
    assert near(by_mouse, (20, 100, 120, 150))
    assert near(by_finger, (200, 100, 300, 150))
    assert by_mouse[4:] == by_finger[4:] == [1, 0]

    rita.one("#add").click()
    added = rita.boxes()[2]
    box = rita.one("#before svg [data-index='2']")
    box.send_keys(Keys.ALT, Keys.ARROW_RIGHT)
    box.send_keys(Keys.ALT, Keys.ARROW_DOWN)
    assert rita.boxes()[2] == [added[0] + 1, added[1] + 1, added[2] + 1, added[3] + 1, 1, 0]
    box.send_keys(Keys.ALT, Keys.SHIFT, Keys.ARROW_LEFT)
    assert rita.boxes()[2][2] == added[2]
    box.send_keys(Keys.DELETE)
    assert rita.boxes() == [by_mouse, by_finger]

    last = rita.one("[aria-label='To frame, box 1']")
    last.send_keys("2", Keys.TAB)
    left = rita.one("[aria-label='Left, box 1']")
    left.clear()
    left.send_keys("7", Keys.TAB)
    assert rita.boxes()[0] == [7, *by_mouse[1:4], 1, 2]
    assert len(rita.all("#before svg .drawn")) == 2
    rita.one("#frame").send_keys(Keys.END)
    rita.wait("document.getElementById('viewer').dataset.beforeFrame === '3'")
    assert len(rita.all("#before svg .drawn")) == 1


def test_refused_document_is_looked_at_masked_and_delivered(site: Site, rita: Browser) -> None:
    job_id = site.documents[0]
    rita.open("/quarantine")
    rita.sees("kept-back-by-profile")
    rita.one(f"a[href='/quarantine/{job_id}']").click()
    rita.look(job_id)
    drag(rita, SCRIBBLE[:2], SCRIBBLE[2:], "mouse")
    (box,) = rita.boxes()
    assert near(box, SCRIBBLE)

    rita.one("#try").click()
    rita.wait("document.getElementById('viewer').dataset.tried === 'yes'")
    rita.wait("[...document.querySelectorAll('#masked li')].some(e => e.textContent.includes('drawn-by-a-person'))")
    rita.one("#later").click()
    rita.wait("document.getElementById('viewer').dataset.afterFrame === '2'")
    rita.one("#show-header").click()
    rita.wait("document.querySelector('#header table')")
    family = str(PATIENT.name).split("^", maxsplit=1)[0]
    assert family in rita.one("#header").text
    assert family not in rita.driver.title + rita.driver.current_url

    rita.one("#mask").click()
    rita.wait("document.querySelector('.notice.done')")
    site.wait_delivered(1)
    (clean,) = site.delivered()
    x0, y0, x1, y1 = box[:4]
    assert clean.NumberOfFrames == 3
    for number, frame in enumerate(clean.pixel_array, start=1):
        assert len(np.unique(frame[y0:y1, x0:x1])) == 1
        assert np.array_equal(frame[100:y0], page(number)[100:y0])  # what nobody masked is what it was
    assert PATIENT.patient_id not in str(clean)
    wait_until(lambda: not site.files_of(job_id), 60, "its raw file, its clean one and its review are gone")

    looks = [entry["of"] for entry in site.audited("looked-at") if job_id in entry["jobs"]]
    assert {"image", "header"} <= set(looks)
    (decided,) = (entry for entry in site.audited("decided") if job_id in entry["jobs"])
    assert decided["person"] == "rita"


def test_rest_of_the_series_is_approved_after_a_question(site: Site, rita: Browser) -> None:
    rita.look(site.documents[2])
    before = len(site.delivered())
    rita.one("[name=scope][value=series]").click()
    rita.one("#decide [value=approve]").click()
    rita.sees("Have you seen all of them?")
    assert len(site.delivered()) == before
    rita.one("main form button").click()
    rita.wait("document.querySelector('.notice.done')")
    site.wait_delivered(DOCUMENTS)


def test_instance_in_which_text_was_left_is_shown_where_it_is_masked_and_delivered(site: Site, rita: Browser) -> None:
    before = {ds.SOPInstanceUID for ds in site.delivered()}
    rita.open("/quarantine?reason=text-left-in-pixels")
    rita.sees("After masking there was still something that reads like text.")
    rita.one(f"a[href='/quarantine/{site.text_left}']")
    rita.look(site.text_left)
    rita.wait("document.getElementById('viewer').dataset.beforeFrame === '2'")  # the one that the refusal names
    drag(rita, SCRIBBLE[:2], SCRIBBLE[2:], "mouse")
    (box,) = rita.boxes()
    rita.one("#mask").click()
    rita.wait("document.querySelector('.notice.done')")
    site.wait_delivered(len(before) + 1)
    (clean,) = (ds for ds in site.delivered() if ds.SOPInstanceUID not in before)
    assert site.text_left not in {each.path.stem for each in site.node.quarantined()}
    x0, y0, x1, y1 = box[:4]
    assert [len(np.unique(frame[y0:y1, x0:x1])) for frame in clean.pixel_array] == [1, 1, 1]
    (decided,) = (entry for entry in site.audited("decided") if site.text_left in entry["jobs"])
    assert decided["person"] == "rita"


def test_what_can_not_be_shown_says_why_and_is_discarded_after_a_question(site: Site, rita: Browser) -> None:
    rita.open(f"/quarantine/{site.truncated}")
    rita.wait("document.getElementById('viewer').dataset.tried === 'yes'")
    assert "ends too early" in rita.one("#before .state").text
    assert not rita.all("#decide [value=approve]")
    rita.one("#decide [value=discard]").click()
    rita.sees("for good")
    rita.one("main form button").click()
    rita.wait("document.querySelector('.notice.done')")
    wait_until(lambda: site.node.quarantined() == [], 60, "nothing is left in quarantine")
    time.sleep(1.1)  # answers may be so old
    rita.open(f"/quarantine/{site.truncated}")
    rita.sees("not in quarantine")
    rita.errors()  # the answers that were no pictures, and this page's status, which are not mistakes of the page

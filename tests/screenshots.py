"""Pictures of each page of the console, in both themes and on a phone: ``make screenshots OUT=folder``.

    python -m tests.screenshots FOLDER

The ledger is generated, and the instances of the node that runs are invented: no patient is in any of them.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from node.web.users import User, changing
from tests import factories
from tests.benchmarks.console_bench import filled
from tests.network import Node, free_port, missing, storescp, wait_until
from tests.scanned import scanned_document
from tests.sender import send
from tests.web import PASSWORDS, ROLES, browser, log_in_with, look, screenshot, serving, settings_in, weak_hash

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

PAGES = {
    "overview": "/",
    "studies": "/studies",
    "study": "/studies/3",
    "quarantine": "/quarantine",
    "dry-run": "/dry-run",
    "profiles": "/profiles",
    "profile": "/profiles/tcia",
    "compare": "/profiles/compare?first=basic&second=tcia",
    "audit": "/audit",
    "settings": "/settings",
}
LOOKS = (("light", 1280, False), ("dark", 1280, True), ("phone", 400, False), ("phone-dark", 400, True))
_TALLEST_PX = 1600
_INSTANCES = 5
_WITHIN_S = 120


@dataclass
class Photographer:
    """A browser, where its pictures go, and how many pages were wider than the window."""

    driver: Chrome
    out: Path
    too_wide: int = 0

    def takes(self, name: str, address: str) -> None:
        """Take a page in all looks."""
        for label, width, dark in LOOKS:
            look(self.driver, width, dark=dark)
            self.driver.get(address)
            self.settle(name)
            screenshot(self.driver, self.out / f"{name}-{label}.png", _TALLEST_PX)
            over = self.driver.execute_script(
                "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
            self.too_wide += over > 0
            print(f"{name}-{label}.png{f'  {over} px too wide' * (over > 0)}", flush=True)

    def settle(self, name: str) -> None:
        """Wait for what a page shows only some time after it was loaded."""
        wanted = {
            "dry-run": "document.getElementById('status').className",
            "review": "document.getElementById('viewer').dataset.beforeFrame"
            " && document.getElementById('viewer').dataset.tried",
        }.get(name)
        if name == "dry-run":
            self.driver.find_element("id", "file").send_keys(str(self.out / "instance.dcm"))
        if name == "review":
            self.driver.find_element("id", "show-header").click()
        if wanted is not None:
            script = f"return Boolean({wanted})"
            wait_until(lambda: bool(self.driver.execute_script(script)), _WITHIN_S, name, every_s=0.2)
            time.sleep(0.5)  # the picture behind the words


def main(out: Path) -> int:
    """Write the pictures, and print the name of each and whether the page fits its width."""
    if tools := missing("storescp", "chromium", "chromedriver"):
        print(f"missing: {' '.join(tools)}; install them: apt-get install dcmtk chromium chromium-driver")
        return 2
    out.mkdir(parents=True, exist_ok=True)
    with browser() as driver:
        photographer = Photographer(driver, out)
        with tempfile.TemporaryDirectory() as folder:
            take_generated(photographer, Path(folder))
        with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as (host, refused):
            log_in_with(driver, host, "rita")
            photographer.takes("running", f"http://{host}/")
            photographer.takes("review", f"http://{host}/quarantine/{refused}")
    return int(photographer.too_wide > 0)


def take_generated(photographer: Photographer, folder: Path) -> None:
    """Take the pages of a node that has done much and doesn't run."""
    settings = settings_in(folder)
    filled(settings.spool.path, 2000, 60)
    file = photographer.out / "instance.dcm"
    file.write_bytes(factories.to_bytes(factories.ct()))
    with serving(settings) as host:
        photographer.takes("login", f"http://{host}/login")
        log_in_with(photographer.driver, host, "ada")
        for name, page in PAGES.items():
            photographer.takes(name, f"http://{host}{page}")
    file.unlink()


@contextmanager
def running(folder: Path) -> Iterator[tuple[str, str]]:
    """Run a node that has delivered some instances and refused one; yields the console's address and that one's job."""
    web = free_port()
    sections: dict[str, dict[str, object]] = {
        "web": {"port": web, "users_file": "users"},
        "work": {"processes": 1},
        "forward": {"echo_every_s": 60},
    }
    with storescp(folder / "archive") as (port, _):
        node = Node(folder / "node", port, profile="tcia", sections=sections)
        node.write_config()
        with changing(node.folder / "users") as users:
            users.update({name: User(name, role, weak_hash(PASSWORDS[name])) for name, role in ROLES.items()})
        paths = [folder / f"{number}.dcm" for number in range(_INSTANCES)]
        for number, path in enumerate(paths[1:]):
            factories.ct(seed=number, size=64).save_as(path, enforce_file_format=True)
        scanned_document().save_as(paths[0], enforce_file_format=True)
        with node:
            send(paths, node.port)
            wait_until(lambda: len(node.quarantined()) == 1, _WITHIN_S, "one is refused")
            wait_until(
                lambda: len(list((folder / "archive").iterdir())) == _INSTANCES - 1, _WITHIN_S, "others are sent"
            )
            yield f"127.0.0.1:{web}", node.quarantined()[0].path.stem


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))

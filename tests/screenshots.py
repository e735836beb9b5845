"""Pictures of each page of the console, in both themes and on a phone: ``make screenshots OUT=folder``.

    python -m tests.screenshots FOLDER

The ledger is generated, so that no patient is in any of them.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from tests import factories
from tests.benchmarks.console_bench import filled
from tests.web import browser, has_chromium, log_in_with, look, screenshot, serving, settings_in

PAGES = {
    "overview": "/",
    "studies": "/studies",
    "study": "/studies/3",
    "quarantine": "/quarantine",
    "dry-run": "/dry-run",
    "profiles": "/profiles",
    "profile": "/profiles/tcia",
    "audit": "/audit",
    "settings": "/settings",
}
LOOKS = (("light", 1280, False), ("dark", 1280, True), ("phone", 400, False), ("phone-dark", 400, True))
_TALLEST_PX = 1600


def main(out: Path) -> int:
    """Write the pictures, and print the name of each and whether the page fits its width."""
    if not has_chromium():
        print("missing: chromium; install it: apt-get install chromium chromium-driver")
        return 2
    out.mkdir(parents=True, exist_ok=True)
    too_wide = 0
    with tempfile.TemporaryDirectory() as folder:
        settings = settings_in(Path(folder))
        filled(settings.spool.path, 2000, 60)
        file = Path(folder) / "instance.dcm"
        file.write_bytes(factories.to_bytes(factories.ct()))
        with serving(settings) as host, browser() as driver:
            driver.get(f"http://{host}/login")
            screenshot(driver, out / "login-light.png", _TALLEST_PX)
            log_in_with(driver, host, "ada")
            for name, page in PAGES.items():
                for label, width, dark in LOOKS:
                    look(driver, width, dark=dark)
                    driver.get(f"http://{host}{page}")
                    if name == "dry-run":
                        driver.find_element("id", "file").send_keys(str(file))
                        while not driver.find_element("id", "status").get_attribute("class"):
                            time.sleep(0.2)
                    screenshot(driver, out / f"{name}-{label}.png", _TALLEST_PX)
                    over = driver.execute_script(
                        "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
                    )
                    too_wide += over > 0
                    print(f"{name}-{label}.png{f'  {over} px too wide' * (over > 0)}", flush=True)
    return int(too_wide > 0)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))

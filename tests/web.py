"""A console for tests: a spool, users, the web role in a thread, and visitors that keep cookies as browsers do."""

from __future__ import annotations

import http.client
import re
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import argon2

from node.key import create_key
from node.settings import Settings, load_settings
from node.web import server
from node.web.users import User, UserRole, changing

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

PASSWORDS = {"vera": "vera looks at it", "rita": "rita reviews it", "ada": "ada administers"}
ROLES = {"vera": UserRole.VIEWER, "rita": UserRole.REVIEWER, "ada": UserRole.ADMIN}


@cache
def weak_hash(password: str) -> str:
    """Hash a password so that checking it costs a test nothing."""
    return argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(password)


def free_port() -> int:
    """Give a port that nobody listens on just now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def settings_in(folder: Path, more: str = "", web: str = "") -> Settings:
    """Write a configuration with a console, a key and users; `more` is TOML behind it, `web` keys of ``[web]``."""
    (folder / "spool").mkdir(mode=0o700, exist_ok=True)
    if not (folder / "key").exists():
        create_key(folder / "key")
    (folder / "node.toml").write_text(
        f'key_file = "key"\n[web]\nport = {free_port()}\nusers_file = "users"\n{web}\n'
        f'[spool]\npath = "spool"\nmin_free_bytes = 1000000\n{more}\n',
        "utf-8",
    )
    settings = load_settings(folder / "node.toml")
    with changing(settings.web.users_file) as users:
        for name, role in ROLES.items():
            users[name] = User(name, role, weak_hash(PASSWORDS[name]))
    return settings


@contextmanager
def serving(settings: Settings) -> Iterator[str]:
    """Run the web role; yields ``127.0.0.1:port``."""
    stop, ready = threading.Event(), threading.Event()
    thread = threading.Thread(target=server.run, args=(settings, stop, ready.set))
    thread.start()
    try:
        assert ready.wait(60)
        yield f"127.0.0.1:{settings.web.port}"
    finally:
        stop.set()
        thread.join()


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode("utf-8")


@dataclass
class Visitor:
    """A browser without scripts."""

    host: str
    cookies: dict[str, str] = field(default_factory=dict)
    csrf: str = ""

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        connection = http.client.HTTPConnection(self.host, timeout=60)
        said = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.cookies:
            said["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        connection.request(method, path, body, said)
        got = connection.getresponse()
        answer = Answer(got.status, got.headers, got.read())
        connection.close()
        for cookie in got.headers.get_all("Set-Cookie") or []:
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value.strip('"')
        if found := re.search(rb'name="csrf" value="([^"]+)"', answer.body):
            self.csrf = found[1].decode()
        return answer

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, **headers)

    def post(self, path: str, *, csrf: str | None = None, headers: dict[str, str] | None = None, **form: str) -> Answer:
        fields = {"csrf": self.csrf if csrf is None else csrf, **form}
        body = urlencode(fields).encode()
        return self.ask("POST", path, body, Content_Type="application/x-www-form-urlencoded", **(headers or {}))

    def log_in(self, name: str, password: str | None = None) -> Answer:
        self.get("/login")
        answer = self.post("/login", name=name, password=PASSWORDS[name] if password is None else password)
        if answer.status == 303:
            self.get("/")  # for its CSRF token
        return answer


def has_chromium() -> bool:
    """Say whether Debian's browser and its driver are installed."""
    return shutil.which("chromium") is not None and shutil.which("chromedriver") is not None


@contextmanager
def browser(width: int = 1280, *, dark: bool = False) -> Iterator[Chrome]:
    """Start a browser that nobody sees."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    for word in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"):
        options.add_argument(word)
    options.binary_location = str(shutil.which("chromium"))
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        driver.set_page_load_timeout(60)
        look(driver, width, dark=dark)
        yield driver
    finally:
        driver.quit()


def look(driver: Chrome, width: int, *, dark: bool) -> None:
    """Let the page be so many pixels wide, and the system be dark or not."""
    driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600},
    )
    scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": scheme})


def log_in_with(driver: Chrome, host: str, name: str, password: str | None = None) -> None:
    """Log in as a person does, and wait for the page behind it."""
    from selenium.webdriver.support import expected_conditions
    from selenium.webdriver.support.ui import WebDriverWait

    driver.get(f"http://{host}/login")
    driver.find_element("name", "name").send_keys(name)
    driver.find_element("name", "password").send_keys(PASSWORDS[name] if password is None else password)
    button = driver.find_element("css selector", "button.main")
    button.click()
    WebDriverWait(driver, 60).until(expected_conditions.staleness_of(button))
    WebDriverWait(driver, 60).until(lambda now: now.execute_script("return document.readyState") == "complete")


def screenshot(driver: Chrome, path: Path, tallest_px: int = 4000) -> None:
    """Write a picture of the page, from its top."""
    import base64

    width, height = driver.execute_script(
        "return [document.documentElement.clientWidth, document.documentElement.scrollHeight]"
    )
    clip = {"x": 0, "y": 0, "width": width, "height": min(height, tallest_px), "scale": 1}
    wanted = {"captureBeyondViewport": True, "format": "png", "clip": clip}
    path.write_bytes(base64.b64decode(driver.execute_cdp_cmd("Page.captureScreenshot", wanted)["data"]))

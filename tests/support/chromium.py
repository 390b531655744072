# SPDX-License-Identifier: Apache-2.0
"""A page in the system's own Chromium, without a window: clicked like a reader would, its errors and requests heard.

Debian's packages are chromium and chromium-driver; with CI set their absence is a failure. Nothing is downloaded.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

_WAIT_S = 60


def require_chromium() -> tuple[str, str]:
    """The browser and its driver. Skips the test, or fails it under CI, when one is missing."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    driver = shutil.which("chromedriver")
    if browser is None or driver is None:
        text = "chromium or chromedriver not found; apt install chromium chromium-driver"
        pytest.fail(text) if os.environ.get("CI") else pytest.skip(text)
    return browser, driver


@dataclass(frozen=True)
class Browser:
    """One window, used for page after page."""

    driver: webdriver.Chrome

    def open(self, page: Path, *, width: int = 1280, height: int = 900, dark: bool = False) -> None:
        """Load a file and wait until its script says that it is ready."""
        self._command("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])
        self._command("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600)
        for kind in ("browser", "performance"):
            self.driver.get_log(kind)
        self.driver.get(page.as_uri())
        self.until("return document.documentElement.dataset.ready === 'true'")

    def problems(self) -> list[str]:
        """What the console complained of since the page was opened."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def requests(self) -> list[str]:
        """Addresses asked for since the page was opened, without what the page itself contains."""
        messages = (json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance"))
        sent = [message["params"]["request"]["url"] for message in messages if message["method"] == "Network.requestWillBeSent"]
        return [url for url in sent if not url.startswith("data:")]

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def until(self, script: str, *arguments: Any) -> Any:
        """Run the script until it returns something true, and return that."""
        return WebDriverWait(self.driver, _WAIT_S, poll_frequency=0.05).until(lambda driver: driver.execute_script(script, *arguments))

    def find(self, selector: str) -> WebElement:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def click(self, selector: str) -> None:
        element = self.find(selector)
        self.run("arguments[0].scrollIntoView({block: 'center'})", element)
        element.click()

    def type(self, selector: str, text: str) -> None:
        element = self.find(selector)
        element.clear()
        element.send_keys(text)

    def texts(self, selector: str) -> list[str]:
        """The text of each element, also of those that are scrolled out of view."""
        return list(self.run("return [...document.querySelectorAll(arguments[0])].map((item) => item.textContent)", selector))

    def print_pdf(self) -> bytes:
        import base64

        return base64.b64decode(self.driver.print_page())

    def _command(self, name: str, **parameters: Any) -> None:
        self.driver.execute_cdp_cmd(name, parameters)


@contextmanager
def open_browser() -> Iterator[Browser]:
    binary, driver_path = require_chromium()
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    options.add_argument("--headless=new")
    options.add_argument("--disable-dev-shm-usage")
    if hasattr(os, "geteuid") and os.geteuid() == 0:  # containers: the sandbox refuses root
        options.add_argument("--no-sandbox")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(driver_path, log_output=subprocess.DEVNULL))
    try:
        driver.set_script_timeout(_WAIT_S)
        yield Browser(driver)
    finally:
        driver.quit()

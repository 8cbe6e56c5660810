"""Headless Chromium, and what it thinks of a page."""

import contextlib
import shutil

import pytest

FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--disable-dev-shm-usage", "--hide-scrollbars"),
)

WIDER = """
const wide = document.documentElement.scrollWidth - innerWidth;
return wide > 1 ? `${wide} pixels too wide` : "";
"""


@contextlib.contextmanager
def open_browser(folder, width=1280, height=900):
    """
    Chromium without a window; skips the test where there is none.

    :param folder: For its files.
    :param width, height: In pixels.
    """
    webdriver = pytest.importorskip("selenium.webdriver", reason="needs selenium")
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None or shutil.which("chromedriver") is None:
        pytest.skip("needs Chromium and its chromedriver (packages chromium, chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*FLAGS, f"--user-data-dir={folder}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver")))
    try:
        resize(driver, width, height)
        yield driver
    finally:
        driver.quit()


def resize(driver, width, height):
    """A window of that size, also one as small as a phone."""
    sizes = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", sizes)


def wait(driver, condition, seconds=60):
    """
    Wait until a condition holds, and return it.

    :param condition: JavaScript, an expression.
    """
    from selenium.webdriver.support.ui import WebDriverWait

    return WebDriverWait(driver, seconds).until(lambda d: d.execute_script(f"return {condition}"))


def faults(driver):
    """Errors on the console, and a page that is wider than its window."""
    wrong = [entry["message"] for entry in driver.get_log("browser") if entry["level"] == "SEVERE"]
    wide = driver.execute_script(WIDER)
    return [*wrong, wide] if wide else wrong

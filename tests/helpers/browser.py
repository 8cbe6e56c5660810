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

# WCAG 2.2, success criterion 1.4.3: text against what it stands on, 4.5 to 1, or 3 to 1 from 24 px
# on, or 18.66 px in bold. Text of SVG is filled, and stands on what is behind the drawing.
PALE = """
const parse = (colour) => colour.match(/[\\d.]+/g)?.map(Number) ?? [0, 0, 0, 0];
const over = ([r, g, b, a = 1], back) => [r, g, b].map((v, k) => v * a + back[k] * (1 - a));
const luminance = (colour) => colour
    .map((v) => v / 255)
    .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, k) => sum + v * [0.2126, 0.7152, 0.0722][k], 0);
const background = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement)
        layers.push(parse(getComputedStyle(at).backgroundColor));
    return layers.reverse().reduce((back, layer) => over(layer, back), [255, 255, 255]);
};
const seen = {opacityProperty: true, visibilityProperty: true};
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), pale = [];
while (walker.nextNode()) {
    const text = walker.currentNode.textContent.trim(), element = walker.currentNode.parentElement;
    if (!text || element.closest("script, style") || !element.checkVisibility(seen)) continue;
    const style = getComputedStyle(element), back = background(element);
    const svg = element instanceof SVGElement;
    const front = over(parse(svg ? style.fill : style.color), back);
    const [light, dark] = [luminance(front), luminance(back)].sort((a, b) => b - a);
    const ratio = (light + 0.05) / (dark + 0.05), size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
    if (ratio < (large ? 3 : 4.5)) pale.push(`${text.slice(0, 40)}: contrast ${ratio.toFixed(1)}`);
}
return [...new Set(pale)];
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
    """Errors on the console, a page that is wider than its window, and text that is too pale."""
    wrong = [entry["message"] for entry in driver.get_log("browser") if entry["level"] == "SEVERE"]
    wide = driver.execute_script(WIDER)
    return [*wrong, *([wide] if wide else []), *driver.execute_script(PALE)]


def press(driver, *keys):
    """Press keys of the keyboard, one after the other."""
    from selenium.webdriver.common.action_chains import ActionChains

    ActionChains(driver).send_keys(*keys).perform()

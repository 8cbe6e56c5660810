"""
Open the built site in headless Chromium, on the width of a laptop and of a phone.

    python docs/check_site.py [--site docs/_build/html] [--shots FOLDER] [PAGE ...]

Fails if a page writes an error to the console, is wider than the window, cuts a table, lacks an
image, or links to a page or a heading that is not there, and if the search finds nothing. Needs
the programs chromium and chromedriver, and selenium.
"""

from __future__ import annotations

import argparse
import functools
import http.server
import shutil
import sys
import tempfile
import threading
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag

from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

SITE = Path(__file__).parent / "_build" / "html"
WIDTHS = {"laptop": (1280, 900), "phone": (390, 844)}
SEARCHED = "threshold"
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--hide-scrollbars",
)  # fmt: skip

# What a page looks like: its width, tables that are cut, images that are not there.
LOOK = """
const wide = document.documentElement.scrollWidth;
const cut = [], missing = [];
for (const table of document.querySelectorAll("article table")) {
    let frame = table.parentElement, scrolls = false;
    for (; frame.tagName !== "ARTICLE"; frame = frame.parentElement) {
        scrolls = ["auto", "scroll"].includes(getComputedStyle(frame).overflowX);
        if (scrolls) break;
    }
    const over = table.getBoundingClientRect().right - frame.getBoundingClientRect().right;
    if (over > 1) cut.push({over: Math.round(over), scrolls, head: table.innerText.slice(0, 60)});
}
for (const image of document.images)
    if (image.loading !== "lazy" && !(image.complete && image.naturalWidth))
        missing.push(image.src);
return {wide, inner: innerWidth, cut, missing};
"""


class Page(HTMLParser):
    """Ids and links of a page."""

    def __init__(self, file: Path):
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.feed(file.read_text())

    def handle_starttag(self, tag, attrs):
        """Note what counts."""
        given = dict(attrs)
        self.ids.add(given.get("id") or "")
        if tag == "a":
            self.ids.add(given.get("name") or "")
            self.links.append(given.get("href") or "")


def broken_links(site: Path) -> list[str]:
    """Links within the site that lead nowhere."""
    pages = {file: Page(file) for file in sorted(site.rglob("*.html"))}
    broken = []
    for file, page in pages.items():
        for link in page.links:
            if not link or link.startswith(("http:", "https:", "mailto:", "javascript:")):
                continue
            path, anchor = urldefrag(link)
            target = (file.parent / unquote(path)).resolve() if path else file
            known = pages[target].ids if target in pages else None
            if not target.exists() or (
                anchor and known is not None and unquote(anchor) not in known
            ):
                broken.append(f"{file.relative_to(site)}: {link}")
    return broken


def serve(site: Path) -> tuple[http.server.ThreadingHTTPServer, str]:
    """The site on this machine."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=str(site))
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, f"http://127.0.0.1:{server.server_port}"


def browser(profile: str) -> webdriver.Chrome:
    """Chromium of this machine, which downloads nothing."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or shutil.which("google-chrome") or ""
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(shutil.which("chromedriver"))
    return webdriver.Chrome(options=options, service=service)


def resize(driver: webdriver.Chrome, kind: str) -> None:
    """A window of a width that the window manager would not allow."""
    width, height = WIDTHS[kind]
    sizes = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": kind == "phone"}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", sizes)


def faults_of_page(driver: webdriver.Chrome, kind: str) -> list[str]:
    """What is wrong with the page that is open."""
    look = driver.execute_script(LOOK)
    faults = [
        f"console: {e['message']}" for e in driver.get_log("browser") if e["level"] == "SEVERE"
    ]
    if look["wide"] > look["inner"] + 1:
        faults.append(f"{look['wide']} pixels wide in a window of {look['inner']}")
    for table in look["cut"]:
        # On a phone, a wide table may move within its frame.
        if kind == "laptop" or not table["scrolls"]:
            faults.append(f"table cut by {table['over']} pixels: {table['head']!r}")
    return faults + [f"no image {source}" for source in look["missing"]]


def faults_of_search(driver: webdriver.Chrome, address: str) -> list[str]:
    """Whether a word of many pages is found."""
    driver.get(f"{address}/search.html?q={SEARCHED}")
    found = "#search-results li"
    try:
        WebDriverWait(driver, 20).until(lambda d: len(d.find_elements(By.CSS_SELECTOR, found)) > 2)
    except Exception:
        return [f"search: nothing found for {SEARCHED!r}"]
    return []


def check(site: Path, names: list[str], shots: Path | None) -> list[str]:
    """All faults of all pages."""
    faults = broken_links(site)
    server, address = serve(site)
    with tempfile.TemporaryDirectory() as profile:
        driver = browser(profile)
        try:
            for kind in WIDTHS:
                resize(driver, kind)
                for name in names:
                    driver.get(f"{address}/{name}")
                    found = faults_of_page(driver, kind)
                    faults += [f"{name}, {kind}: {fault}" for fault in found]
                    if shots is not None:
                        file = shots / kind / Path(name).with_suffix(".png")
                        file.parent.mkdir(parents=True, exist_ok=True)
                        driver.save_screenshot(str(file))
                faults += [f"{kind}: {fault}" for fault in faults_of_search(driver, address)]
        finally:
            driver.quit()
            server.shutdown()
    return faults


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("pages", nargs="*", help="such as tutorials/first-picks.html; default: all")
    parser.add_argument("--site", type=Path, default=SITE)
    parser.add_argument("--shots", type=Path, help="folder for screenshots")
    args = parser.parse_args()
    site = args.site.resolve()
    if not (site / "index.html").is_file():
        sys.exit(f"There is no site in {site}: run make docs.")
    names = args.pages or sorted(
        str(file.relative_to(site))
        for file in site.rglob("*.html")
        if not file.relative_to(site).parts[0].startswith("_")
    )
    faults = check(site, names, args.shots)
    sys.stdout.write("".join(f"{fault}\n" for fault in faults))
    sys.stdout.write(f"{len(names)} pages, {len(faults)} faults\n")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()

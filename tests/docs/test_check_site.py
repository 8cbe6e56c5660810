"""The check of the built site finds what it is for."""

import importlib.util
import shutil

import pytest

from tests.helpers.pages import ROOT

pytest.importorskip("selenium", reason="selenium comes with the extra docs")

PAGE = """<!doctype html><html><body><article><h1 id="top">Page</h1>{}</article></body></html>"""
WIDE = "<div><table><tr>" + "<td>" + "wide" * 500 + "</td></tr></table></div>"


@pytest.fixture(scope="module")
def check():
    spec = importlib.util.spec_from_file_location("check_site", ROOT / "docs" / "check_site.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write(folder, **pages):
    for name, body in pages.items():
        (folder / f"{name}.html").write_text(PAGE.format(body))
    return folder


def test_links_that_lead_nowhere(check, tmp_path):
    links = ["b.html", "b.html#top", "#top", "https://example.org", "c.html", "b.html#none", "#no"]
    site = write(tmp_path, a="".join(f'<a href="{link}">x</a>' for link in links), b="")
    broken = [line.partition(": ")[2] for line in check.broken_links(site)]
    assert broken == ["c.html", "b.html#none", "#no"]


@pytest.mark.skipif(not shutil.which("chromedriver"), reason="there is no Chromium here")
@pytest.mark.timeout(110)
def test_faults_of_pages_are_found(check, tmp_path, monkeypatch):
    monkeypatch.setattr(check, "faults_of_search", lambda driver, address: [])
    write(
        tmp_path,
        good=f'<div style="overflow-x: auto">{WIDE.replace("wide" * 500, "narrow")}</div>',
        cut=f'<div style="overflow: hidden">{WIDE}</div>',
        error="<script>console.error('broken')</script><script>throw Error('thrown')</script>",
        image='<img src="none.png">',
    )
    (tmp_path / "favicon.ico").write_bytes(b"")
    names = ["good.html", "cut.html", "error.html", "image.html"]
    faults = check.check(tmp_path, names, None)
    assert not [fault for fault in faults if fault.startswith("good")]
    for kind in ("laptop", "phone"):
        assert any(f.startswith(f"cut.html, {kind}: table cut") for f in faults)
        assert any(f.startswith(f"error.html, {kind}: console") for f in faults)
        assert any(f.startswith(f"image.html, {kind}: no image") for f in faults)

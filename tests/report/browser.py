"""A browser without a window, and what it makes of a page."""

import html
import json
import re
import shutil
import subprocess

import matplotlib.image
import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
# The report in a frame as wide as a screen, and what its layout is then; browsers have no windows that narrow.
FRAME = """<!DOCTYPE html><body><p id="found"></p>
<iframe id="frame" style="width:{width}px;height:844px;border:0" srcdoc="{page}"></iframe>
<script>
onload = () => {{
  const page = document.getElementById("frame").contentDocument, root = page.documentElement;
  const style = (name) => getComputedStyle(page.querySelector(name));
  const sticksOut = (e) => e.getBoundingClientRect().right > {width} + 1 && !e.parentElement.closest(".scroll");
  document.getElementById("found").textContent = JSON.stringify({{
    overflow: root.scrollWidth - root.clientWidth,
    out: [...page.querySelectorAll("body *")].filter(sticksOut).map((e) => e.tagName),
    scrolling: [...page.querySelectorAll(".scroll")].filter((e) => e.scrollWidth > e.clientWidth).length,
    pictures: [...page.images].map((e) => e.complete && e.naturalWidth),
    font: parseFloat(style("body").fontSize), ink: style("body").color, ground: style("body").backgroundColor,
  }});
}};
</script>"""


needed = pytest.mark.skipif(CHROMIUM is None, reason="no chromium, chromium-browser or google-chrome on the PATH")


def _run(tmp_path, *options):
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    return subprocess.run([*command, *options], capture_output=True, text=True, timeout=120, check=True).stdout


def layout(tmp_path, page, width, *options):
    """What the layout of a page is in a window of that width; see `FRAME`."""
    (tmp_path / "frame.html").write_text(FRAME.format(width=width, page=html.escape(page, quote=True)))
    shown = _run(tmp_path, "--window-size=1400,900", *options, "--dump-dom", (tmp_path / "frame.html").as_uri())
    return json.loads(html.unescape(re.search('<p id="found">(.*?)</p>', shown, re.S)[1]))


def screenshot(tmp_path, path, width, height):
    """A picture of a file as a window of that size shows it: `[height, width, 3]` in [0, 1]."""
    target = tmp_path / "screenshot.png"
    _run(tmp_path, f"--window-size={width},{height}", f"--screenshot={target}", path.as_uri())
    return matplotlib.image.imread(target)[..., :3]

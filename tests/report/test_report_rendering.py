"""Claims about the HTML of a report: valid, escaped, self-contained, accessible, and shown well by a browser."""

from __future__ import annotations

import base64
import itertools
import re
from html.parser import HTMLParser

import browser
import pytest
import report_examples as examples

from bayesconv import report
from bayesconv.report import markup, rendering
from bayesconv.report.document import Code, Document, Headline, Listing, Paragraph, Picture, Section, Table

EVIL = "<script>alert(1)</script> \"'&"
VOID = {"meta", "img", "br", "hr", "link"}


class Strict(HTMLParser):
    """Elements with their attributes and texts; an end that does not fit is an error."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.found, self.texts = [], [], []

    def handle_starttag(self, tag, attrs):
        assert len(dict(attrs)) == len(attrs), f"{tag} has an attribute twice"
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)

    def attributes(self, tag):
        return [attributes for name, attributes in self.found if name == tag]


def parsed(page):
    parser = Strict()
    parser.feed(page)
    parser.close()
    assert parser.open == []
    return parser


def test_an_interval_stands_below_its_number_in_a_number_cell():
    table = Table("Scores", ("", "NLL"), (("test", "0.25\n0.20\xa0to\xa00.30"), ("other", "0.25")))
    page = report.render(Document("t", "", (), (), (Section("s", "S", (table,)),), ""))
    assert "<td>0.25 <small>0.20\xa0to\xa00.30</small></td>" in page
    assert "<td>0.25</td>" in page


@pytest.fixture(scope="module", params=examples.EVALUATIONS)
def page(request):
    return report.render(report.document(examples.material(request.param), "the footer"))


class TestHtml:
    def test_every_element_ends_where_it_should(self, page):
        assert page.startswith("<!DOCTYPE html>\n<html ")
        assert {"html", "head", "body", "main", "table", "figure"} <= {tag for tag, _ in parsed(page).found}

    def test_names_are_unique_and_links_lead_to_them(self, page):
        found = parsed(page).found
        names = [attributes["id"] for _, attributes in found if "id" in attributes]
        assert len(names) == len(set(names))
        links = [attributes["href"] for tag, attributes in found if tag == "a"]
        assert len(links) > 5
        assert {link.removeprefix("#") for link in links} <= set(names)

    def test_nothing_is_loaded(self, page):
        parser = parsed(page)
        assert not {"script", "link", "iframe", "object", "base", "form"} & {tag for tag, _ in parser.found}
        for _, attributes in parser.found:
            assert attributes.get("src", "data:").startswith("data:")
            assert attributes.get("href", "#").startswith("#")
            assert not [name for name in attributes if name.startswith("on")]
        assert not re.search(r"url\(|@import|@font-face|//", re.search("<style>(.*?)</style>", page, re.S)[1])
        policy = next(a["content"] for a in parser.attributes("meta") if "http-equiv" in a)
        assert policy.startswith("default-src 'none'")

    def test_it_can_be_read_aloud(self, page):
        parser = parsed(page)
        assert parser.attributes("html")[0]["lang"] == "en"
        assert all(attributes["alt"] for attributes in parser.attributes("img"))
        assert {attributes.get("scope") for attributes in parser.attributes("th")} == {"col", "row"}
        tables = [tag for tag, _ in parser.found if tag in ("table", "caption", "thead", "tbody")]
        assert tables[::4] == ["table"] * (len(tables) // 4)
        headings = [int(tag[1]) for tag, _ in parser.found if re.fullmatch("h[1-6]", tag)]
        assert headings[0] == 1
        assert all(after - before <= 1 for before, after in itertools.pairwise(headings))

    def test_a_picture_is_inside_with_its_bytes_and_size(self, page):
        (image,) = parsed(page).attributes("img")
        assert base64.b64decode(image["src"].removeprefix("data:image/png;base64,")) == examples.png()
        assert (image["width"], image["height"]) == ("30", "20")

    def test_a_picture_that_is_no_png_is_refused(self):
        with pytest.raises(ValueError, match=r"must be a PNG\. Received b'GIF89a'"):
            rendering.size_of(b"GIF89a")


class TestEscaping:
    def test_no_text_becomes_an_element(self):
        blocks = (
            *(Paragraph(EVIL), Paragraph(EVIL, is_warning=True), Listing((EVIL,)), Code(EVIL, EVIL)),
            *(Table(EVIL, (EVIL, EVIL), ((EVIL, EVIL),), EVIL), Picture("p", examples.png(), EVIL, EVIL)),
        )
        sections = (Section("s", EVIL, blocks),)
        page = report.render(Document(EVIL, EVIL, (Headline(EVIL, EVIL, EVIL),), (EVIL,), sections, EVIL))
        parser = parsed(page)
        assert "script" not in {tag for tag, _ in parser.found}
        assert parser.texts.count(EVIL) == 21  # the title of the picture has a full stop
        labels = [a["aria-label"] for _, a in parser.found if a.get("aria-label") == EVIL]
        assert len(labels) == 3
        assert parser.attributes("img")[0]["alt"] == f"{EVIL}. {EVIL}"

    def test_names_of_classes_and_of_the_run(self):
        evaluation = examples.segmentation(iou={EVIL: 0.5})
        material = examples.material("segmentation", evaluation=evaluation, name=f'it\'s "{EVIL}"')
        parser = parsed(report.render(report.document(material)))
        assert "script" not in {tag for tag, _ in parser.found}
        assert EVIL in parser.texts
        assert f'it\'s "{EVIL}"' in parser.texts

    def test_markup_is_not_escaped_twice(self):
        inner = markup.tag("b", "<")
        assert markup.tag("p", inner, "&", id='a"b') == '<p id="a&quot;b"><b>&lt;</b>&amp;</p>'


@browser.needed
class TestInABrowser:
    def test_on_a_phone_tables_scroll_and_the_page_does_not(self, tmp_path):
        name = "a_name_without_any_place_to_break_it_" * 4
        material = examples.material(name=name, configuration="key: " + "value " * 60)
        found = browser.layout(tmp_path, report.render(report.document(material)), 390)
        assert found["overflow"] == 0
        assert found["out"] == []
        assert found["scrolling"] > 2
        assert found["pictures"] == [30]
        assert found["font"] >= 16

    def test_on_a_desk_nothing_scrolls_sideways(self, tmp_path):
        found = browser.layout(tmp_path, report.render(report.document(examples.material())), 1280)
        assert (found["overflow"], found["out"]) == (0, [])
        assert found["scrolling"] == 0
        assert _contrast(found["ink"], found["ground"]) > 7

    def test_in_the_dark(self, tmp_path):
        page = report.render(report.document(examples.material("segmentation")))
        found = browser.layout(tmp_path, page, 390, "--blink-settings=preferredColorScheme=0")
        assert _luminance(found["ground"]) < 0.05
        assert _contrast(found["ink"], found["ground"]) > 7


class TestColours:
    @pytest.mark.parametrize("is_dark", [False, True])
    def test_all_text_has_the_contrast_that_wcag_asks_for(self, is_dark):
        style = (rendering.importlib.resources.files("bayesconv.report") / "style.css").read_text()
        colours = dict(re.findall(r"--([\w-]+): (#\w{6});", style.split("prefers-color-scheme: dark")[is_dark]))
        for ground in ("ground", "raised"):
            for ink in ("ink", "quiet", "accent"):
                assert _contrast(colours[ink], colours[ground]) > 4.5
        assert _contrast(colours["warn"], colours["warn-ground"]) > 4.5


def _luminance(colour):
    """Of WCAG 2: the share of white that a colour is as bright as."""
    if colour.startswith("#"):
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    else:
        parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def _contrast(one, other):
    low, high = sorted(map(_luminance, (one, other)))
    return (high + 0.05) / (low + 0.05)

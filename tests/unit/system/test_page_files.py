"""Pages from files of the package: every part is in its place, and nothing is left to fill in."""

import pytest

from inspyrenet.demo.layout import CSS
from inspyrenet.serve.page import PAGE
from inspyrenet.utils.report import html_report
from inspyrenet.utils.system.page_files import read_page, read_text


@pytest.mark.parametrize(("package", "stem"), [("inspyrenet.serve", "page"), ("inspyrenet.utils.report", "report")])
def test_a_page_holds_its_style_and_its_script(package, stem):
    page = read_page(package, stem)
    style, script = read_text(package, f"{stem}.css"), read_text(package, f"{stem}.js")
    assert f"<style>\n{style}</style>" in page and f"<script>\n{script}</script>" in page
    assert page.startswith("<!doctype html>\n") and page.endswith("</html>\n")
    assert script.startswith('"use strict";\n') and style.count("{") == style.count("}") > 10


def test_what_is_served_is_the_file():
    assert read_page("inspyrenet.serve", "page") == PAGE and "{{" not in PAGE
    assert read_text("inspyrenet.demo", "page.css") == CSS and "#pyramid .stages" in CSS
    assert {html_report.PAGE.count(mark) for mark in ("{{data}}", "{{style}}", "{{script}}")} == {1, 0}


def test_a_file_that_is_not_there_is_told():
    with pytest.raises(FileNotFoundError, match=r"other\.css"):
        read_text("inspyrenet.demo", "other.css")

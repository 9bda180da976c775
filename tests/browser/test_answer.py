"""The answer of the reference studies, printed."""

import re

import pytest

from project import REPOSITORY
from reprocore.pipeline.documents.answer import ANSWER

pytestmark = pytest.mark.slow
STYLE = """
@page {size: A4; margin: 10mm}
body {margin: 0; font: 9pt/1.2 sans-serif}
h1 {font-size: 15pt; margin: 0}
h2 {font-size: 11.5pt; margin: .8em 0 .2em}
p, ul {margin: .4em 0}
table {border-collapse: collapse; font-size: 8pt}
td, th {padding: 1px 5px; text-align: left; vertical-align: top}
"""


def test_it_has_two_pages_at_most(browser) -> None:
    markdown = pytest.importorskip("markdown_it").MarkdownIt("commonmark").enable("table")
    text = markdown.render((REPOSITORY / ANSWER).read_text("utf-8"))
    page = browser.new_page()
    page.set_content(f"<style>{STYLE}</style>{text}")
    printed = page.pdf(prefer_css_page_size=True)
    page.close()
    assert 1 <= len(re.findall(rb"/Type\s*/Page\b", printed)) <= 2

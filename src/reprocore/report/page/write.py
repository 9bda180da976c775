"""From the tables of a study to the page: one file that asks for nothing from outside."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import vl_convert
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from reprocore.data.tokens import read_corpus
from reprocore.report.page.answer import answer_of
from reprocore.report.page.made import made_of
from reprocore.report.page.payload import payload
from reprocore.report.page.sentences import short
from reprocore.report.page.tables import Files, Row, read_tables
from reprocore.report.page.text import generated, packed_text
from reprocore.report.page.view import view_of
from reprocore.report.words import p_text
from reprocore.store.files import atomic
from reprocore.study.study import Study

TEMPLATES = Path(__file__).parent / "templates"
STYLE = "page.css"
# What every page has, before and after its own scripts.
FIRST, LAST = ("base.js", "charts.js", "tables.js"), ("start.js",)
STUDY = ("study.js", "contrasts.js", "text.js")


def write_page(
    study: Study,
    files: Files,
    corpus: str | Path,
    continuations: Iterable[str | Path],
    out: str | Path,
    answer: str | Path,
) -> None:
    """Write the page of a study and its answer in a few sentences, each atomically.

    Args:
        study: what was to run.
        files: the Parquet files, by the names of `tables.TABLES`.
        corpus: the study's text.
        continuations: of the cells whose text is shown.
        out: where the page goes.
        answer: where the sentences go, one a line.

    Raises:
        ReprocoreError: a file is missing, damaged or foreign, or cannot be written.
    """
    tables, words = read_tables(study, files), read_corpus(corpus)
    text, written = packed_text(tables, words), generated(continuations, words)
    data = {**payload(tables), "text": text, "generated": written}
    found = answer_of(tables)
    view = {**view_of(tables, found, text, written), "made": made_of(tables)}
    write_html(out, "study.html", view, data, STUDY)
    with atomic(answer) as temporary:
        temporary.write_text("\n".join(short(found)) + "\n", "utf-8")


def write_html(
    out: str | Path, template: str, view: Mapping[str, Any], data: Row, scripts: Sequence[str]
) -> None:
    """Fill a template with what it shows, the data, and the scripts that draw from it."""
    page = environment().get_template(template)
    text = page.render(**view, **parts((*FIRST, *scripts, *LAST)), data=as_json(data))
    with atomic(out) as temporary:
        temporary.write_text(text, "utf-8")


def parts(scripts: Sequence[str]) -> dict[str, Markup]:
    """Return the style, the scripts of ours and the charting library as parts of a page."""
    own = "\n".join((TEMPLATES / name).read_text("utf-8") for name in scripts)
    style = (TEMPLATES / STYLE).read_text("utf-8")
    return {"style": Markup(style), "script": Markup(own), "library": Markup(library())}


@cache
def environment() -> Environment:
    """Return the templates; every text that they show is escaped."""
    templates = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters["numbers"] = lambda text: _wrapped(r"\[[^\[\]]*\]", "ci", text)
    templates.filters["p_value"] = p_text
    templates.filters["headed"] = lambda text: _wrapped(r"\([^()]*\)", "unit", text)
    return templates


def _wrapped(pattern: str, kind: str, text: str) -> Markup:
    """Return a text escaped, with what has a pattern in an element of a class."""
    return Markup(re.sub(pattern, rf'<span class="{kind}">\g<0></span>', str(escape(text))))


@cache
def library() -> str:
    """Return the charting library as one script; what would end it early is escaped."""
    code = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    return code.replace("</script", "<\\/script")


def as_json(data: Any) -> Markup:
    """Return data as JSON that can stand inside a script element, whatever texts it holds."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(text)

"""A real browser without a network, and the page of a study that never ran."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_figures import make_study

from synthetic_page import PageStudy

CLAIMS = Path(__file__).parents[2] / "config" / "claims.yaml"


@pytest.fixture(scope="session")
def browser() -> Iterator[object]:
    """Debian's Chromium, driven by Playwright."""
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("chromium is not installed: apt-get install chromium")
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with api.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> PageStudy:
    """A study in which a model has not run, a seed is missing and arms differ."""
    study = make_study(
        models=("charlm", "convlm", "tinylstm"),
        arms=["all", "init", "order", "none"],
        title="A synthetic study",
    )
    seeds = {"convlm": [], ("charlm", "gelu"): [1, 2, 3]}
    tables = PageStudy(study, tmp_path_factory.mktemp("page"), seeds=seeds)
    tables.audit(CLAIMS)
    return tables


@pytest.fixture
def page(browser, made) -> Iterator[object]:
    """The page, opened; afterwards it must have asked for nothing and complained of nothing."""
    yield from opened(browser, made.page(), 1366, 768)


def opened(browser, path: Path, width: int, height: int, **options) -> Iterator[object]:
    size = {"width": width, "height": height}
    context = browser.new_context(viewport=size, offline=True, reduced_motion="reduce", **options)
    tab = context.new_page()
    said, asked = [], []
    tab.on("console", lambda message: said.append(message.text))
    tab.on("pageerror", lambda error: said.append(str(error)))
    tab.on("request", lambda request: asked.append(request.url))
    tab.goto(path.as_uri())
    if options.get("java_script_enabled", True):
        tab.wait_for_selector("html[data-drawn]", state="attached")
    yield tab
    context.close()
    assert said == []
    assert asked == [path.as_uri()]

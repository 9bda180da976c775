"""A real browser without a network, and the page of a study that never ran.

A plugin of all tests, since a second conftest would hide the first from `from conftest import`.
"""

import contextlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from synthetic_page import PageStudy
CLAIMS = Path(__file__).parents[1] / "config" / "claims.yaml"
LAPTOP, PHONE = (1366, 768), (390, 844)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
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
def made(tmp_path_factory: pytest.TempPathFactory) -> "PageStudy":
    """A study in which a model has not run, a seed is missing and arms differ."""
    from figure_tables import make_study

    from synthetic_page import PageStudy

    study = make_study(
        models=("charlm", "convlm", "tinylstm"),
        arms=["all", "init", "none"],
        title="A synthetic study",
    )
    seeds = {"convlm": [], ("charlm", "gelu"): [1, 2, 3]}
    tables = PageStudy(study, tmp_path_factory.mktemp("page"), seeds=seeds, positions=640)
    tables.audit(CLAIMS)
    tables.page()
    return tables


@pytest.fixture(scope="session")
def opened(browser: Any) -> Callable[..., Any]:
    """Return a function that opens a page and, at the end, sees that it asked for nothing."""

    @contextlib.contextmanager
    def open_page(path: Path, size: tuple[int, int] = LAPTOP, **options: Any) -> Iterator[Any]:
        viewport = {"width": size[0], "height": size[1]}
        context = browser.new_context(
            viewport=viewport, offline=True, reduced_motion="reduce", **options
        )
        tab = context.new_page()
        said: list[str] = []
        asked: list[str] = []
        tab.on("console", lambda message: said.append(message.text))
        tab.on("pageerror", lambda error: said.append(str(error)))
        tab.on("request", lambda request: asked.append(request.url))
        tab.goto(path.as_uri())
        if options.get("java_script_enabled", True):
            drawn(tab)
        yield tab
        context.close()
        assert said == []
        assert asked == [path.as_uri()]

    return open_page


def drawn(tab: Any) -> None:
    """Wait until all charts are drawn."""
    tab.wait_for_selector("html[data-drawn]", state="attached", timeout=120_000)


@pytest.fixture
def page(opened: Callable[..., Any], made: "PageStudy") -> Iterator[Any]:
    """The page of the study, opened on a laptop."""
    with opened(made.folder / "report.html") as tab:
        yield tab

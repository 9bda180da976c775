"""The wheels, each in an environment that holds what it requires and nothing else.

Such an environment has links to packages of the one that runs the tests, so that neither time nor
network is spent on installing them again.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable
from importlib.metadata import distribution, distributions
from importlib.util import find_spec
from pathlib import Path

import pytest
from packaging.requirements import Requirement

REPOSITORY = Path(__file__).resolve().parents[2]
SLURM_STEADY = REPOSITORY / "plugins" / "snakemake-executor-plugin-slurm-steady"
STUDY_LOGGER = REPOSITORY / "plugins" / "snakemake-logger-plugin-study"
STATISTICS = "reprocore.statistics"
# What that package will hold; until it is there, these modules are tried.
FLAT = ("divergence", "inference", "seed_tests", "contrasts", "sensitivity", "across_models")

PAIRWISE = """
import numpy as np
import reprocore

pairs, measures = reprocore.pairwise(np.random.default_rng(0).dirichlet(np.ones(5), (3, 4)))
assert pairs.tolist() == [[0, 1], [0, 2], [1, 2]]
assert (measures["total_variation"] > 0).all()
"""
IMPORTS = """
import importlib
import pkgutil
import sys

for name in sys.argv[1:]:
    module = importlib.import_module(name)
    for inner in pkgutil.walk_packages(getattr(module, "__path__", ()), f"{name}."):
        importlib.import_module(inner.name)
"""
JACKKNIFE = """
import numpy as np
import reprocore

assert reprocore.jackknife(1 - np.eye(4)).estimate == 1
"""


def build(project: Path, folder: Path) -> Path:
    """Return the wheel of `project`.

    It is built from a copy: setuptools leaves a folder whose old files get into the next wheel.
    """
    copy = folder / "project"
    shutil.copytree(
        project / "src", copy / "src", ignore=shutil.ignore_patterns("*.egg-info", "__pycache__")
    )
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(project / name, copy / name)
    # With the setuptools at hand, which an isolated build would download.
    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(copy))
    (wheel,) = folder.glob("*.whl")
    return wheel


def pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", *arguments, "--no-index", "--quiet"]
    subprocess.run(command, check=True, timeout=120)


def requirements(wheel: Path) -> list[str]:
    (found,) = distributions(path=[str(wheel)])
    return found.requires or []


def needed(required: Iterable[str]) -> set[str]:
    """Return the names of all distributions that `required` leads to; all are installed here."""
    seen: set[tuple[str, str]] = set()
    waiting = [(text, "") for text in required]
    while waiting:
        text, extra = waiting.pop()
        requirement = Requirement(text)
        if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
            continue
        installed = distribution(requirement.name)
        assert requirement.specifier.contains(installed.version, prereleases=True), (
            f"{text} is required, {installed.version} is installed"
        )
        new = {(requirement.name, extra) for extra in ("", *requirement.extras)} - seen
        seen |= new
        waiting += [(inner, extra) for inner in installed.requires or () for _, extra in new]
    return {name for name, _ in seen}


class Environment:
    """A virtual environment with links to installed distributions, and wheels."""

    def __init__(self, folder: Path, names: Iterable[str], *wheels: Path) -> None:
        self.folder = folder
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
        site = Path(sysconfig.get_path("purelib", "venv", {"base": str(folder)}))
        for installed in map(distribution, names):
            tops = {path.parts[0] for path in installed.files or ()} - {"..", "__pycache__"}
            for top in tops:
                if not (site / top).exists():  # packages can share a namespace
                    (site / top).symlink_to(installed.locate_file(top))
        for wheel in wheels:
            pip("--python", str(folder / "bin" / "python"), "install", "--no-deps", str(wheel))

    def run(self, program: str, *arguments: str) -> str:
        """Return what a program of the environment prints; it must succeed."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
        done = subprocess.run(
            [self.folder / "bin" / program, *arguments],
            cwd=self.folder,
            env=kept,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def has(self, module: str) -> bool:
        code = f"from importlib.util import find_spec; print(find_spec({module!r}) is not None)"
        return self.run("python", "-c", code).strip() == "True"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(REPOSITORY, tmp_path_factory.mktemp("wheel"))


def test_snakemake_works_beside_the_wheel_without_the_slurm_plugin(
    wheel: Path, tmp_path: Path
) -> None:
    names = needed([*requirements(wheel), "snakemake"])
    environment = Environment(tmp_path / "venv", names, wheel)
    assert not environment.has("snakemake_executor_plugin_slurm")
    assert "--snakefile" in environment.run("python", "-m", "snakemake", "--help")
    assert "status" in environment.run("reprocore", "--help")
    environment.run("python", "-c", PAIRWISE)


@pytest.mark.parametrize(
    ("plugin", "told"),
    [(SLURM_STEADY, "--slurm-steady-logdir"), (STUDY_LOGGER, "--logger {study}")],
)
def test_a_plugin_is_found_where_its_wheel_is_installed(
    plugin: Path, told: str, tmp_path: Path
) -> None:
    wheel = build(plugin, tmp_path)
    names = needed([*requirements(wheel), "snakemake"])
    environment = Environment(tmp_path / "venv", names, wheel)
    assert not environment.has("reprocore")
    assert told in " ".join(environment.run("python", "-m", "snakemake", "--help").split())


def test_statistics_need_numpy_and_scipy_alone(wheel: Path, tmp_path: Path) -> None:
    environment = Environment(tmp_path / "venv", needed(["numpy", "scipy"]), wheel)
    assert not environment.has("pydantic")
    modules = [STATISTICS] if find_spec(STATISTICS) else [f"reprocore.{name}" for name in FLAT]
    environment.run("python", "-c", IMPORTS, *modules)
    environment.run("python", "-c", PAIRWISE + JACKKNIFE)

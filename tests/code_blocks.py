"""Code blocks of the documents: what is to be done with each, and a place in which they run.

Before each fenced block stands an HTML comment, which readers do not see:

    <!-- run -->                 bash and Python are run; YAML must be settings of a study
    <!-- file: PATH -->          the block is the content of this file, for the blocks that follow
    <!-- not run: REASON -->     why it cannot run here: a cluster, a GPU, hours

Cells of notebooks and Sphinx' directives need none: `make docs` runs them.
"""

import os
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from project import REPOSITORY, TINY, Project, finished

# Of the documents whose blocks a reader copies.
DOCUMENTS = (
    "README.md",
    "CONTRIBUTING.md",
    "docs/tutorial.md",
    "docs/how-to",
    "docs/explanation",
    "docs/reference/library.md",
)
_MARK = re.compile(r"<!-- (run|file|not run)(?:: (.+))? -->")
_SIZES = {
    "gpt": {"layers": 1, "heads": 2, "width": 16},
    "recurrent": {"width": 16, "hidden": 13, "heads": None},
    "lstm": {"width": 16, "hidden": 13},
}


@dataclass(frozen=True)
class Block:
    """A fenced block; `mark` is `run`, `file`, `not run` or "" for none."""

    document: str
    line: int
    language: str
    mark: str
    detail: str
    text: str

    @property
    def place(self) -> str:
        return f"{self.document}:{self.line}"


def pages() -> list[Path]:
    """Return the documents in the order in which they run."""
    found = []
    for name in DOCUMENTS:
        path = REPOSITORY / name
        found += sorted(path.glob("*.md")) if path.is_dir() else [path]
    return found


def blocks(path: Path) -> Iterator[Block]:
    """Yield the fenced blocks of a document, directives and notebook cells left out."""
    document = path.relative_to(REPOSITORY).as_posix()
    before, opened, body = "", None, []
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        stripped = line.strip()
        if opened is None and stripped.startswith("```"):
            opened, body = (number, stripped[3:].strip(), before), []
        elif opened is not None and stripped == "```":
            first, language, marked = opened
            mark = _MARK.fullmatch(marked)
            if not language.startswith("{"):
                kind, detail = (mark[1], mark[2] or "") if mark else ("", "")
                yield Block(document, first, language, kind, detail, "\n".join(body) + "\n")
            opened = None
        elif opened is not None:
            body.append(line)
        if stripped:
            before = stripped


def cut(content: dict[str, Any]) -> dict[str, Any]:
    """Return a study that asks for the same of smaller models, texts and trainings.

    Names stay, so that a command that names a cell still does; one model is left, two activations
    and three seeds.
    """
    models = {}
    for name, model in list(content["models"].items())[:1]:
        sizes = _SIZES.get(model["family"])
        models[name] = {"family": model["family"], "context": 16}
        if kept := model.get("sizes"):
            models[name]["sizes"] = kept if sizes is None else _cut_sizes(kept, sizes)
    kept_keys = ("title", "results", "custom_activations", "arms", "statistics")
    return {
        **{key: content[key] for key in kept_keys if key in content},
        "seeds": content["seeds"][:3],
        "activations": content["activations"][:2],
        "models": models,
        "corpus": content.get("corpus", TINY["corpus"]),
        "training": TINY["training"] | {"iterations": 100},
        "probe": TINY["probe"],
    }


def _cut_sizes(sizes: dict[str, Any], small: dict[str, Any]) -> dict[str, Any]:
    return {key: small.get(key, value) for key, value in sizes.items()}


class Sandbox(Project):
    """A copy of the project in which blocks run one after the other, its studies cut."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, TINY)
        for name in ("Makefile", "pyproject.toml", "constraints.txt", "plugins", "docs"):
            source = REPOSITORY / name
            copy = shutil.copytree if source.is_dir() else shutil.copy
            copy(source, root / name, **_unbuilt(source))
        for name in ("config", "quick"):
            self.cut_file(f"config/{name}.yaml")
        self.link_environment()

    def link_environment(self) -> None:
        """Make `.venv` that of these tests, so that make takes it for installed."""
        folder = self.root / ".venv"
        folder.mkdir()
        for name in ("bin", "lib", "pyvenv.cfg"):
            (folder / name).symlink_to(Path(sys.prefix) / name)
        (folder / ".installed").touch()

    def cut_file(self, path: str) -> None:
        file = self.root / path
        content = yaml.safe_load(file.read_text("utf-8"))
        file.write_text(yaml.safe_dump(cut(content), sort_keys=False), "utf-8")

    def run(self, block: Block) -> None:
        """Do what the block's mark says; an AssertionError shows what was printed."""
        if block.mark == "file":
            path = self.root / block.detail
            path.write_text(block.text, "utf-8")
            if path.suffix == ".yaml":
                self.cut_file(block.detail)
        elif block.language == "yaml":
            content = {"models": TINY["models"]} | yaml.safe_load(block.text)
            (self.root / "settings.yaml").write_text(yaml.safe_dump(content), "utf-8")
            check = "import reprocore; reprocore.load_study('settings.yaml')"
            self.command(block, [sys.executable, "-c", check])
        elif block.language == "python":
            self.command(block, [sys.executable, "-c", block.text])
        else:
            self.command(block, ["bash", "-euo", "pipefail", "-c", block.text])

    def command(self, block: Block, command: list[str]) -> None:
        paths = f"{self.root / '.venv/bin'}{os.pathsep}{os.environ['PATH']}"
        place = self.place(PATH=paths, REPROCORE_ALLOW="", MPLBACKEND="agg")
        done = finished(command, 1200, **place)
        printed = f"{block.place}\n{done.stdout}\n{done.stderr}"
        assert done.returncode == 0, printed
        # What a reader makes a dry run for.
        assert "--dry-run" not in block.text or re.search(r"^total +\d", printed, re.M), printed


def _unbuilt(source: Path) -> dict[str, Any]:
    ignored = shutil.ignore_patterns("_build", "build", "*.egg-info")
    return {"ignore": ignored} if source.is_dir() else {}

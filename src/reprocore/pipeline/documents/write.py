"""Where the documents are that follow from the code, and how they are written."""

from pathlib import Path
from typing import Any

from reprocore.pipeline.documents.answer import ANSWER, answer
from reprocore.pipeline.documents.commands import commands
from reprocore.pipeline.documents.configuration import reference, schema
from reprocore.pipeline.documents.details import DETAILS, details
from reprocore.pipeline.documents.errors import ERRORS, reference_errors
from reprocore.pipeline.documents.front import with_answers
from reprocore.pipeline.documents.studies import archives
from reprocore.pipeline.documents.tables import dictionary
from reprocore.store.files import atomic


def documents(root: Path, program: Any) -> dict[str, str]:
    """Return the text of each document by its path in the project.

    Args:
        root: of the project.
        program: the command line, as a click group.
    """
    found = archives(root)
    return {
        **with_answers(root, found),
        "config/README.md": reference(),
        "workflow/schemas/config.schema.json": schema(),
        "docs/reference/command-line.md": commands(program),
        "docs/reference/tables.md": dictionary(),
        ANSWER: answer(found),
        DETAILS: details(found),
        ERRORS: reference_errors(root),
    }


def write_documents(root: Path, program: Any) -> list[Path]:
    """Write all documents below `root`, atomically; return their paths."""
    paths = []
    for relative, text in documents(root, program).items():
        path = root / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic(path) as temporary:
            temporary.write_text(text, "utf-8")
        paths.append(path)
    return paths

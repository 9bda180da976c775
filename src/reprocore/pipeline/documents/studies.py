"""The reference studies that a project publishes, and the tables that are archived of them."""

from pathlib import Path
from typing import NamedTuple

from reprocore.report.page.tables import TABLES, Tables, read_tables
from reprocore.study.study import Study, load_study

FOLDER = "docs/study"


class Reported(NamedTuple):
    """A study that is reported, and what was foretold of it.

    Attributes:
        configuration: its file.
        heading: what is said of it.
        short: the same in a few words.
        foretold: differences, in percent, that `reprocore plan` said before it ran, from three
            pilots, that its seeds can decide: of the model in the middle, the least and the most.
    """

    configuration: str
    heading: str
    short: str
    foretold: tuple[float, float, float]


# By the name of the archive.
STUDIES = {
    "published": Reported(
        "config/config.yaml",
        "As in the published report, at one learning rate for all",
        "published",
        (2.0, 1.8, 8.0),
    ),
    "trained": Reported(
        "config/trained.yaml",
        "Trained longer, at learning rates chosen by trial",
        "longer",
        (2.3, 1.8, 7.3),
    ),
}
SOURCES = "sources"
CONFIGURATIONS = {name: study.configuration for name, study in STUDIES.items()} | {
    SOURCES: "config/sources.yaml"
}


def archives(root: Path) -> dict[str, Tables]:
    """Return the tables of the studies that are archived in a project, by their names.

    Args:
        root: of the project.

    Raises:
        ReprocoreError: a table is missing, damaged or foreign.
    """
    return {
        name: archived(load_study(root / configuration), root / FOLDER / name)
        for name, configuration in CONFIGURATIONS.items()
        if (root / FOLDER / name).is_dir()
    }


def archived(study: Study, folder: Path) -> Tables:
    """Return the tables that an archive of a study has; one that it lacks is empty."""
    places = [folder, *(folder / "models" / model for model in study.models)]
    files = {
        name: [path for place in places if (path := place / f"{name}.parquet").is_file()]
        for name in TABLES
    }
    return read_tables(study, files)

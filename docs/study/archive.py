"""Keep a study's tables, figures and page, and of its cells what made them and what they write.

Only models whose tables are all there are kept, so that a study can be published model by model.
Figures of one model are left out: the page has their charts, and its tables give them again. Of the
blocks of text, a quarter of all bytes, the last step is kept, at which the study is decided. Other
tables keep every number and figures every pixel, in encodings that take less. `SHA256SUMS` lists
every file of the archive (`sha256sum --check SHA256SUMS`).

    python docs/study/archive.py RESULTS ARCHIVE
"""

import argparse
import hashlib
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from PIL import Image

from reprocore.pipeline.plan import has_tables
from reprocore.study.cells import UNARCHIVED_FILES

# What a run prints, checks or makes anew from the archive itself.
SUMS = "SHA256SUMS"
LEFT_OUT = ("logs", "records", "corpus", "preflight", "pilot", ".lock", SUMS)
BY_MODEL = ("cells", "pairs", "blocks", "models", "tuning")


def done_models(results: Path) -> set[str]:
    """Return the models that have all tables."""
    models = (folder.name for folder in results.glob("models/*"))
    return {model for model in models if has_tables(results, model)}


def is_kept(path: Path, done: set[str]) -> bool:
    """Return whether a file, relative to the results, belongs into the archive."""
    top = path.parts[0]
    if top in LEFT_OUT or path.name in UNARCHIVED_FILES or path.name.startswith("."):
        return False
    # A picture of an archive that the results began with is an old one.
    if path.suffix in (".svg", ".webp"):
        return False
    of_model = len(path.parts) > 2
    if top == "figures" and of_model:
        return False
    return path.parts[1] in done if top in BY_MODEL and of_model else True


def write_compact(results: Path, path: Path, archive: Path) -> None:
    """Copy a file of the results; a table or a figure so that it takes less."""
    source, target = results / path, archive / path
    target.parent.mkdir(parents=True, exist_ok=True)
    # A cell says which bytes its files have.
    if source.suffix == ".parquet" and not (source.parent / "cell.json").exists():
        table = pq.read_table(source)
        table = final(table) if source.is_relative_to(results / "blocks") else table
        numbers = {field.name for field in table.schema if pa.types.is_floating(field.type)}
        pq.write_table(
            table,
            target,
            compression="zstd",
            compression_level=9,
            use_dictionary=[name for name in table.column_names if name not in numbers],
            column_encoding=dict.fromkeys(numbers, "BYTE_STREAM_SPLIT"),
            write_page_checksum=True,
        )
    elif source.suffix == ".png":
        # A palette of 256 colours would take as little, and loses pale bands.
        Image.open(source).convert("RGB").save(target.with_suffix(".webp"), lossless=True, method=6)
    else:
        shutil.copyfile(source, target)


def final(table: pa.Table) -> pa.Table:
    """Return the rows of the last step."""
    return table.filter(pc.equal(table["step"], pc.max(table["step"])))


def main() -> None:
    """Copy the files and write their sums."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path)
    parser.add_argument("archive", type=Path)
    arguments = parser.parse_args()
    done = done_models(arguments.results)
    if not done:
        parser.error(f"{arguments.results}: no model has all of its tables")
    if lost := done_models(arguments.archive) - done:
        names = ", ".join(sorted(lost))
        parser.error(f"{arguments.results}: lacks {names}, which {arguments.archive} has")
    # Made aside, so that the archive is never half of it and keeps no file that left the results.
    made = arguments.archive.with_name(f".{arguments.archive.name}.tmp")
    old = made.with_suffix(".old")
    for folder in (made, old):
        shutil.rmtree(folder, ignore_errors=True)
    for source in sorted(arguments.results.rglob("*")):
        path = source.relative_to(arguments.results)
        if source.is_file() and is_kept(path, done):
            write_compact(arguments.results, path, made)
    kept = sorted(path for path in made.rglob("*") if path.is_file())
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(made)}\n"
        for path in kept
    ]
    (made / SUMS).write_text("".join(lines), "utf-8")
    size = sum(path.stat().st_size for path in kept) / 1e6
    if arguments.archive.exists():
        arguments.archive.rename(old)
    made.rename(arguments.archive)
    shutil.rmtree(old, ignore_errors=True)
    print(f"{', '.join(sorted(done))}: {len(kept)} files, {size:.1f} MB")


if __name__ == "__main__":
    main()

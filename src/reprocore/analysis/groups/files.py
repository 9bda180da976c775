"""Groups of files: of the arguments of a command, or of a manifest."""

from collections.abc import Mapping, Sequence

import numpy.typing as npt
import pandas as pd

from reprocore.analysis.groups.inputs import Group, check_inputs, group_of
from reprocore.analysis.groups.reproducibility import Question, Reproducibility, analyse, together
from reprocore.errors import ReprocoreError
from reprocore.kinds import Layout, OutputKind
from reprocore.store.arrays.manifest import Member
from reprocore.store.arrays.reading import read_sources


def compare_files(
    members: Sequence[Member],
    question: Question,
    *,
    kind: OutputKind = OutputKind.PROBABILITIES,
    layout: Layout | None = None,
    targets: npt.ArrayLike | None = None,
    blocks: npt.ArrayLike | None = None,
) -> Reproducibility:
    """Compare groups of files, each snapshot by itself.

    Args:
        members: the files, with group and, if known, seed and snapshot.
        question: what is asked.
        kind: of the outputs.
        layout: of arrays with one axis more than usual.
        targets: [N], or None for those of the files.
        blocks: see `reproducibility`.

    Raises:
        ReprocoreError: a file is damaged, or files do not fit together.
    """
    by_step: dict[int | None, list[Member]] = {}
    for member in members:
        by_step.setdefault(member.step, []).append(member)
    if None in by_step and len(by_step) > 1:
        raise ReprocoreError("manifest: a step is given for some files, not for all")
    if not by_step:
        raise ReprocoreError("0 files, needs at least 2 to compare")
    results = []
    for step in sorted(by_step, key=lambda step: step or 0):
        groups = _groups(by_step[step], kind, layout)
        results.append(analyse(check_inputs(groups, kind, targets, blocks), question, step))
    return together(results)


def _groups(members: Sequence[Member], kind: OutputKind, layout: Layout | None) -> list[Group]:
    by_name: dict[str, list[Member]] = {}
    for member in members:
        by_name.setdefault(member.group, []).append(member)
    return [_group(name, own, kind, layout) for name, own in by_name.items()]


def _group(name: str, members: Sequence[Member], kind: OutputKind, layout: Layout | None) -> Group:
    sources, seeds = [], []
    for member in members:
        own = read_sources(member.path, kind, layout, member.step)
        if member.seed is not None and len(own) > 1:
            raise ReprocoreError(f"{member.path}: holds {len(own)} models, but one seed is named")
        sources += own
        seeds += [member.seed] * len(own)
    known = [seed for seed in seeds if seed is not None]
    if known and len(known) < len(seeds):
        raise ReprocoreError(f"group {name!r}: seeds are named for some files, must be for all")
    return group_of(name, sources, known or None)


def last_step(result: Reproducibility) -> Mapping[str, pd.DataFrame]:
    """Return the tables of the last snapshot by name, those of all where there are no snapshots."""
    steps = result.estimates["step"].dropna()
    tables = vars(result)
    if steps.empty:
        return tables
    return {name: frame[frame["step"] == steps.max()] for name, frame in tables.items()}

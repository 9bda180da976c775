"""The same promises on a CUDA device: repeats exactly, resumes exactly, and tells where it ran."""

import signal
from pathlib import Path

import pytest
import torch

from conftest import MODELS, tiny_config
from reprocore.store.files import read_json
from reprocore.study.cells import CELL_FILES, Cell
from reprocore.study.study import Study, parse_study
from reprocore.training.cell import train_cell as train
from reprocore.training.checkpoint import StoppedError

pytestmark = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="needs a CUDA device, and torch finds none"
)


def on_gpu(model: str) -> Study:
    content = tiny_config()
    content["models"][model]["resources"] = {"gpu": 1}
    return parse_study(content)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("activation", ["gelu", "swiglu"])
def test_a_cell_repeats_and_resumes_exactly(
    tiny_corpus, tiny_probe, tmp_path: Path, model: str, activation: str
) -> None:
    study, cell = on_gpu(model), Cell(model, activation, "all", 1)

    def stop(row, _total, _left) -> None:
        if row.iteration == 4:
            signal.raise_signal(signal.SIGTERM)

    folders = [tmp_path / name for name in ("one", "other", "stopped")]
    for folder in folders[:2]:
        train(study, cell, tiny_corpus, tiny_probe, folder)
    with pytest.raises(StoppedError):
        train(study, cell, tiny_corpus, tiny_probe, folders[2], stop)
    train(study, cell, tiny_corpus, tiny_probe, folders[2])
    for name in {*CELL_FILES} - {"history.parquet", "cell.json"}:
        contents = {(folder / name).read_bytes() for folder in folders}
        assert len(contents) == 1, name
    described = read_json(folders[0] / "cell.json")
    assert described["settings"]["device"] == "cuda"
    assert described["hardware"]["gpu"] == torch.cuda.get_device_name()
    assert described["hardware"]["driver"] != "unknown"

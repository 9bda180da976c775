"""How much the precision alone moves predictions: PD between precisions beside PD between seeds.

Trains the seeds of a model in float32 and in bfloat16 and compares the last predictions: of one seed
in both precisions (same initial weights, batches and dropout masks), and of two seeds in each.

    python benchmarks/precision.py [--model charlm] [--seeds 4] [--iterations 500]
"""

import argparse
import tempfile
from itertools import combinations
from pathlib import Path

import numpy as np
import torch

from reprocore.data.probe import build_probe
from reprocore.data.text import load_text
from reprocore.data.tokens import encode
from reprocore.statistics.divergence import divergences
from reprocore.store.predictions import read_predictions
from reprocore.store.readers import read_json
from reprocore.study.cells import Cell
from reprocore.study.study import Study, load_study, parse_study
from reprocore.training.cell import train_cell

ROOT = Path(__file__).parents[1]
PRECISIONS = ("float32", "bfloat16")

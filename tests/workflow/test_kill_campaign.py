"""The kill campaign of benchmarks/kill_campaign.py, in short."""

import sys
from pathlib import Path

from project import REPOSITORY


def test_a_short_kill_campaign_loses_nothing(tmp_path: Path) -> None:
    sys.path.insert(0, str(REPOSITORY / "benchmarks"))
    try:
        from kill_campaign import STUDY as SMALL
        from kill_campaign import campaign
    finally:
        sys.path.pop(0)
    models = {"memory": SMALL["models"]["memory"]}
    assert campaign(tmp_path, {**SMALL, "models": models, "seeds": [1, 2]}, kills=5, seed=1) == []

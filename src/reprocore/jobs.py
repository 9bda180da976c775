"""What every workflow script shares: its log, and errors told in one line."""

import contextlib
import os
import sys
import traceback
from collections.abc import Iterator
from typing import Any

from reprocore.config import Study, parse_study
from reprocore.errors import ReprocoreError


@contextlib.contextmanager
def job(snakemake: Any) -> Iterator[Study]:
    """Run a script's body with its output in the rule's log; yield the study.

    A user's mistake ends the job with status 1 and one line, in the log and on the terminal; any
    other error leaves its traceback in the log.

    Args:
        snakemake: the object that Snakemake gives to a script.
    """
    terminal = os.fdopen(os.dup(2), "w")
    with open(snakemake.log[0], "a", buffering=1, encoding="utf-8") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        try:
            yield parse_study(snakemake.config)
        except ReprocoreError as error:
            line = f"error: {error}"
        except Exception as error:
            traceback.print_exc()
            line = f"unexpected error, please report it: {error!r}; see {snakemake.log[0]}"
        else:
            return
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
        print(line, file=sys.stderr, flush=True)
        print(line, file=terminal, flush=True)
    raise SystemExit(1)

"""`executor: slurm-steady`: Snakemake's SLURM plugin with another check of what jobs do.

The settings are the plugin's, such as `--slurm-steady-logdir` for `--slurm-logdir`. Why the check
is another one is in reprocore's docs/decisions/0008-own-status-check-on-slurm.md.
"""

import subprocess
import threading
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from typing import Any

import snakemake_executor_plugin_slurm as slurm
from snakemake_executor_plugin_slurm import ExecutorSettings, common_settings
from snakemake_executor_plugin_slurm.job_status_query import (
    query_job_status,
    query_job_status_sacct,
    query_job_status_squeue,
)
from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo
from snakemake_interface_executor_plugins.jobs import JobExecutorInterface

__all__ = ["Executor", "ExecutorSettings", "common_settings"]

FAILED = frozenset(("BOOT_FAIL", "CANCELLED", "DEADLINE", "FAILED", "OUT_OF_MEMORY", "TIMEOUT"))
ENDED = FAILED | {"COMPLETED"}
GONE = "GONE"
# What SLURM itself may still put right, by starting the job again; a job may also be listed late.
PASSING = frozenset((GONE, "NODE_FAIL", "PREEMPTED"))
# Answers in a row after which what may pass is taken for good.
PATIENCE = 3
SECONDS_BETWEEN_PINGS = 10


class Executor(slurm.Executor):
    """The plugin's executor, which no outage, cancelled or vanished job brings to a halt."""

    next_seconds_between_status_checks: int

    def __init__(self, workflow: Any, logger: Any) -> None:
        # Before the base class, whose thread checks jobs at once.
        self._passing: Counter[str] = Counter()
        self._cancelled = threading.Event()
        super().__init__(workflow, logger)

    def run_job(self, job: JobExecutorInterface) -> None:
        """Submit a job once the controller answers: a failed `sbatch` would spend a retry."""
        while not _controller_answers():
            self.logger.warning("SLURM does not answer; a job waits to be submitted")
            if self._cancelled.wait(SECONDS_BETWEEN_PINGS):
                return
        super().run_job(job)

    def cancel(self) -> None:
        """End what Ctrl-C ends, jobs that wait to be submitted too."""
        self._cancelled.set()
        super().cancel()

    async def check_active_jobs(
        self, active_jobs: list[SubmittedJobInfo]
    ) -> AsyncIterator[SubmittedJobInfo]:
        """Report jobs that have ended, and yield the others: all, where SLURM does not answer."""
        ended = False
        states = await self._states(active_jobs) if active_jobs else {}
        for job in active_jobs:
            state = states.get(job.external_jobid, "")
            if state == "COMPLETED":
                self._succeed(job)
            elif state in FAILED | PASSING:
                end = "is unknown to it" if state == GONE else f"ended as {state}"
                log = str(job.aux["slurm_logfile"])
                message = f"SLURM job {job.external_jobid} {end}. "
                self.report_job_error(job, msg=message, aux_logs=[log])
            else:
                yield job
                continue
            ended = True
        self._wait_longer(ended or not active_jobs)

    async def _states(self, jobs: list[SubmittedJobInfo]) -> Mapping[str, str]:
        """Return the states of those `jobs` whose state will last, as far as SLURM can say."""
        async with self.status_rate_limiter:
            queued, _ = await query_job_status(query_job_status_squeue(self.run_uuid), self.logger)
        if queued is None:
            self.logger.warning("SLURM does not answer; its jobs are taken to go on")
            return {}
        states = {job.external_jobid: queued.get(job.external_jobid, GONE) for job in jobs}
        passing = {name for name, state in states.items() if state in PASSING}
        self._passing = Counter({name: self._passing[name] + 1 for name in passing})
        gone = {name for name in passing if states[name] == GONE}
        if any(map(self._lasts, gone)):
            # squeue forgets a job some minutes after its end; accounting, where it is, does not.
            rows, _ = await query_job_status(query_job_status_sacct(self.run_uuid), self.logger)
            accounted = {name: state.split()[0] for name, state in (rows or {}).items()}
            # Accounting may have missed a job's end, and then says for ever that it runs.
            states |= {name: accounted[name] for name in gone if accounted.get(name) in ENDED}
        return {
            name: state
            for name, state in states.items()
            if state not in PASSING or self._lasts(name)
        }

    def _lasts(self, name: str) -> bool:
        return self._passing[name] >= PATIENCE

    def _succeed(self, job: SubmittedJobInfo) -> None:
        self.report_job_success(job)
        if not self.workflow.executor_settings.keep_successful_logs:
            job.aux["slurm_logfile"].unlink(missing_ok=True)

    def _wait_longer(self, start_over: bool) -> None:
        """Ask less often while nothing ends: after the first interval, twice and thrice that."""
        first = self.workflow.executor_settings.init_seconds_before_status_checks
        longer = 0 if start_over else self.next_seconds_between_status_checks
        self.next_seconds_between_status_checks = min(longer + first, 3 * first)


def _controller_answers() -> bool:
    try:
        done = subprocess.run(["scontrol", "ping"], capture_output=True, text=True, timeout=60)
    except subprocess.TimeoutExpired:
        return False
    except OSError:  # no SLURM at all: submission will say so
        return True
    return "is UP" in done.stdout

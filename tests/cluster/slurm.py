"""A real SLURM cluster on this machine, for tests and benchmarks.

Two nodes, each one slurmd on the loopback interface: partition `cpu`; `gpu` and `gpu_low` with
two counted GPUs that are none, where `gpu` preempts `gpu_low`. A job above its memory is killed, a
job that asks for a GPU in the wrong partition, or for none in a GPU partition, is refused.

    python tests/cluster/slurm.py COMMAND...    run a command beside such a cluster
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import filelock

SLURM_FOLDER = Path("/etc/slurm")
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun")
ACCOUNTING_PROGRAMS = ("slurmdbd", "mariadbd", "mariadb-install-db")
PORTS = {"slurmctld": 16817, "cpu1": 16818, "gpu1": 16819, "slurmdbd": 16820, "mariadbd": 16821}

# config_overrides: more CPUs than there are; jobs here mostly wait. cred_expire: a job that is
# requeued waits that long. proctrack, task and jobacct_gather: those that need no cgroups.
# UnkillableStepTimeout: a step that ends in an outage shall not drain its node.
SLURM_CONF = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={slurmctld}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
SlurmdParameters=config_overrides
MailProg=/bin/true
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=2
JobAcctGatherParams=OverMemoryKill
MpiDefault=none
ReturnToService=2
SchedulerParameters=bf_interval=5,sched_interval=5
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
KillWait=5
UnkillableStepTimeout=300
MinJobAge={min_job_age}
JobSubmitPlugins=lua
GresTypes=gpu
NodeName=DEFAULT CPUs=8 RealMemory={memory}
NodeName=cpu1 NodeHostname={host} NodeAddr=127.0.0.1 Port={cpu1}
NodeName=gpu1 NodeHostname={host} NodeAddr=127.0.0.1 Port={gpu1} Gres=gpu:2
PartitionName=cpu Nodes=cpu1 Default=YES MaxTime=60 State=UP
PartitionName=gpu Nodes=gpu1 MaxTime=60 PriorityTier=10 PreemptMode=OFF State=UP
PartitionName=gpu_low Nodes=gpu1 MaxTime=60 PriorityTier=1 GraceTime=10 State=UP
"""
ACCOUNTING = """
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={slurmdbd}
AccountingStoragePass={folder}/munge.socket
AccountingStorageTRES=gres/gpu
"""
# SLURM drops a GPU without a file; any file will do.
GRES_CONF = "NodeName=gpu1 AutoDetect=off Name=gpu File={folder}/gpu[0-1]\n"
JOB_SUBMIT = """
function slurm_job_submit(job, partitions, user)
  local partition = job.partition or "cpu"
  local asks = string.find((job.tres_per_job or "") .. (job.tres_per_node or ""), "gpu") ~= nil
  if asks ~= (string.find(partition, "gpu") ~= nil) then
    slurm.log_user("partition " .. partition .. " is the wrong one for this job")
    return slurm.ERROR
  end
  return slurm.SUCCESS
end
function slurm_job_modify(job, change, partitions, user) return slurm.SUCCESS end
return slurm.SUCCESS
"""
SLURMDBD_CONF = """
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
DbdHost={host}
DbdAddr=127.0.0.1
DbdPort={slurmdbd}
CommunicationParameters=NoInAddrAny
SlurmUser=root
LogFile={folder}/slurmdbd.log
PidFile={folder}/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={mariadbd}
StorageUser=slurm
StoragePass=slurm
StorageLoc=slurm_acct_db
"""
CONFIGURATION = {"slurm.conf": SLURM_CONF, "gres.conf": GRES_CONF, "slurmdbd.conf": SLURMDBD_CONF}


def missing(accounting: bool = False) -> str | None:
    """Return why no cluster can be started here, or None."""
    if os.geteuid() != 0:
        return "only root can start the test cluster"
    programs = PROGRAMS + (ACCOUNTING_PROGRAMS if accounting else ())
    absent = [name for name in programs if shutil.which(name, path=_path()) is None]
    if absent:
        return f"not installed: {', '.join(absent)}"
    own = [path for path in map(SLURM_FOLDER.joinpath, CONFIGURATION) if path.exists()]
    if any(not path.is_symlink() for path in own):
        return f"{SLURM_FOLDER} holds the configuration of another cluster"
    return None


@contextmanager
def slurm_cluster(accounting: bool = False, min_job_age: int = 3600) -> Iterator["Cluster"]:
    """Run a cluster for the time of the block; a second one waits for the first.

    Args:
        accounting: with slurmdbd, so that `sacct` answers.
        min_job_age: seconds for which `squeue` and `scontrol` know a job after its end.
    """
    lock = filelock.FileLock(Path(tempfile.gettempdir()) / "reprocore-test-cluster.lock")
    with lock, tempfile.TemporaryDirectory(prefix="slurm-") as name:
        Path(name).chmod(0o755)
        cluster = Cluster(Path(name), accounting, min_job_age)
        try:
            cluster.configure()
            cluster.start()
            yield cluster
        finally:
            cluster.stop()


class Cluster:
    """The daemons, each known by the process id in its file."""

    def __init__(self, folder: Path, accounting: bool, min_job_age: int) -> None:
        """Take `folder`, with a short path, as sockets lie in it; start nothing."""
        self.folder, self.accounting = folder, accounting
        self._values = {
            **PORTS,
            "folder": folder,
            "host": os.uname().nodename.split(".")[0],
            "memory": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**21,
            "min_job_age": min_job_age,
        }

    def configure(self) -> None:
        """Write the configuration and link it to where SLURM's programs look for it."""
        texts = {name: text.format(**self._values) for name, text in CONFIGURATION.items()}
        texts["slurm.conf"] += ACCOUNTING.format(**self._values) if self.accounting else ""
        (self.folder / "state").mkdir()
        (self.folder / "munge.key").write_bytes(os.urandom(128))
        for name in ("gpu0", "gpu1"):
            (self.folder / name).touch()
        SLURM_FOLDER.mkdir(exist_ok=True)
        for name, text in {**texts, "job_submit.lua": JOB_SUBMIT}.items():
            (self.folder / name).write_text(text)
            (SLURM_FOLDER / name).unlink(missing_ok=True)
            (SLURM_FOLDER / name).symlink_to(self.folder / name)
        for name in ("munge.key", "slurmdbd.conf"):
            (self.folder / name).chmod(0o600)

    def start(self) -> None:
        """Start all daemons and wait until both nodes take jobs."""
        files = {"key-file": "key", "socket": "socket", "log-file": "log", "seed-file": "seed"}
        own = [f"--{option}={self.folder}/munge.{end}" for option, end in files.items()]
        _daemon("munged", *own, f"--pid-file={self.folder}/munged.pid")
        if self.accounting:
            self._start_accounting()
        self.start_controller()
        for node in ("cpu1", "gpu1"):
            _daemon("slurmd", "-N", node)
        idle = ("sinfo", "--Node", "--noheader", "--states=idle", "--format=%N")
        wait_until(lambda: {*output(*idle).split()} == {"cpu1", "gpu1"}, 60, "idle nodes")

    def _start_accounting(self) -> None:
        socket = self.folder / "mariadb.socket"
        options = ["--no-defaults", "--user=root", f"--datadir={self.folder}/mariadb"]
        output("mariadb-install-db", *options, "--auth-root-authentication-method=socket")
        with open(self.folder / "mariadbd.log", "w") as log:
            own = (f"--port={PORTS['mariadbd']}", f"--pid-file={self.folder}/mariadbd.pid")
            here = (f"--socket={socket}", "--bind-address=127.0.0.1")
            server = subprocess.Popen(
                [_program("mariadbd"), *options, *here, *own],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_until(lambda: socket.exists() or server.poll() is not None, 60, "the database")
        grant = "GRANT ALL ON slurm_acct_db.* TO 'slurm'@'{}' IDENTIFIED BY 'slurm';"
        grants = "".join(map(grant.format, ("localhost", "127.0.0.1")))
        client = ("mariadb", "--no-defaults", f"--socket={socket}", "--execute")
        output(*client, f"CREATE DATABASE slurm_acct_db; {grants}")
        _daemon("slurmdbd")
        wait_until(lambda: _succeeds("sacctmgr", "--noheader", "show", "cluster"), 60, "slurmdbd")
        output("sacctmgr", "--immediate", "add", "cluster", "test")

    def start_controller(self, *options: str) -> None:
        """Start slurmctld; with `-c` it forgets its jobs."""
        _daemon("slurmctld", *options)
        wait_until(lambda: _succeeds("scontrol", "ping"), 60, "slurmctld")

    def stop_controller(self) -> None:
        """Stop slurmctld, as in an outage; jobs go on."""
        self._end("slurmctld")

    def stop(self) -> None:
        """End the jobs and the daemons, and remove the links."""
        if _succeeds("scancel", "--user=root"):
            wait_until(lambda: not output("squeue", "--noheader"), 60, "the jobs to end")
        for name in ("slurmd-cpu1", "slurmd-gpu1", "slurmctld", "slurmdbd", "mariadbd", "munged"):
            self._end(name)
        for link in SLURM_FOLDER.iterdir():
            if link.is_symlink() and link.readlink().parent == self.folder:
                link.unlink()

    def _end(self, name: str) -> None:
        file = self.folder / f"{name}.pid"
        if file.exists():
            process = int(file.read_text())
            if _runs(process, name.split("-")[0]):
                os.kill(process, signal.SIGTERM)
                wait_until(lambda: not _runs(process, name.split("-")[0]), 60, f"{name} to end")
            file.unlink(missing_ok=True)


def wait_until(holds: Callable[[], Any], seconds: float, what: str) -> None:
    """Wait until `holds()`.

    Raises:
        TimeoutError: it does not within `seconds`; says `what` was waited for.
    """
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError(f"waited {seconds:.0f} s for {what}")
        time.sleep(0.2)


def output(*command: str) -> str:
    """Return what a command prints.

    Raises:
        RuntimeError: it fails; tells its words.
    """
    done = subprocess.run(
        [_program(command[0]), *command[1:]],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def _succeeds(*command: str) -> bool:
    try:
        output(*command)
    except RuntimeError:
        return False
    return True


def _daemon(*command: str) -> None:
    """Start a program that goes into the background by itself."""
    subprocess.run(
        [_program(command[0]), *command[1:]],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        check=True,
    )


def _runs(process: int, name: str) -> bool:
    """Whether a process of that name runs, and is no zombie."""
    try:
        text = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return False
    found, _, rest = text.partition("(")[2].rpartition(")")
    return found.startswith(name) and rest.split()[0] != "Z"


def _path() -> str:
    return f"{os.environ['PATH']}:/usr/sbin:/sbin"


def _program(name: str) -> str:
    return shutil.which(name, path=_path()) or name


if __name__ == "__main__":
    if reason := missing():
        raise SystemExit(f"error: {reason}")
    with slurm_cluster():
        raise SystemExit(subprocess.run(sys.argv[1:] or ["bash"]).returncode)

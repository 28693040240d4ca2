"""The process that a Spark job runs under: it takes the job with it, however it ends.

`spark_guard.py LIFELINE GRACE -- COMMAND...`, started as the leader of a session of its own. The job gets a process group in that session:
Spark's Java process, the program's Python and the workers of Python functions (which make groups of their own) all stay in the session.
The guard ends when the job does, with its exit code. On SIGTERM it asks the job to end and after GRACE seconds makes it; when the
lifeline (a pipe that closes with the launcher) ends, it makes it at once.

Standard library only, and no module of ours: it starts in 15 ms.
"""

import contextlib
import os
import select
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path


def main() -> int:
    """Run the command to its end, or to an end."""
    lifeline, grace, command = int(sys.argv[1]), float(sys.argv[2]), sys.argv[4:]
    told, tell = os.pipe()
    signal.signal(signal.SIGTERM, lambda *_: os.write(tell, b"t"))
    job = subprocess.Popen(command, stdin=subprocess.DEVNULL, process_group=0)

    def watch() -> None:
        job.wait()
        os.write(tell, b"e")

    threading.Thread(target=watch, daemon=True).start()
    ready, _, _ = select.select([lifeline, told], [], [])
    if lifeline not in ready and os.read(told, 1) == b"t":
        with contextlib.suppress(ProcessLookupError):
            os.killpg(job.pid, signal.SIGTERM)
        select.select([lifeline, told], [], [], grace)
    end_all(os.getpid(), job.pid)
    return job.wait()


def end_all(session: int, group: int) -> None:
    """Kill every process of the session but its leader; the group alone where processes can't be listed."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)
    kill_session(session)


def kill_session(leader: int) -> None:
    """Kill every process of the leader's session but itself, and wait until they are gone."""
    while living := [pid for pid in members(leader) if pid != leader and not zombie(pid)]:
        for pid in living:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.005)


def members(session: int) -> list[int]:
    """The processes of a session; none where there is no /proc."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if os.getsid(int(entry.name)) == session:
                found.append(int(entry.name))
    return found


def zombie(pid: int) -> bool:
    """Whether a process has ended, and waits only for its parent to hear of it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in ("Z", "X")
    except OSError:
        return True


if __name__ == "__main__":
    code = main()
    # A job that a signal ended is told as a shell tells it.
    os._exit(code if code >= 0 else 128 - code)

"""Kills what makes the cluster, again and again, and proves that one more run of site.yml converges: `make kills`.

Each kill: a run of site.yml is hit at a moment drawn from a seed, ends or fails, and is followed by one more run, which
must succeed and leave a healthy cluster with the setting that was asked for. Needs root and the bundle (`make bundle`).
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import re
import secrets
import shlex
import signal
import statistics
import subprocess
import sys
import threading
import time
import typing as t
from dataclasses import dataclass, field

import kill_health
import kill_schedule
import lab_run
from kill_schedule import CHANGES, DISKS, Kill, family, hosts_of
from lab_run import ROOT, Failed

LAB = "molecule-resume"
SUBNET = "10.98.93.0/24"
FILES = ROOT / ".lab" / "molecule" / "resume"
#: a run that does not end is as bad as one that fails
LONGEST_RUN = 600.0
#: every so many kills a further run must change nothing
QUIET_EVERY = 4
#: how long a node may take to be ready again after its host came back
SETTLE = 120.0
GROUP_VARS = {"kubernetes_timeout": 180}
_TASK = re.compile(r"^TASK \[(?:[\w.]+ : )?(.*?)\]")
_RECAP = re.compile(r"^(\S+)\s+: ok=\d+\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)", re.MULTILINE)


class Wrong(Exception):
    """A promise that was not kept."""


@dataclass
class Run:
    """One run of site.yml."""

    log: pathlib.Path
    code: int = 0
    seconds: float = 0
    task: str = "before the first task"

    @property
    def output(self) -> str:
        return self.log.read_text(errors="replace")

    @property
    def changed(self) -> dict[str, int]:
        return {
            host: int(changed) for host, changed, _unreachable, _failed in _RECAP.findall(self.output) if changed != "0"
        }


@dataclass
class Driver:
    seed: str
    kills: int
    changes: list[str]
    logs: pathlib.Path = FILES / "logs"
    topology: str = ""
    measured: dict[tuple[str, str], list[float]] = field(default_factory=dict)

    # -- hosts ----------------------------------------------------------------------------------------------------

    def podman(self, *arguments: str, stdin: str | None = None, check: bool = True, timeout: float = 60) -> str:
        done = subprocess.run(
            ["podman", *arguments], input=stdin or "", capture_output=True, text=True, timeout=timeout, check=False
        )
        if check and done.returncode:
            raise Failed(f"podman {' '.join(arguments[:3])} failed: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def on(self, host: str, script: str, check: bool = True) -> str:
        return self.podman("exec", "--interactive", f"{LAB}-{host}", "sh", "-s", stdin=script, check=check)

    def lab(self, state: str, topology: str = "small") -> None:
        hosts = [{"name": name, "groups": [group]} for name, group in kill_schedule.TOPOLOGIES[topology]]
        variables = {
            "lab_name": LAB,
            "lab_subnet": SUBNET,
            "lab_state": state,
            "lab_hosts": hosts,
            "lab_inventory_path": str(FILES / "inventory"),
            "lab_key_path": str(FILES / "ssh" / "id_ed25519"),
        }
        command = [str(ROOT / ".venv/bin/ansible-playbook"), str(ROOT / "playbooks/make_lab.yml")]
        done = subprocess.run(
            [*command, "--inventory", str(ROOT / "inventories/lab/hosts.ini"), "--extra-vars", json.dumps(variables)],
            cwd=ROOT,
            env=lab_run.ansible_environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise Failed(f"the lab hosts can't be made:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        self.topology = topology if state == "present" else ""

    def fresh(self, topology: str) -> None:
        self.lab("absent")
        self.lab("present", topology)

    # -- runs -----------------------------------------------------------------------------------------------------

    def site(
        self,
        name: str,
        variables: t.Mapping[str, t.Any],
        strike: t.Callable[[Run, int], None] | None = None,
        after: float = 0,
    ) -> Run:
        """Runs site.yml; `strike` is called once, `after` so many seconds, if the run is not over by then."""
        run = Run(self.logs / f"{name}.log")
        command = [
            str(ROOT / ".venv/bin/ansible-playbook"),
            *("--inventory", str(FILES / "inventory" / "hosts.ini")),
            *("--extra-vars", json.dumps({**GROUP_VARS, **variables})),
            str(ROOT / "playbooks/site.yml"),
        ]
        started = time.monotonic()
        with (
            run.log.open("w", encoding="utf-8") as record,
            subprocess.Popen(
                command,
                cwd=ROOT,
                env=lab_run.ansible_environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            ) as process,
        ):
            reader = threading.Thread(target=_follow, args=(process, record, run), daemon=True)
            reader.start()
            try:
                if strike is not None:
                    _wait(process, after)
                    strike(run, process.pid)
                if not _wait(process, LONGEST_RUN - (time.monotonic() - started)):
                    raise Wrong(f"site.yml did not end within {LONGEST_RUN:.0f} s, at task {run.task!r}: {run.log}")
            finally:
                if process.poll() is None:
                    kill_family(process.pid)
                run.code = process.wait()
                # Whoever is left of a killed run may still hold the pipe.
                reader.join(timeout=5)
        run.seconds = time.monotonic() - started
        return run

    def must_converge(self, name: str, variables: t.Mapping[str, t.Any]) -> Run:
        run = self.site(name, variables)
        if run.code:
            raise Wrong(
                f"one more run did not converge (exit code {run.code}); {run.log} ends with:\n{_tail(run.output)}"
            )
        return run

    # -- one kill -------------------------------------------------------------------------------------------------

    def expected(self, topology: str, phase: str) -> float:
        known = self.measured.get((topology, phase))
        return statistics.median(known) if known else kill_schedule.EXPECTED[topology, phase]

    def strike(self, kill: Kill, run: Run, pid: int) -> None:
        if kill.victim == "ansible":
            kill_family(pid)
        elif kill.victim == "host":
            self.podman("kill", f"{LAB}-{kill.host}")
            self.podman("start", f"{LAB}-{kill.host}")
        elif kill.victim in ("containerd", "registry"):
            # One that does not run yet is killed as soon as it does, for as long as the run lasts.
            self.background(kill, f"until pkill -KILL -x {kill.victim}; do sleep 0.2; done")
        elif kill.victim == "registry-500":
            # A registry that can't read its store answers 500 to everything but to who has no password.
            store = "/var/lib/registry/docker"
            script = f"until chmod 0 {store} 2>/dev/null; do sleep 0.2; done"
            if kill.amount:
                script += f"; sleep {kill.amount}; chmod 0750 {store}"
            self.background(kill, script)

    def background(self, kill: Kill, script: str) -> None:
        unit = ["systemd-run", "--quiet", "--collect", "--unit=kill", "sh", "-c", script]
        self.on(kill.host, shlex.join(unit))

    def calm(self, kill: Kill) -> None:
        """What struck is over: the disk has room, the registry reads its store, the host runs."""
        if kill.victim in ("containerd", "registry", "registry-500"):
            self.on(kill.host, "systemctl stop kill.service 2>/dev/null; true")
        if kill.victim == "registry-500":
            self.on(kill.host, "[ ! -d /var/lib/registry/docker ] || chmod 0750 /var/lib/registry/docker")
        if kill.victim == "disk":
            self.on(kill.host, f"mount -o remount,size=6g {kill.disk}")
        if kill.victim == "host":
            deadline = time.monotonic() + 60
            while self.on(kill.host, "systemctl is-system-running", check=False).strip() not in ("running", "degraded"):
                if time.monotonic() > deadline:
                    raise Failed(f"host {kill.host} did not come back within 60 s")
                time.sleep(0.5)

    def one(self, kill: Kill, moment: float | None) -> str:
        """Does one kill and returns a sentence; raises Wrong."""
        name = f"{kill.number:02}"
        if kill.phase == "install":
            self.fresh(kill.topology)
        elif self.topology != kill.topology:
            self.fresh(kill.topology)
            self.must_converge(f"{name}-before", {})
        change = next((one for one in CHANGES if one.name == kill.change), None)
        variables = dict(change.variables) if change else {}
        if kill.victim == "disk":
            self.on(
                kill.host, f"mkdir -p {kill.disk} && mount -t tmpfs -o size={kill.amount}m,mode=0755 tmpfs {kill.disk}"
            )
        after = moment if moment is not None else kill.moment * self.expected(kill.topology, kill.phase)
        struck: list[str] = []

        def strike(run: Run, pid: int) -> None:
            struck.append(run.task)
            self.strike(kill, run, pid)

        print(f"{kill}, after {after:.1f} s", flush=True)
        first = self.site(f"{name}-killed", variables, strike, after)
        self.calm(kill)
        self.must_be_clear(kill, first)
        resumed = self.must_converge(f"{name}-resumed", variables)
        self.must_be_healthy(kill, change)
        if first.code == 0:
            self.measured.setdefault((kill.topology, kill.phase), []).append(first.seconds)
        quiet = ""
        if kill.number % QUIET_EVERY == 0 or moment is not None:
            again = self.must_converge(f"{name}-again", variables)
            if again.changed:
                raise Wrong(f"a further run changed {again.changed}: {again.log}")
            quiet = ", a further run changed nothing"
        end = "ended well" if first.code == 0 else "was dead" if kill.victim == "ansible" else "failed"
        return (
            f"   at {struck[0]!r} the run {end} after {first.seconds:.0f} s; "
            f"one more converged in {resumed.seconds:.0f} s{quiet}"
        )

    def must_be_clear(self, kill: Kill, first: Run) -> None:
        """A run that fails for something that a person must mend says for what."""
        if kill.victim == "disk":
            disk = next(one for one in DISKS if one.directory == kill.disk)
            if first.code and not re.search(disk.says, first.output):
                raise Wrong(f"the error does not say that {kill.disk} is full:\n{_tail(first.output)}")
        if kill.victim == "registry-500" and first.code and not re.search(r"https?://[\d.]+:5\d\d\d", first.output):
            raise Wrong(f"the error does not name the registry:\n{_tail(first.output)}")

    def must_be_healthy(self, kill: Kill, change: kill_schedule.Change | None) -> None:
        control_planes = hosts_of(self.topology, "kube_control_plane")
        deadline = time.monotonic() + SETTLE
        while True:
            answer = self.on(control_planes[0], kill_health.QUESTION, check=False)
            found = kill_health.problems(answer, hosts_of(self.topology, "kube"), control_planes)
            if not found or time.monotonic() > deadline:
                break
            time.sleep(1)
        for host in hosts_of(self.topology, "all"):
            left = self.on(host, kill_health.LEFTOVERS).split()
            found += [f"{host} still has {path}" for path in left]
        for host in hosts_of(self.topology, change.group) if change else []:
            if self.on(host, f"if {change.proof}; then echo in force; fi", check=False).strip() != "in force":  # type: ignore[union-attr]
                found.append(f"{kill.change} is not in force on {host}")
        if found:
            raise Wrong("; ".join(found))

    # -- all of them ----------------------------------------------------------------------------------------------

    def command(self, kill: Kill, moment: float) -> str:
        limit = f" --changes {','.join(self.changes)}" if self.changes else ""
        return f".venv/bin/python scripts/kills.py --seed {self.seed} --only {kill.number} --moment {moment:.1f}{limit}"

    def __call__(self, only: range | None, moment: float | None, keep: bool) -> int:
        self.logs.mkdir(parents=True, exist_ok=True)
        plan = kill_schedule.schedule(self.seed, only[-1] if only else self.kills, self.changes)
        plan = [kill for kill in plan if only is None or kill.number in only]
        failures = []
        started = time.monotonic()
        try:
            for kill in plan:
                at = moment if moment is not None else kill.moment * self.expected(kill.topology, kill.phase)
                try:
                    print(self.one(kill, moment), flush=True)
                except (Wrong, subprocess.TimeoutExpired) as error:
                    print(f"   FAILED: {error}\n   again: {self.command(kill, at)}", flush=True)
                    failures.append(str(kill))
                    if keep:
                        break
                    self.topology = ""
        finally:
            if not (keep and failures):
                self.lab("absent")
        seconds = time.monotonic() - started
        print(f"seed {self.seed}: {len(plan) - len(failures)} of {len(plan)} kills survived in {seconds:.0f} s")
        for failure in failures:
            print(f"failed: {failure}", file=sys.stderr)
        return 1 if failures else 0


def _follow(process: subprocess.Popen[str], record: t.TextIO, run: Run) -> None:
    for line in process.stdout or ():
        record.write(line)
        record.flush()
        task = _TASK.match(line)
        if task:
            run.task = task[1]


def _wait(process: subprocess.Popen[str], seconds: float) -> bool:
    """Whether the process ended within that time."""
    try:
        process.wait(max(0, seconds))
    except subprocess.TimeoutExpired:
        return False
    return True


def _tail(output: str) -> str:
    """The messages of what failed, else the last lines."""
    told = [line for line in output.splitlines() if re.match(r"^(\[ERROR\]|fatal:|\s+msg:)", line)]
    return "\n".join(line[:600] for line in (told or output.splitlines())[-12:])


def kill_family(pid: int) -> None:
    """Ends a process and all that come from it: Ansible's workers have sessions of their own."""
    parents = {}
    for entry in pathlib.Path("/proc").iterdir():
        try:
            if entry.name.isdigit():
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    for one in family(pid, parents):
        try:
            os.kill(one, signal.SIGKILL)
        except ProcessLookupError:
            continue


def numbers(text: str) -> range:
    first, _dash, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", default=None, help="any word; a new one when not given")
    parser.add_argument("--kills", type=int, default=20, help="how many (20)")
    parser.add_argument("--only", type=numbers, help="only these of them: 7 or 4-6")
    parser.add_argument("--moment", type=float, help="with --only: seconds after the start of the run")
    parser.add_argument("--changes", default="", help=f"what reconciles change: {', '.join(c.name for c in CHANGES)}")
    parser.add_argument("--keep", action="store_true", help="stop at the first failure and keep its hosts")
    arguments = parser.parse_args()
    changes = [name for name in arguments.changes.split(",") if name]
    unknown = sorted(set(changes) - {change.name for change in CHANGES})
    if unknown:
        parser.error(f"unknown change {', '.join(unknown)}")
    if os.geteuid() != 0:
        print("kills: lab hosts are privileged containers: run this as root", file=sys.stderr)
        return 1
    # The hosts are removed on the way out, however that is reached.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    seed = arguments.seed or secrets.token_hex(3)
    print(f"seed {seed}", flush=True)
    try:
        return Driver(seed, arguments.kills, changes)(arguments.only, arguments.moment, arguments.keep)
    except Failed as error:
        print(f"kills: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())

"""Watches the command lines and environments of all processes of this machine, those of lab hosts included."""

from __future__ import annotations

import pathlib
import threading
import typing as t


class Sampler(threading.Thread):
    """Looks every so many seconds, until it is stopped. What was seen is kept once."""

    def __init__(self, interval: float = 0.2, proc: str = "/proc") -> None:
        super().__init__(daemon=True, name="process sampler")
        self._interval = interval
        self._proc = pathlib.Path(proc)
        self._done = threading.Event()
        self.rounds = 0
        self.command_lines: set[bytes] = set()
        #: (name of the process, its environment)
        self.environments: set[tuple[str, bytes]] = set()
        #: configuration files of kubeadm that were there for a moment: they hold what nothing else keeps
        self.configurations: set[bytes] = set()

    def run(self) -> None:
        while not self._done.wait(self._interval):
            self.look()

    def stop(self) -> None:
        self._done.set()
        self.join()

    def __enter__(self) -> Sampler:
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def look(self) -> None:
        self.rounds += 1
        for process in self._proc.iterdir():
            if not process.name.isdigit():
                continue
            try:
                line = (process / "cmdline").read_bytes()
                name = (process / "comm").read_text(errors="replace").strip()
                environment = (process / "environ").read_bytes()
                if line.startswith(b"kubeadm\0"):
                    self._read_configuration(process, line.decode(errors="replace").split("\0"))
            except OSError:
                # It ended meanwhile, or belongs to another user namespace.
                continue
            self.command_lines.add(line.replace(b"\0", b" "))
            self.environments.add((name, environment.replace(b"\0", b"\n")))

    def _read_configuration(self, process: pathlib.Path, words: t.Iterable[str]) -> None:
        for word in words:
            option, _equals, path = word.partition("=")
            if option == "--config":
                # As the process sees it: the file is in its host.
                self.configurations.add((process / "root" / path.lstrip("/")).read_bytes())

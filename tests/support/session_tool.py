# SPDX-License-Identifier: Apache-2.0
"""A C# session in a mono process, driven by JSON lines: commands go in, replies and events come out."""

from __future__ import annotations

import json
import queue
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from support.mono import CORE, ROOT, compile_cs, require_mono, sources

TOOL = ROOT / "tests" / "unity" / "session" / "SessionTool.cs"


def build_session_tool(folder: Path) -> Path:
    """The program, with the package's Core beside it."""
    require_mono()
    core = compile_cs(folder / "Depthbridge.Core.dll", sources(CORE))
    return compile_cs(folder / "SessionTool.exe", [TOOL], references=[core])


class SessionTool:
    """One process with at most one session in it. Everything that is said is kept in ``events``, in order."""

    def __init__(self, program: Path) -> None:
        self._process = subprocess.Popen(
            ["mono", "--debug", str(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8"
        )
        self.events: list[dict[str, Any]] = []
        self._replies: queue.Queue[dict[str, Any]] = queue.Queue()
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        assert self._process.stdin is not None and self._process.stderr is not None
        if kind is None:
            self._process.stdin.close()
            said = self._process.stderr.read()
            assert self._process.wait(30) == 0 and not said, said
        else:
            self._process.kill()
            self._process.wait()

    def ask(self, do: str, **command: Any) -> dict[str, Any]:
        """The reply of one command; fails the test when it is an error."""
        reply = self.try_ask(do, **command)
        assert reply["reply"] != "error", reply
        return reply

    def try_ask(self, do: str, **command: Any) -> dict[str, Any]:
        """The reply of one command."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": do, **command}) + "\n")
        self._process.stdin.flush()
        return self._replies.get(timeout=60)

    def start(self, endpoint: str, **options: Any) -> None:
        """A new session, started."""
        self.ask("make", endpoint=endpoint, **options)
        self.ask("start")

    def state(self) -> dict[str, Any]:
        return self.ask("state")

    def wait(self, done: Callable[[], Any], what: str, limit_s: float = 30.0) -> None:
        """Until that is so; looked at after each event."""
        end = time.monotonic() + limit_s
        while not done():
            with self._news:
                self._news.wait(0.02)
            assert time.monotonic() < end, f"no {what} within {limit_s} s; the last events: {self.events[-6:]}; {self._state_or_nothing()}"

    def wait_state(self, state: str, limit_s: float = 30.0) -> None:
        self.wait(lambda: self.state()["state"] == state, f"state {state}", limit_s)

    def ends(self) -> dict[int, dict[str, Any]]:
        """The one end of each frame; fails the test when a frame has two."""
        found: dict[int, dict[str, Any]] = {}
        for event in list(self.events):
            if "frame" in event:
                assert event["frame"] not in found, f"frame {event['frame']} ended twice: {found[event['frame']]} and {event}"
                found[event["frame"]] = event
        return found

    def wait_ends(self, count: int, limit_s: float = 60.0) -> dict[int, dict[str, Any]]:
        self.wait(lambda: len(self.ends()) >= count, f"{count} ends", limit_s)
        return self.ends()

    def _state_or_nothing(self) -> Any:
        try:
            return self.state()
        except Exception as error:  # only for the message of a failure
            return error

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            said = json.loads(line)
            if "reply" in said:
                self._replies.put(said)
            else:
                self.events.append(said)
                with self._news:
                    self._news.notify_all()

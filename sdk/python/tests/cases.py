"""What the tests share: a case with a host of its own."""

from __future__ import annotations

import logging
import shutil
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "src")]

import tidegate  # noqa: E402
from fakehost import FakeHost  # noqa: E402

# The client warns when it tries again; tests that care look with `assertLogs`.
logging.getLogger("tidegate").addHandler(logging.NullHandler())
logging.getLogger("tidegate").propagate = False


class HostCase(unittest.TestCase):
    """Starts a fake host on a socket in a short temporary path."""

    def setUp(self) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="tg"))
        self.host = FakeHost(self.root)

    def tearDown(self) -> None:
        self.host.over.set()
        self.host.stop()
        shutil.rmtree(self.root, ignore_errors=True)

    def run_of(self, rank: int = 0, world_size: int = 1, **options: Any) -> tidegate.Run:
        options = {"timeout": 5.0, "retry_for": 5.0, **options}
        return tidegate.Run("gpt", rank=rank, world_size=world_size, socket=self.host.socket, **options)

    def commit(self, step: int, content: bytes = b"weights", rank: int = 0, world_size: int = 1) -> tidegate.Commit:
        return self.run_of(rank, world_size).save(step, lambda path: (path / "w").write_bytes(content))

"""The trainer's promises: the same bits in every rank, and after any stop the same bits as without it.

Needs the packages of `requirements.txt`; trains the small model in real processes. With `TIDEGATE_BIN` (the host's
binary) set, the saves also go through a real host.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent.parent
SDK = HERE.parent.parent / "sdk" / "python" / "src"
HOST = os.environ.get("TIDEGATE_BIN")


STEPS = 14
"""Of the uninterrupted run that the others are compared with."""


class Training(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        """Trains the run that is never interrupted. It compiles for itself; the others share what they have compiled,
        which is most of the time of so short a run."""
        cls.shared = Path(tempfile.mkdtemp(prefix="tg"))
        cls.addClassCleanup(shutil.rmtree, cls.shared, ignore_errors=True)
        log = cls.shared / "baseline"
        arguments = ["--no-tidegate", "--steps", str(STEPS), "--every", "0", "--loss-log", str(log)]
        subprocess.run(train(*arguments), env=environment(), check=True, stdout=subprocess.DEVNULL, timeout=300)
        cls.expected = losses(log)

    def setUp(self) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="tg"))

    def tearDown(self) -> None:
        shutil.rmtree(self.root, ignore_errors=True)

    def start(self, log: str, *arguments: str) -> subprocess.Popen[str]:
        cache = {
            "JAX_COMPILATION_CACHE_DIR": str(self.shared / "compiled"),
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
            "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        }
        output = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        command = train("--loss-log", str(self.root / log), *arguments)
        return subprocess.Popen(command, env={**environment(), **cache}, **output)

    def finish(self, *processes: subprocess.Popen[str], code: int = 0) -> str:
        said = [process.communicate(timeout=300)[0] for process in processes]
        for process, text in zip(processes, said):
            self.assertEqual(process.returncode, code, text)
        return "".join(said)

    def ranks(self, log: str, *arguments: str) -> str:
        """Trains two ranks side by side; what rank R logs is at `log` + R."""
        both = [self.start(f"{log}{rank}", "--rank", str(rank), "--world-size", "2", *arguments) for rank in (0, 1)]
        return self.finish(*both)

    def check_resume(self, places: list[str]) -> None:
        """Stops two ranks after step 10 of saves at 4 and 8, resumes them, and compares with the uninterrupted run."""
        self.ranks("before", *places, "--every", "4", "--steps", "10")
        said = self.ranks("after", *places, "--every", "4", "--steps", str(STEPS), "--resume")
        self.assertEqual(said.count("resumed after step 8"), 2, said)
        for rank in (0, 1):
            before, after = losses(self.root / f"before{rank}"), losses(self.root / f"after{rank}")
            self.assertEqual(before, {step: self.expected[step] for step in range(1, 11)})
            self.assertEqual(after, {step: self.expected[step] for step in range(9, STEPS + 1)})

    def test_two_ranks_and_a_resumed_run_give_the_losses_of_an_uninterrupted_one_bit_for_bit(self) -> None:
        self.assertEqual(len(set(self.expected.values())), STEPS)
        self.assertLess(float.fromhex(self.expected[STEPS]), float.fromhex(self.expected[1]))
        self.check_resume(["--no-tidegate", "--plain-dir", str(self.root / "plain")])

    def test_a_rank_killed_in_a_save_leaves_the_step_incomplete_and_the_one_before_is_resumed(self) -> None:
        places = ["--no-tidegate", "--plain-dir", str(self.root / "plain"), "--every", "3", "--steps", "7"]
        crash = self.start("c0", "--rank", "0", "--world-size", "2", *places, "--crash-in-save", "6")
        other = self.start("c1", "--rank", "1", "--world-size", "2", *places)
        self.finish(crash, code=-signal.SIGKILL)
        self.finish(other)
        half = self.root / "plain" / "step-00000006" / "rank-00000"
        self.assertEqual(sorted(path.name for path in half.iterdir()), ["moments.safetensors", "weights.safetensors"])
        self.assertEqual(self.ranks("again", *places, "--resume").count("resumed after step 3"), 2)

    def test_a_checkpoint_of_another_run_is_refused(self) -> None:
        places = ["--no-tidegate", "--plain-dir", str(self.root / "plain"), "--every", "1"]
        self.finish(self.start("one", *places, "--steps", "1"))
        said = self.finish(self.start("two", *places, "--steps", "2", "--seed", "1", "--resume"), code=1)
        self.assertIn("its seed is 0, this run's is 1", said)

    @unittest.skipUnless(HOST, "TIDEGATE_BIN does not name the host's binary")
    def test_a_run_saved_through_a_host_is_resumed_bit_for_bit(self) -> None:
        home = self.root / "host"
        host = subprocess.Popen([HOST or "", "dev", "--dir", str(home), "--listen", "127.0.0.1:0"], **_quiet())
        try:
            self.check_resume(["--socket", str(home / "tidegate.sock")])
        finally:
            host.kill()
            host.wait()

    def test_saves_to_tidegate_and_plainly_are_both_timed_and_take_turns_at_being_first(self) -> None:
        sys.path[:0] = [str(SDK), str(SDK.parent / "tests")]
        from fakehost import FakeHost

        host = FakeHost(self.root)
        try:
            places = ["--socket", str(host.socket), "--plain-dir", str(self.root / "plain")]
            self.check_resume([*places, "--stall-log", str(self.root / "stalls")])
        finally:
            host.over.set()
            host.stop()
        lines = [json.loads(line) for line in (self.root / "stalls").read_text().splitlines()]
        restores = [line for line in lines if line["kind"] == "restore"]
        self.assertEqual([line["step"] for line in restores], [8, 8])
        self.assertTrue(all(line["from"]["nvme"] == line["bytes"] > 1_000_000 for line in restores))
        saves = {(line["kind"], line["step"], line["rank"]): line for line in lines if line["kind"] != "restore"}
        self.assertEqual(len(saves), 2 * 3 * 2, "two places, three steps, two ranks")
        for (kind, step, _), line in saves.items():
            self.assertEqual(line["first"], (kind == "tidegate") == (step // 4 % 2 == 1))
            self.assertAlmostEqual(line["begin_s"] + line["write_s"] + line["commit_s"], line["total_s"])


def train(*arguments: str) -> list[str]:
    return [sys.executable, str(HERE / "train.py"), "--model", "small", *arguments]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(SDK), os.environ.get("PYTHONPATH", "")])}


def losses(log: Path) -> dict[int, str]:
    """The losses by step, as bits; the text that people read must say the same."""
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    for line in lines:
        if float.fromhex(line["loss_hex"]) != line["loss"]:
            raise AssertionError(line)
    return {line["step"]: line["loss_hex"] for line in lines}


def _quiet() -> dict[str, Any]:
    return {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


if __name__ == "__main__":
    unittest.main()

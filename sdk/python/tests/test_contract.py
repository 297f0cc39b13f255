"""Behaviour that holds against any host: the fake one, and the real one when `TIDEGATE_BIN` names its binary."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from cases import HostCase, tidegate


class Contract:
    """The behaviours; subclasses give `socket()` and the assertions."""

    def rank(self, rank: int, world_size: int = 2) -> tidegate.Run:
        return tidegate.Run("gpt", rank=rank, world_size=world_size, socket=self.socket())

    def test_a_checkpoint_comes_back_exactly_once_every_rank_has_committed(self) -> None:
        first, second = self.rank(0), self.rank(1)
        save = first.checkpoint(10, metrics={"loss": 2.5}, bytes=7)
        with save as path:
            (path / "deep").mkdir()
            (path / "deep" / "weights").write_bytes(b"of zero")
        self.assertFalse(save.result.complete)
        self.assertEqual((save.result.step, save.result.bytes, save.result.files), (10, 7, 1))
        self.assertIsNone(first.latest(), "an incomplete checkpoint is never the latest")
        with self.assertRaises(tidegate.NotFound):
            first.restore("latest")
        self.assertTrue(second.save(10, lambda path: (path / "weights").write_bytes(b"of one")).complete)
        latest = second.latest()
        self.assertTrue(latest.complete)
        self.assertEqual((latest.step, latest.metrics["loss"], len(latest.shards)), (10, 2.5, 2))
        with second.restore("latest") as restored:
            kept = restored.path
            self.assertEqual((restored.step, restored.world_size, restored.metrics["loss"]), (10, 2, 2.5))
            self.assertEqual((restored.rank_path(0) / "deep" / "weights").read_bytes(), b"of zero")
            self.assertEqual((restored.rank_path(1) / "weights").read_bytes(), b"of one")
        self.assertFalse(kept.exists(), "a host-owned directory is released at the end of the with")

    def test_an_exception_in_the_block_leaves_nothing(self) -> None:
        run = self.rank(0, 1)
        with self.assertRaisesRegex(ZeroDivisionError, "division"):
            with run.checkpoint(5) as path:
                (path / "w").write_bytes(b"half")
                1 / 0
        self.assertFalse(path.exists())
        self.assertFalse(run.committed(5))
        self.assertIsNone(run.latest())

    def test_the_same_bytes_may_be_committed_again_and_other_bytes_may_not(self) -> None:
        run = self.rank(0, 1)
        self.assertFalse(run.save(1, lambda path: (path / "w").write_bytes(b"same")).reused)
        self.assertTrue(run.save(1, lambda path: (path / "w").write_bytes(b"same")).reused)
        with self.assertRaises(tidegate.Conflict):
            run.save(1, lambda path: (path / "w").write_bytes(b"other"))
        with run.restore(1) as restored:
            self.assertEqual((restored.rank_path(0) / "w").read_bytes(), b"same")

    def test_a_restore_into_a_directory_of_the_callers_stays_and_can_be_of_some_ranks(self) -> None:
        for rank in (0, 1):
            self.rank(rank).save(3, lambda path, rank=rank: (path / "w").write_bytes(bytes([rank])))
        into = Path(tempfile.mkdtemp(prefix="tg")) / "mine"
        try:
            with self.rank(0).restore(3, ranks=[1], into=into) as restored:
                self.assertEqual(restored.path, into)
                with self.assertRaisesRegex(ValueError, "rank 0 was not restored"):
                    restored.rank_path(0)
            self.assertEqual((into / "rank-00001" / "w").read_bytes(), b"\1")
            self.assertEqual(sorted(path.name for path in into.iterdir()), ["rank-00001"])
        finally:
            shutil.rmtree(into.parent)

    def test_checkpoints_are_listed_newest_first_over_all_pages(self) -> None:
        run = self.rank(0, 1)
        for step in range(1, 8):
            run.save(step, lambda path: (path / "w").write_bytes(b"%d" % step))
        self.assertEqual([checkpoint.step for checkpoint in run.checkpoints()], [7, 6, 5, 4, 3, 2, 1])
        self.assertEqual([checkpoint.step for checkpoint in run.checkpoints(limit=2)], [7, 6])

    def test_a_pin_is_shown_until_it_is_taken_away(self) -> None:
        run = self.rank(0, 1)
        run.save(1, lambda path: (path / "w").write_bytes(b"x"))
        run.pin(1, "for the paper")
        self.assertTrue(run.get(1).pinned)
        run.unpin(1, "published")
        self.assertFalse(run.get(1).pinned)

    def test_a_pin_is_lifted_by_the_name_of_its_holder(self) -> None:
        run = self.rank(0, 1)
        run.save(1, lambda path: (path / "w").write_bytes(b"x"))
        run.pin(1, "for the paper")
        with self.assertRaisesRegex(tidegate.Conflict, "operator"):
            run.unpin(1, "the bot is gone", by="ghost")
        self.assertTrue(run.get(1).pinned)
        run.unpin(1, "published", by="operator")
        self.assertFalse(run.get(1).pinned)

    def test_what_is_not_there_is_not_found_with_a_code(self) -> None:
        for ask in (lambda run: run.get(99), lambda run: run.restore(99), lambda run: run.pin(99, "no")):
            with self.assertRaises(tidegate.NotFound) as caught:
                ask(self.rank(0, 1))
            self.assertRegex(caught.exception.code, r"^TG\d{4}$")
            self.assertEqual(caught.exception.status, 404)

    def test_a_bad_run_name_is_refused_by_the_host(self) -> None:
        for name in ("", "../up", "a/b"):
            with self.assertRaises(tidegate.BadRequest) as caught:
                tidegate.Run(name, socket=self.socket()).checkpoint(1).begin()
            self.assertIn(f"run {name!r}", str(caught.exception))

    def test_an_absurd_size_is_refused_before_the_first_byte(self) -> None:
        with self.assertRaises(tidegate.NoSpace):
            self.rank(0, 1).checkpoint(1, bytes=1 << 43).begin()

    def test_a_touched_save_still_commits(self) -> None:
        save = self.rank(0, 1).checkpoint(1)
        (save.begin() / "w").write_bytes(b"slow")
        save.touch()
        self.assertEqual(save.commit().bytes, 4)
        self.assertEqual(save.commit(), save.result, "a commit may be repeated")


class FakeHostContract(Contract, HostCase):
    def socket(self) -> Path:
        return self.host.socket


@unittest.skipUnless(os.environ.get("TIDEGATE_BIN"), "TIDEGATE_BIN does not name the host's binary")
class RealHostContract(Contract, unittest.TestCase):
    def setUp(self) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="tg"))
        command = [os.environ["TIDEGATE_BIN"], "dev", "--dir", str(self.root / "d"), "--listen", "127.0.0.1:0"]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        tidegate.Run("gpt", socket=self.socket()).latest()  # waits until the host answers

    def tearDown(self) -> None:
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.root, ignore_errors=True)

    def socket(self) -> Path:
        return self.root / "d" / "tidegate.sock"


if __name__ == "__main__":
    unittest.main()

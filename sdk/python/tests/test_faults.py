"""What a trainer sees when the host is away, is restarted, drops connections, hangs, or talks nonsense."""

from __future__ import annotations

import os
import random
import threading
import time
import unittest
from unittest import mock

from cases import HostCase, tidegate
from fakehost import Problem

from tidegate import restore, unixhttp


class Faults(HostCase):
    def test_a_dropped_connection_is_tried_again_at_every_point_of_a_save(self) -> None:
        faults = [[""] * position + [fault] for fault in ("drop", "drop-answer", "busy") for position in range(2)]
        for step, fault in enumerate(faults):
            with self.subTest(fault=fault):
                self.host.faults = list(fault)
                self.assertTrue(self.commit(step).complete)
                self.assertEqual(self.host.faults, [], "the fault was met")

    def test_a_save_waits_for_a_host_that_starts_a_little_later(self) -> None:
        self.host.stop()
        timer = threading.Timer(0.3, self.host.start)
        timer.start()
        self.assertTrue(self.commit(1).complete)
        timer.join()

    def test_a_restart_between_begin_and_commit_is_a_lost_save_and_saving_again_works(self) -> None:
        run = self.run_of()
        save = run.checkpoint(1)
        with self.assertRaisesRegex(tidegate.SaveLost, "save this step again"):
            with save as path:
                (path / "w").write_bytes(b"x")
                self.host.restart()
        self.assertIsNone(save.result)
        self.assertFalse(run.committed(1))
        commits = sum(line.endswith("/commit") for line in self.host.seen)
        self.assertEqual(commits, 1, "a commit of a save that the host does not know is not tried again")
        with run.checkpoint(1) as path:
            (path / "w").write_bytes(b"x")
        self.assertTrue(run.committed(1))

    def test_a_writer_that_stumbles_over_a_swept_directory_is_told_that_the_save_is_lost(self) -> None:
        with self.assertRaises(tidegate.SaveLost) as caught:
            with self.run_of().checkpoint(1) as path:
                self.host.restart()
                (path / "w").write_bytes(b"x")
        self.assertIsInstance(caught.exception.__cause__, FileNotFoundError)

    def test_run_save_writes_again_when_the_save_is_lost(self) -> None:
        written = []

        def write(path: os.PathLike) -> None:
            if not written:
                self.host.restart()
            written.append(path)
            os.makedirs(path, exist_ok=True)
            with open(os.path.join(path, "w"), "wb") as file:
                file.write(b"x")

        self.assertTrue(self.run_of().save(1, write).complete)
        self.assertEqual(len(written), 2)

    def test_run_save_gives_up_after_its_attempts(self) -> None:
        with self.assertRaises(tidegate.SaveLost):
            self.run_of().save(1, lambda path: self.host.restart(), attempts=2)

    def test_no_host_at_all_is_unavailable_after_the_retries_and_says_what_to_do(self) -> None:
        self.host.stop()
        with self.assertLogs("tidegate", "WARNING"), self.assertRaisesRegex(tidegate.Unavailable, "tidegate dev"):
            self.run_of(retry_for=0.2).latest()
        with self.assertRaises(tidegate.Unavailable):
            self.run_of(retry_for=0).latest()
        self.host.start()

    def test_a_host_that_hangs_meets_the_deadline_and_is_not_asked_again(self) -> None:
        self.host.faults = ["hang"]
        with self.assertRaises(TimeoutError) as caught:
            self.run_of(timeout=0.1).latest()
        self.assertIsInstance(caught.exception, tidegate.DeadlineExceeded)
        self.assertEqual(len(self.host.seen), 1)

    def test_an_answer_that_is_not_json_is_a_protocol_error(self) -> None:
        self.commit(1)
        self.host.faults = ["garbage"]
        with self.assertRaises(tidegate.ProtocolError):
            self.run_of().latest()

    def test_a_refused_commit_leaves_no_staging_directory(self) -> None:
        self.commit(1, b"first")
        with self.assertRaises(tidegate.Conflict):
            self.commit(1, b"second")
        self.assertEqual(list((self.root / "staging").iterdir()), [])

    def test_the_error_of_the_block_is_raised_even_when_the_host_is_gone(self) -> None:
        start = time.monotonic()
        with self.assertRaises(KeyboardInterrupt):
            with self.run_of(retry_for=30).checkpoint(1):
                self.host.stop()
                raise KeyboardInterrupt
        self.assertLess(time.monotonic() - start, 5, "the clean-up does not wait for the host")
        self.host.start()

    def test_a_restore_goes_on_after_a_restart_of_the_host(self) -> None:
        self.commit(1)
        self.host.polls = 3
        answer = self.host.restored
        asked = []

        def forget_once(id: str, body: object, query: object) -> object:
            asked.append(id)
            if len(asked) == 2:
                self.host.restores.clear()
            return answer(id, body, query)

        self.host.restored = forget_once
        with self.run_of().restore() as restored:
            self.assertEqual((restored.rank_path(0) / "w").read_bytes(), b"weights")
        self.assertEqual(len(set(asked)), 2, "it was asked for again")

    def test_a_restore_that_was_sent_is_not_sent_twice(self) -> None:
        self.commit(1)
        self.host.faults = ["drop-answer"]
        with self.assertRaisesRegex(tidegate.Unavailable, "went away"):
            self.run_of().restore(1)
        self.assertEqual(len(self.host.restores), 1)

    def test_a_failed_restore_raises_what_a_call_would_says_why_and_is_released(self) -> None:
        self.commit(1)
        for status, code, kind in (
            (502, "TG0014", tidegate.RestoreFailed),
            (507, "TG0010", tidegate.NoSpace),
            (409, "TG0016", tidegate.Conflict),
            (503, "TG0028", tidegate.Unavailable),
            (500, "TG0001", tidegate.TidegateError),
        ):
            with self.subTest(code):
                self.host.failures = [Problem(status, code, "block 3 of w", "look here")]
                with self.assertRaisesRegex(tidegate.TidegateError, f"{code}.*block 3 of w.*look here") as caught:
                    self.run_of().restore(1)
                self.assertIs(type(caught.exception), kind)
                self.assertEqual(self.host.restores, {})

    def test_a_restore_outlasts_an_outage_of_the_object_store(self) -> None:
        self.commit(1)
        away, stopping = Problem(503, "TG0026", "no answer"), Problem(503, "TG0027", "the host is stopping")
        self.host.faults, self.host.failures = [away, away], [away, stopping]
        with mock.patch.object(restore, "PAUSE", 0.001), self.assertLogs("tidegate", "WARNING") as said:
            # `retry_for` is for a host that does not answer.
            with self.run_of(retry_for=0).restore() as restored:
                self.assertEqual((restored.rank_path(0) / "w").read_bytes(), b"weights")
        self.assertEqual(self.host.seen.count("POST /v1/restores?wait=0"), 2 + 2 + 1)
        self.assertEqual(len(said.output), 4)
        self.assertEqual(self.host.restores, {}, "what failed was released, too")

    def test_an_outage_that_outlasts_the_timeout_is_no_loss_and_is_met_with_growing_pauses(self) -> None:
        self.commit(1)
        self.host.failures = [Problem(503, "TG0026", "no answer")] * 1000
        now, pauses = [1000.0], []

        def sleep(seconds: float) -> None:
            pauses.append(seconds)
            now[0] += seconds

        clock = mock.Mock(monotonic=lambda: now[0], sleep=sleep)
        with mock.patch.object(restore, "time", clock), mock.patch.object(restore, "jitter", lambda pause: pause):
            with self.assertRaisesRegex(tidegate.Unavailable, "TG0026.*no answer"):
                self.run_of().restore(timeout=100)
        self.assertEqual(pauses, [0.5, 1, 2, 4, 8, 16, 30, 30])

    def test_a_directory_that_the_host_may_not_write_is_a_bad_request(self) -> None:
        self.commit(1)
        self.host.faults = [Problem(403, "TG0032", "into: the host runs as user 7 and you are user 8")]
        with self.assertRaisesRegex(tidegate.BadRequest, "TG0032.*user 7"):
            self.run_of().restore(into=self.root / "mine")

    def test_a_restore_that_takes_too_long_is_given_up_and_dropped(self) -> None:
        self.commit(1)
        self.host.polls = 1 << 30
        with self.assertRaises(tidegate.DeadlineExceeded):
            self.run_of().restore(1, timeout=0)
        self.assertEqual(self.host.restores, {})

    def test_a_release_that_fails_does_not_kill_the_trainer(self) -> None:
        self.commit(1)
        with self.assertLogs("tidegate", "WARNING"):
            with self.run_of(retry_for=0).restore(1):
                self.host.stop()
        self.host.start()


class Arguments(HostCase):
    def test_numbers_out_of_range_are_refused_without_asking_the_host(self) -> None:
        for rank, world_size in ((2, 2), (-1, 2), (0, 0), (0.5, 2), (True, 2)):
            with self.assertRaises(ValueError, msg=f"{rank} of {world_size}"):
                self.run_of(rank, world_size)
        for step in (-1, 1.5, "newest", None):
            with self.assertRaises(ValueError):
                self.run_of().checkpoint(step)
        self.assertEqual(self.host.seen, [])

    def test_metrics_are_whatever_is_a_number_and_a_diverged_one_does_not_cost_the_checkpoint(self) -> None:
        class Scalar:
            def __float__(self) -> float:
                return 0.1

        save = self.run_of().checkpoint(1, metrics={"a": Scalar(), "b": 3})
        with self.assertLogs("tidegate", "WARNING"), save as path:
            (path / "w").write_bytes(b"x")
            save.metrics["nan"] = float("nan")
        self.assertEqual(self.run_of().get(1).metrics, {"a": 0.1, "b": 3.0})
        with self.assertRaisesRegex(ValueError, "metric 'loss'"):
            self.run_of().checkpoint(2, metrics={"loss": "low"}).begin()

    def test_the_trainers_random_stream_is_left_alone(self) -> None:
        random.seed(7)
        expected = random.random()
        random.seed(7)
        self.host.faults = ["drop", "drop"]
        self.commit(1)
        self.assertEqual(random.random(), expected)

    def test_the_socket_comes_from_the_argument_then_the_environment_then_the_default(self) -> None:
        from tidegate.transport import find_socket

        before = os.environ.pop("TIDEGATE_SOCKET", None)
        try:
            self.assertEqual(find_socket(None), os.path.abspath("tidegate-dev/tidegate.sock"))
            os.environ["TIDEGATE_SOCKET"] = "/run/other.sock"
            self.assertEqual(find_socket(None), "/run/other.sock")
            self.assertEqual(find_socket("/run/mine.sock"), "/run/mine.sock")
            with self.assertRaisesRegex(ValueError, "longer than 107 bytes"):
                find_socket("/" + "x" * 200)
        finally:
            os.environ.pop("TIDEGATE_SOCKET", None)
            if before is not None:
                os.environ["TIDEGATE_SOCKET"] = before

    def test_many_threads_may_share_a_run(self) -> None:
        run, failures = self.run_of(), []

        def work(step: int) -> None:
            try:
                run.save(step, lambda path: (path / "w").write_bytes(b"%d" % step))
            except Exception as error:
                failures.append(error)

        threads = [threading.Thread(target=work, args=(step,)) for step in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])
        self.assertEqual(len(run.checkpoints()), 20)

    def test_a_slow_drip_does_not_outlive_the_deadline(self) -> None:
        import socket as sockets

        listener = sockets.socket(sockets.AF_UNIX)
        listener.bind(str(self.root / "drip.sock"))
        listener.listen()
        over = threading.Event()

        def drip() -> None:
            peer, _ = listener.accept()
            peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            while not over.wait(0.02):
                try:
                    peer.sendall(b" ")
                except OSError:
                    break
            peer.close()

        thread = threading.Thread(target=drip)
        thread.start()
        with self.assertRaises(TimeoutError):
            unixhttp.request(str(self.root / "drip.sock"), "GET", "/", None, {}, time.monotonic() + 0.2)
        over.set()
        thread.join()
        listener.close()


if __name__ == "__main__":
    unittest.main()

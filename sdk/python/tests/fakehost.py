"""A small host for tests: the REST contract over a Unix socket, real directories, and faults on request.

It answers in the shapes of the real one and keeps its checkpoints below a temporary directory. What it does not have:
durability, digests, bots, an object tier.
"""

from __future__ import annotations

import json
import shutil
import socketserver
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, Callable, Union
from urllib.parse import parse_qs, unquote, urlsplit


class Problem(Exception):
    def __init__(self, status: int, code: str, detail: str, hint: str = "") -> None:
        super().__init__(detail)
        self.status = status
        self.body = {
            "type": f"/errors/{code}",
            "title": "It failed",
            "status": status,
            "detail": detail,
            "code": code,
            "hint": hint,
        }


class FakeHost:
    def __init__(self, root: Path) -> None:
        self.root, self.socket = root, root / "tidegate.sock"
        self.saves: dict[str, dict[str, Any]] = {}
        self.restores: dict[str, dict[str, Any]] = {}
        self.metrics: dict[tuple[str, int], dict[str, float]] = {}
        self.worlds: dict[tuple[str, int], int] = {}
        self.pins: dict[tuple[str, int], str] = {}
        self.free = 1 << 40
        self.polls = 1
        """How often a restore is still running when it is looked at."""
        self.faults: list[Union[str, Problem]] = []
        """Taken one a request: `drop` (before it is handled), `drop-answer`, `busy` (503), `hang`, `garbage`, or a
        problem to answer."""
        self.failures: list[Problem] = []
        """Taken one a restore: how it fails."""
        self.seen: list[str] = []
        """Each request as `METHOD /path`."""
        self.counter = 0
        self.over = threading.Event()
        """Set when requests that hang may end."""
        self.start()

    def start(self) -> None:
        self.socket.unlink(missing_ok=True)
        self.server = _Server(str(self.socket), _Handler)
        self.server.host = self
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        """Stops answering, forgets what a crashed host would forget and sweeps the staging area."""
        self.server.shutdown()
        self.server.server_close()
        self.socket.unlink(missing_ok=True)
        self.saves, self.restores = {}, {}
        shutil.rmtree(self.root / "staging", ignore_errors=True)

    def restart(self) -> None:
        self.stop()
        self.start()

    # What follows is the contract, a method a resource; each returns (status, body).

    def begin(self, body: Any, _query: Any) -> Any:
        if not body["run"] or "/" in body["run"]:
            raise Problem(400, "TG0003", f"bad run name {body['run']!r}", "use letters, digits, dots and dashes")
        if body.get("bytes", 0) > self.free:
            raise Problem(507, "TG0010", f"{body['bytes']} bytes do not fit", "prune, or add space")
        self.counter += 1
        id = f"s{self.counter}"
        path = self.root / "staging" / id
        path.mkdir(parents=True)
        self.saves[id] = {**body, "path": path}
        return 201, self._wire(id)

    def commit(self, id: str, body: Any, _query: Any) -> Any:
        save = self._save(id)
        if "answer" in save:
            return 200, save["answer"]
        if not _content(save["path"]):
            raise Problem(400, "TG0013", "the save has no file", "write at least one file, or abort")
        key = (save["run"], save["step"])
        home = self.root / "store" / save["run"] / str(save["step"]) / f"rank-{save['rank']:05}"
        reused = home.exists()
        if reused and _content(home) != _content(save["path"]):
            raise Problem(409, "TG0008", f"other bytes are committed for step {save['step']}", "use another step")
        if not reused:
            home.parent.mkdir(parents=True, exist_ok=True)
            save["path"].rename(home)
        self.worlds[key] = save["world_size"]
        self.metrics.setdefault(key, {}).update(body.get("metrics") or {})
        files = _content(home)
        save["answer"] = {
            "run": save["run"],
            "step": save["step"],
            "rank": save["rank"],
            "bytes": sum(map(len, files.values())),
            "files": len(files),
            "complete": self._checkpoint(*key)["complete"],
            "seq": self.counter,
            "reused": reused,
        }
        return 200, save["answer"]

    def touch(self, id: str, _body: Any, _query: Any) -> Any:
        self._save(id)
        return 200, self._wire(id)

    def abort(self, id: str, _body: Any, _query: Any) -> Any:
        shutil.rmtree(self._save(id)["path"], ignore_errors=True)
        del self.saves[id]
        return 204, None

    def checkpoints(self, run: str, _body: Any, query: Any) -> Any:
        steps = self._steps(run)
        start, limit = int(query.get("page", 0)), int(query.get("limit", 50))
        end = start + limit
        items = [self._checkpoint(run, step) for step in steps[start:end]]
        return 200, {"items": items, "next": str(end) if end < len(steps) else None}

    def checkpoint(self, run: str, step: str, _body: Any, _query: Any) -> Any:
        return 200, self._checkpoint(run, self._resolve(run, step))

    def pin(self, run: str, step: str, body: Any, _query: Any) -> Any:
        self.pins[run, self._resolve(run, step)] = body["reason"]
        return 200, {}

    def unpin(self, run: str, step: str, body: Any, _query: Any) -> Any:
        by = (body or {}).get("by", "operator")
        if by != "operator" and (run, self._resolve(run, step)) in self.pins:
            raise Problem(409, "TG0041", f"no pin of {by}; it is pinned by operator")
        self.pins.pop((run, self._resolve(run, step)), None)
        return 204, None

    def restore(self, body: Any, query: Any) -> Any:
        run, step = body["run"], self._resolve(body["run"], str(body["step"]))
        found = self._checkpoint(run, step)
        self.counter += 1
        id = f"r{self.counter}"
        target = Path(body.get("into") or self.root / "restores" / id)
        for rank in body.get("ranks") or range(found["world_size"]):
            name = f"rank-{rank:05}"
            shutil.copytree(self.root / "store" / run / str(step) / name, target / name)
        self.restores[id] = {
            "id": id,
            "run": run,
            "step": step,
            "state": "running",
            "path": str(target),
            "world_size": found["world_size"],
            "metrics": found["metrics"],
            "bytes_total": found["bytes"],
            "bytes_done": 0,
            "from": {"nvme": found["bytes"], "object": 0},
            "seconds": 0.1,
            "polls": self.polls,
        }
        if self.failures:
            self.restores[id]["error"] = self.failures.pop(0).body
        return self.restored(id, body, query)

    def restored(self, id: str, _body: Any, _query: Any) -> Any:
        if id not in self.restores:
            raise Problem(404, "TG0018", f"no restore {id}")
        found = self.restores[id]
        if found["polls"] == 0:
            found.update(state="done", bytes_done=found["bytes_total"])
            if "error" in found:
                found["state"] = "failed"
        found["polls"] -= 1
        return (202 if found["state"] == "running" else 200), {k: v for k, v in found.items() if k != "polls"}

    def release(self, id: str, _body: Any, _query: Any) -> Any:
        if id not in self.restores:
            raise Problem(404, "TG0018", f"no restore {id}")
        shutil.rmtree(self.restores.pop(id)["path"], ignore_errors=True)
        return 204, None

    def _wire(self, id: str) -> dict[str, Any]:
        save = self.saves[id]
        named = {key: save[key] for key in ("run", "step", "rank")}
        return {"save_id": id, **named, "path": str(save["path"]), "expires_at": "2030-01-01T00:00:00Z"}

    def _save(self, id: str) -> dict[str, Any]:
        if id not in self.saves:
            raise Problem(404, "TG0007", f"no save {id}")
        return self.saves[id]

    def _steps(self, run: str) -> list[int]:
        return sorted((step for name, step in self.worlds if name == run), reverse=True)

    def _resolve(self, run: str, step: str) -> int:
        steps = [s for s in self._steps(run) if step in (str(s), "latest")]
        if step == "latest":
            steps = [s for s in steps if self._checkpoint(run, s)["complete"]]
        if not steps:
            raise Problem(404, "TG0006", f"run {run!r} has no checkpoint {step}", "see the list")
        return steps[0]

    def _checkpoint(self, run: str, step: int) -> dict[str, Any]:
        home, world_size = self.root / "store" / run / str(step), self.worlds[run, step]
        shards = []
        for path in sorted(home.iterdir()):
            files = _content(path)
            shards.append(
                {
                    "rank": int(path.name[5:]),
                    "bytes": sum(map(len, files.values())),
                    "files": len(files),
                    "sealed": True,
                    "body": None,
                    "nvme": True,
                    "object": False,
                }
            )
        return {
            "run": run,
            "step": step,
            "world_size": world_size,
            "complete": len(shards) == world_size,
            "bytes": sum(shard["bytes"] for shard in shards),
            "metrics": self.metrics[run, step],
            "pinned": (run, step) in self.pins,
            "pins": [],
            "kept_because": None,
            "tiers": ["nvme"],
            "shards": shards,
            "created_at": "2030-01-01T00:00:00Z",
            "a_field_of_tomorrow": 1,
        }

    def route(self, method: str, parts: list[str]) -> Callable[..., Any]:
        """The method for a path, its captured parts bound."""
        table: dict[tuple[str, ...], Callable[..., Any]] = {
            ("POST", "saves"): self.begin,
            ("POST", "saves", "*", "commit"): self.commit,
            ("POST", "saves", "*", "touch"): self.touch,
            ("DELETE", "saves", "*"): self.abort,
            ("GET", "runs", "*", "checkpoints"): self.checkpoints,
            ("GET", "runs", "*", "checkpoints", "*"): self.checkpoint,
            ("PUT", "runs", "*", "checkpoints", "*", "pin"): self.pin,
            ("DELETE", "runs", "*", "checkpoints", "*", "pin"): self.unpin,
            ("POST", "restores"): self.restore,
            ("GET", "restores", "*"): self.restored,
            ("DELETE", "restores", "*"): self.release,
        }
        for (verb, *pattern), handler in table.items():
            if verb == method and len(pattern) == len(parts) and all(p in ("*", q) for p, q in zip(pattern, parts)):
                captured = [q for p, q in zip(pattern, parts) if p == "*"]
                return lambda body, query: handler(*captured, body, query)
        raise Problem(404, "TG0004", f"no such resource: {method} /v1/{'/'.join(parts)}")


def _content(path: Path) -> dict[str, bytes]:
    return {str(file.relative_to(path)): file.read_bytes() for file in sorted(path.rglob("*")) if file.is_file()}


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    host: FakeHost
    lock = threading.Lock()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def handle_one_request(self) -> None:
        super().handle_one_request()
        self.close_connection = True

    def _serve(self) -> None:
        host = self.server.host
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else {}
        with self.server.lock:
            host.seen.append(f"{self.command} {self.path}")
            fault = host.faults.pop(0) if host.faults else ""
            if fault == "drop":
                return
            url = urlsplit(self.path)
            query = {key: values[0] for key, values in parse_qs(url.query).items()}
            kind = "application/json"
            try:
                if fault == "busy":
                    raise Problem(503, "TG0027", "the host is stopping")
                if isinstance(fault, Problem):
                    raise fault
                parts = [unquote(part) for part in url.path.split("/")[2:]]
                status, answer = host.route(self.command, parts)(body, query)
            except Problem as problem:
                status, answer, kind = problem.status, problem.body, "application/problem+json"
        if fault == "drop-answer":
            return
        if fault == "hang":
            host.over.wait(60)
            return
        content = b"" if answer is None else b"<html>" if fault == "garbage" else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_DELETE = _serve

    def log_message(self, *_: Any) -> None:
        pass

    def address_string(self) -> str:
        return "unix"

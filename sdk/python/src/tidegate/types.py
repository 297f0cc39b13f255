"""What the host tells about checkpoints, as immutable values. Fields that a newer host adds are ignored."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Mapping, Optional, TypeVar

from .errors import ProtocolError

_T = TypeVar("_T")


@dataclass(frozen=True)
class Shard:
    """One rank's part of a checkpoint."""

    rank: int
    bytes: int
    files: int
    sealed: bool
    """Whether its digests are made; before that nothing ships or counts as verified."""
    nvme: bool
    """Whether this host's NVMe tier holds it."""
    object: bool
    """Whether the object tier holds it, verified."""


@dataclass(frozen=True)
class Checkpoint:
    """All shards of one step."""

    run: str
    step: int
    world_size: int
    complete: bool
    """Whether every rank has committed."""
    bytes: int
    metrics: Mapping[str, float]
    pinned: bool
    tiers: tuple[str, ...]
    """The tiers that hold all of it: `nvme`, `object`."""
    shards: tuple[Shard, ...]
    created_at: str
    """When its first shard was committed, in RFC 3339."""


@dataclass(frozen=True)
class Commit:
    """The host's word that one rank's files of one step are durable."""

    run: str
    step: int
    rank: int
    bytes: int
    files: int
    complete: bool
    """Whether this commit made the checkpoint complete, or found it so."""
    seq: int
    """The position of the commit in the host's journal."""
    reused: bool
    """Whether exactly these bytes had been committed before."""


def read(kind: type[_T], wire: Any, **given: Any) -> _T:
    """Makes a `kind` of a JSON object; `given` replaces what needs converting. Raises `ProtocolError` for a lack."""
    if not isinstance(wire, dict):
        raise ProtocolError(f"the host sent no {kind.__name__} but {wire!r:.200}")
    values = {**wire, **given}
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    missing = [name for name in names if name not in values]
    if missing:
        raise ProtocolError(f"the host sent a {kind.__name__} without {', '.join(missing)}")
    return kind(**{name: values[name] for name in names})


def read_checkpoint(wire: Any) -> Checkpoint:
    """Makes a `Checkpoint` of a JSON object. Raises `ProtocolError`."""
    if not isinstance(wire, dict):
        return read(Checkpoint, wire)
    shards = tuple(read(Shard, shard) for shard in wire.get("shards") or ())
    return read(
        Checkpoint,
        wire,
        shards=shards,
        tiers=tuple(wire.get("tiers") or ()),
        metrics=wire.get("metrics") or {},
        pinned=bool(wire.get("pinned")),
    )


def index(name: str, value: Any, below: Optional[int] = None) -> int:
    """`value` as a plain int, also from NumPy's; raises `ValueError` unless 0 <= value (< `below`)."""
    number = value.__index__() if hasattr(value, "__index__") and not isinstance(value, bool) else -1
    if number < 0 or (below is not None and number >= below):
        limit = "an integer from 0" if below is None else f"an integer from 0 to {below - 1}"
        raise ValueError(f"{name} must be {limit}, not {value!r}")
    return int(number)

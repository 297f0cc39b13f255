"""Checkpoints through a local Tidegate host, in five lines and without a dependency.

    import tidegate

    run = tidegate.Run("gpt", rank=0, world_size=2)
    with run.checkpoint(step, metrics={"loss": loss}) as path:
        save_file(weights, path / "weights.safetensors")   # any files, any library

    with run.restore("latest") as restored:
        weights = load_file(restored.rank_path(0) / "weights.safetensors")

When the first `with` ends without an exception, this rank's files are durable on the host's NVMe tier; what is copied
where, and what is pruned, is the bots' business. A checkpoint is *complete* when every rank of the run has committed
it, and `latest` never names an incomplete one.

This is not a storage library: files are written and read by the caller, at native speed, in directories that the host
provides on the same machine.
"""

from .errors import (
    BadRequest,
    Conflict,
    DeadlineExceeded,
    NoSpace,
    NotFound,
    ProtocolError,
    RestoreFailed,
    SaveLost,
    TidegateError,
    Unavailable,
)
from .restore import Restored
from .run import Run
from .save import Save
from .types import Checkpoint, Commit, Shard

__version__ = "0.1.0"

__all__ = [
    "BadRequest",
    "Checkpoint",
    "Commit",
    "Conflict",
    "DeadlineExceeded",
    "NoSpace",
    "NotFound",
    "ProtocolError",
    "Restored",
    "RestoreFailed",
    "Run",
    "Save",
    "SaveLost",
    "Shard",
    "TidegateError",
    "Unavailable",
]

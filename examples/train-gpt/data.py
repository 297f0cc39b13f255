"""The training text: the source of Python's own standard library, the same on every machine with the same Python.

Which bytes a step sees follows from (seed, step) alone, so a resumed run needs no saved reader position.
"""

from __future__ import annotations

import hashlib
import os
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

import numpy as np

SKIPPED = {"site-packages", "dist-packages", "__pycache__", "test", "tests"}
"""Folders that are no part of the library, or that depend on how Python was packaged."""


@dataclass(frozen=True)
class Corpus:
    """The text as one array of bytes, and its BLAKE2b-128 digest in hex, by which a resume knows the same text."""

    text: np.ndarray
    digest: str


def load_corpus(root: Optional[Path] = None) -> Corpus:
    """Reads all `.py` files below `root` (default: the standard library) in the order of their relative paths.

    Raises `FileNotFoundError` when there is no such file: some minimal images ship Python without its sources.
    """
    root = root or Path(sysconfig.get_path("stdlib"))
    paths = []
    for folder, subfolders, files in os.walk(root):
        subfolders[:] = [name for name in subfolders if name not in SKIPPED]
        paths += [Path(folder, name) for name in files if name.endswith(".py")]
    paths = [path for path in paths if not path.is_symlink()]
    paths.sort(key=lambda path: path.relative_to(root).as_posix())
    if not paths:
        raise FileNotFoundError(f"no Python source below {root}: install the standard library's .py files")
    text = b"\n".join(path.read_bytes() for path in paths)
    return Corpus(np.frombuffer(text, np.uint8), hashlib.blake2b(text, digest_size=16).hexdigest())


def batch_at(corpus: Corpus, seed: int, step: int, batch: int, context: int) -> np.ndarray:
    """The tokens of one step: int32, (batch, context + 1).

    The positions come from Philox keyed by (seed, step), whose raw stream NumPy keeps stable across versions.
    """
    draws = np.random.Philox(key=[seed, step]).random_raw(batch)
    starts = draws % np.uint64(len(corpus.text) - context)
    return np.stack([corpus.text[int(start) : int(start) + context + 1] for start in starts]).astype(np.int32)

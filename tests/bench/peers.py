"""How small others make a checkpoint, for `cargo xtask bench object`.

Usage: peers.py STATE BASE

Both are folders that `states.py` wrote. One line of JSON: bytes of the whole state, and of the bf16 weights alone, after each of

- `zipnn`: ZipNN, told the type of each tensor;
- `zipnn_xor`: the same of the state XOR its base;
- `xet`: what xet-core does with a chunk: LZ4 of it as it is, or of its bytes grouped by their place in four (two for bf16), whichever
  is less; here in chunks of 64 KiB, the mean of its own;
- `lz4_xor`: the same of the state XOR its base.

What ZipNN made is unpacked again and compared.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from unittest import mock

import lz4.block
import numpy as np

# It imports PyTorch and safetensors for tensors of theirs; for plain bytes it uses neither.
for module in ("torch", "safetensors", "safetensors.torch"):
    sys.modules[module] = mock.MagicMock()
from zipnn import ZipNN  # noqa: E402

CHUNK = 64 << 10
TENSORS = (("bf16", 2, "bfloat16"), ("weights", 4, "float32"), ("first", 4, "float32"), ("second", 4, "float32"))


def zipnn(data: np.ndarray, dtype: str) -> int:
    packer = ZipNN(input_format="byte", bytearray_dtype=dtype)
    # It changes what it is given.
    packed = packer.compress(bytearray(data.tobytes()))
    back = packer.decompress(packed)
    if bytes(back) != data.tobytes():
        raise SystemExit("ZipNN: it is not what was packed")
    return len(packed)


def xet(data: np.ndarray, width: int) -> int:
    total = 0
    for start in range(0, len(data), CHUNK):
        chunk = data[start : start + CHUNK]
        grouped = chunk.reshape(-1, width).T.tobytes() if len(chunk) % width == 0 else chunk.tobytes()
        packed = (lz4.block.compress(bytes(it), store_size=False) for it in (chunk.tobytes(), grouped))
        total += min(len(chunk), *(len(it) for it in packed))
    return total


def main() -> None:
    state, base = map(Path, sys.argv[1:])
    told = {"raw": [0, 0]}
    for name, width, dtype in TENSORS:
        now, before = (np.fromfile(folder / f"{name}.bin", np.uint8) for folder in (state, base))
        changed = now ^ before
        sizes = {
            "raw": len(now),
            "zipnn": zipnn(now, dtype),
            "zipnn_xor": zipnn(changed, dtype),
            "xet": xet(now, width),
            "lz4_xor": xet(changed, width),
        }
        for way, size in sizes.items():
            whole, alone = told.setdefault(way, [0, 0])
            told[way] = [whole + size, alone + size * (name == "bf16")]
    print(json.dumps(told))


main()

#!/usr/bin/env python3
"""Reads a Tidegate bucket without Tidegate: FORMAT.md, in Python.

    pip install blake3 cbor2 numpy zstandard
    reader.py BUCKET OUT [--expected 'FOLDER/{step}']

BUCKET is a folder: what lies in the target, below its prefix. Restores every whole checkpoint to OUT/<run>/<step>/<rank>
and checks every digest on the way. With --expected, each shard must equal the files of that folder ({run}, {step} and
{rank} are put in). Prints what was restored, and how often each coding was met, as one JSON object.
"""

import argparse
import json
import struct
import sys
from collections import Counter
from functools import cached_property, lru_cache
from pathlib import Path

import cbor2
import numpy as np
import zstandard
from blake3 import blake3

BLOCK = 4 << 20
SECTION = 512 << 10
FILE_CONTEXT = "tidegate 2026-11 file digest v1"
DEPTH = 3  # steps within one shard from a block to what it needs
BASE, WIDE, FIRST, BASE_FIRST, SECOND = range(5)  # kinds of references
MET = Counter()  # codings that were met


class Bad(Exception):
    """The bucket is not what FORMAT.md says."""


def need(holds, what):
    if not holds:
        raise Bad(what)


def digest(data):
    return blake3(data).digest()


def item_end(data, at):
    """Where the CBOR item that begins at `at` ends."""
    major, value = data[at] >> 5, data[at] & 31
    need(value < 28, "CBOR of indefinite length")
    size = 1 << value - 24 if value > 23 else 0
    at += 1
    if size:
        value = int.from_bytes(data[at : at + size], "big")
    at += size
    if major in (2, 3):
        return at + value
    for _ in range({4: value, 5: 2 * value, 6: 1}.get(major, 0)):
        at = item_end(data, at)
    return at


def raw_items(data):
    """The values of a CBOR map, as they are encoded."""
    need(data[0] >> 5 == 5 and data[0] & 31 < 24, "not a small CBOR map")
    items, at = {}, 1
    for _ in range(data[0] & 31):
        value = item_end(data, at)
        end = item_end(data, value)
        items[cbor2.loads(data[at:value])] = data[value:end]
        at = end
    return items


def envelope(path):
    """The envelope at `path`, with `body` its payload, read."""
    data = path.read_bytes()
    env, raw = cbor2.loads(data), raw_items(data)
    packed = "packed" in env
    need(env["version"] == (2 if packed else 1), f"{path}: envelope of version {env['version']}")
    sealed = [raw[k] for k in ("version", "note", "metrics", "digest") + (("packed",) if packed else ())]
    need(digest(bytes([0x80 + len(sealed)]) + b"".join(sealed)) == env["seal"], f"{path}: seal")
    need(digest(env["payload"]) == env["digest"], f"{path}: digest of the payload")
    return env | {"body": cbor2.loads(env["payload"])}


class Bytes:
    """Bytes that are taken from the front."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, size):
        need(self.at + size <= len(self.data), "a frame ends early")
        self.at += size
        return self.data[self.at - size : self.at]

    def number(self):
        value, shift = 0, 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                need(byte or shift == 7, "a number is not in its shortest form")
                return value

    def sized(self):
        return Bytes(self.take(struct.unpack("<I", self.take(4))[0]))

    def end(self):
        need(self.at == len(self.data), "a frame has more bytes than it needs")


def decode_frame(frame, size, cut):
    """The `size` bytes of a block. `cut(kind, start, end)` gives what a part of it needs."""
    source, out = Bytes(frame), bytearray()
    need((version := source.take(1)[0]) == 1, f"frame of version {version}")
    for _ in range(source.number()):
        end = len(out) + source.number()
        out += decode_part(source, end - len(out), lambda kind, start=len(out), end=end: cut(kind, start, end))
        need(len(out) == end <= size, "a part has another length than it says")
    source.end()
    need(len(out) == size, "the parts are not the block")
    return bytes(out)


def decode_part(source, size, cut):
    method = source.take(1)[0]
    kind, width = method & 15, 1 << (method >> 4 & 3)
    need(method < 64 and kind < len(METHODS), f"unknown method {method}")
    need(size % width == 0 and width == WIDTHS.get(kind, width), "words of a wrong width")
    MET[METHODS[kind]] += 1
    if kind == 0:
        return source.take(size)
    if kind == 1:
        return source.take(width) * (size // width)
    if kind == 2:
        return cut(BASE)
    source, word = source.sized(), f"<u{width}"
    if kind == 3:
        guess = np.zeros(1, word)
    else:
        guess = predicted(kind, source, cut) if kind > 6 else np.frombuffer(cut(BASE), word)
    coded = np.frombuffer(decode_planes(source, size, width), word)
    source.end()
    if kind == 6:
        return (guess - coded).tobytes()
    return (guess ^ coded if kind in (3, 5) else guess + unfold(coded)).tobytes()


METHODS = "raw repeat same planes difference xor less narrowed seconds weights".split()
WIDTHS = {7: 2, 8: 4, 9: 4}


def unfold(words):
    """0, 1, 2, 3 stand for 0, -1, 1, -2."""
    return words >> 1 ^ (~(words & 1) + 1)


@np.errstate(all="ignore")
def predicted(kind, source, cut):
    """The words that others are differences from, computed from what is given."""
    singles = lambda kind: np.frombuffer(cut(kind), "<f4")
    if kind == 7:
        wide = np.frombuffer(cut(WIDE), "<u4")
        near = wide + 0x7FFF + (wide >> 16 & 1) >> 16
        return np.where(wide & 0x7FFFFFFF > 0x7F800000, wide >> 16 | 0x40, near).astype("<u2")
    base, first = singles(BASE), singles(FIRST)
    if kind == 8:
        kept, new, kept_first, scale = np.frombuffer(source.take(16), "<f4")
        g = (first - kept_first * singles(BASE_FIRST)) * scale
        number = kept * base + new * (g * g)
    else:
        rate, correction, epsilon, decay = np.frombuffer(source.take(16), "<f4")
        number = base - (rate * first / (np.sqrt(singles(SECOND) * correction) + epsilon) + decay * base)
    return np.where(np.isnan(number), 0x7FC00000, number.view("<u4")).astype("<u4")


def decode_planes(source, size, width):
    out = bytearray(size)
    for start in range(0, size, SECTION):
        end = min(start + SECTION, size)
        for place in range(start, start + width):
            out[place:end:width] = decode_plane(source, (end - start) // width)
    return bytes(out)


def decode_plane(source, size, packed=False):
    if size == 0:
        return b""
    coding = source.take(1)[0]
    need(coding in PLANES and not (packed and coding > 3), f"unknown coding {coding}")
    MET[f"plane {PLANES[coding]}"] += 1
    if coding == 0:
        return source.take(1) * size
    if coding == 1:
        return source.take(size)
    if coding == 2:
        data = zstandard.ZstdDecompressor().decompress(source.take(source.number()), max_output_size=size)
        need(len(data) == size, "a zstd frame has another length than its plane")
        return data
    width = 1 << coding - 4
    per_byte, escape = 8 // width, (1 << width) - 1
    packed = np.frombuffer(decode_plane(source, -(-size // per_byte), True), "u1")
    out = np.concatenate([packed >> width * stretch & escape for stretch in range(per_byte)])[:size]
    escaped = out == escape
    out[escaped] = np.frombuffer(decode_plane(source, int(escaped.sum()), True), "u1")
    return out.tobytes()


PLANES = {0: "constant", 1: "raw", 2: "zstd", 4: "packed 1", 5: "packed 2", 6: "packed 4"}


class Shard:
    """One rank of one step."""

    def __init__(self, run, step, rank):
        self.folder = run / f"{step:016}" / f"{rank:05}"
        self.run, self.step, self.rank = run, step, rank
        self.env = envelope(self.folder.parent / f"rank-{rank:05}.cbor")
        self.body, self.packed = self.env["body"], self.env.get("packed")
        need(self.body["version"] == 1, f"body of version {self.body['version']}")
        names = self.body["run"], self.body["step"], self.body["rank"]
        need(names == (run.name, step, rank), f"{self.folder}: the body is of {names}")
        self.files = {file["path"]: file for file in self.body["files"]}
        need(list(self.files) == sorted(self.files, key=str.encode), "files are not in order")
        for path, file in self.files.items():
            need(not {"", ".", ".."} & set(path.split("/")), f"{path}: not a plain path")
            need(len(file["blocks"]) == -(-file["size"] // BLOCK), f"{path}: number of blocks")
            said = blake3(struct.pack("<Q", file["size"]) + b"".join(file["blocks"]), derive_key_context=FILE_CONTEXT)
            need(said.digest() == file["digest"], f"{path}: digest of the file")

    @cached_property
    def base(self):
        said = self.packed["base"]
        need(said, f"{self.folder} needs a base that it does not name")
        need(said["step"] < self.step and 1 <= said["chain"] <= 64, f"{self.folder}: base")
        base = Shard(self.run, said["step"], self.rank)
        need(base.env["digest"] == said["body"], f"{self.folder}: the base's body is another")
        return base

    @cached_property
    def units(self):
        """What each block's digest is kept as: the pack and its files, and the unit."""
        units = {}
        for pack in self.packed["packs"]:
            data = (self.folder / "packs" / pack["digest"].hex()).read_bytes()
            need(digest(data) == pack["digest"] and len(data) == pack["size"], f"{self.folder}: pack")
            need(data[:8] == b"TGPACK1\n" and data[-8:] == b"TGPACKED", f"{self.folder}: not a pack")
            (size,), index_digest = struct.unpack("<Q", data[-48:-40]), data[-40:-8]
            index = data[-48 - size : -48]
            need(size + 48 == pack["index"] and digest(index) == index_digest, f"{self.folder}: index of a pack")
            index = cbor2.loads(index)
            need(index["version"] == 1, f"index of version {index['version']}")
            units |= {unit[0]: (data, index["files"], unit) for unit in index["units"]}
        return units

    @lru_cache(maxsize=64)
    def block(self, path, number, depth=0):
        """Block `number` of a file, whose bytes are proven."""
        need(depth <= DEPTH, f"{self.folder}/{path}: needs too many others")
        file = self.files[path]
        said, size = file["blocks"][number], min(BLOCK, file["size"] - number * BLOCK)
        if self.packed is None:
            with open(self.folder / "data" / file["digest"].hex(), "rb") as data:
                data.seek(number * BLOCK)
                block = data.read(size)
        else:
            block = self.unpack(said, size, depth)
        need(len(block) == size and digest(block) == said, f"{self.folder}/{path}: digest of block {number}")
        return block

    def unpack(self, said, size, depth):
        need(said in self.units, f"{self.folder}: no pack holds block {said.hex()}")
        pack, names, (_, unit_size, begin, length, references) = self.units[said]
        need(unit_size == size, "a unit is of another size than its block")

        def cut(kind, start, end):
            twice = 2 if kind == WIDE else 1
            for of, first, last, file, place in references:
                if of == kind and first <= start and end <= last:
                    shard, below = (self.base, 0) if kind in (BASE, BASE_FIRST) else (self, depth + 1)
                    return shard.read(names[file], place + twice * (start - first), twice * (end - start), below)
            raise Bad(f"{self.folder}: no reference of kind {kind} holds {start}..{end}")

        return decode_frame(pack[begin : begin + length], size, cut)

    def read(self, path, start, size, depth=0):
        """Bytes of a file, through the blocks that hold them."""
        numbers = range(start // BLOCK, -(-(start + size) // BLOCK))
        data = b"".join(self.block(path, number, depth) for number in numbers)
        start -= numbers.start * BLOCK
        need(start + size <= len(data), f"{path}: a reference goes beyond the file")
        return data[start : start + size]

    def restore(self, to):
        for path, file in self.files.items():
            (to / path).parent.mkdir(parents=True, exist_ok=True)
            with open(to / path, "wb") as out:
                for number in range(len(file["blocks"])):
                    out.write(self.block(path, number))


def compare(restored, expected):
    ours, theirs = ({p.relative_to(f): p for p in f.rglob("*") if p.is_file()} for f in (restored, expected))
    need(ours.keys() == theirs.keys(), f"{restored} and {expected} have other files: {ours.keys() ^ theirs.keys()}")
    for path in ours:
        need(ours[path].read_bytes() == theirs[path].read_bytes(), f"{ours[path]} differs from {theirs[path]}")


def checkpoint(folder, args):
    """Restores one checkpoint; returns what it is."""
    marker, run = envelope(folder / "checkpoint.cbor")["body"], folder.parent
    shards, step = marker["shards"], int(folder.name)
    need(marker["version"] == (2 if any("packed" in s for s in shards) else 1), f"{folder}: version of the marker")
    need((marker["run"], marker["step"]) == (run.name, step), f"{folder}: the marker is of another")
    need(len(shards) == marker["world_size"], f"{folder}: number of shards")
    for rank, said in enumerate(shards):
        shard = Shard(run, step, rank)
        need(shard.env["digest"] == said["body"], f"{folder}: the body of rank {rank} is another")
        files, packed = shard.files.values(), shard.packed
        need(said["files"] == len(files) and said["bytes"] == sum(f["size"] for f in files), f"{folder}: sizes")
        need(said.get("packed") == (packed and sum(p["size"] for p in packed["packs"])), f"{folder}: bytes of packs")
        need(said.get("base") == (packed and packed["base"] and packed["base"]["step"]), f"{folder}: base")
        to = args.out / run.name / str(step) / str(rank)
        shard.restore(to)
        if args.expected:
            compare(to, Path(args.expected.format(run=run.name, step=step, rank=rank)))
    return {"run": run.name, "step": step, "ranks": len(shards), "bytes": sum(s["bytes"] for s in shards)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bucket", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--expected")
    args = parser.parse_args()
    markers = sorted(args.bucket.glob("v1/runs/*/*/checkpoint.cbor"))
    need(markers, "no whole checkpoint here")
    restored = [checkpoint(marker.parent, args) for marker in markers]
    print(json.dumps({"restored": restored, "met": dict(sorted(MET.items()))}))


if __name__ == "__main__":
    try:
        main()
    except (Bad, cbor2.CBORError, zstandard.ZstdError, LookupError, TypeError, OSError) as bad:
        sys.exit(f"{type(bad).__name__}: {bad}")

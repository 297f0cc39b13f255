;; Writes a value and a key that are a byte too long, and a key of nothing: refused in words.
;; ends: runs
;; check: /state_bytes = 0
(import "tidegate:bot/state@0.2.0" "set" (func $set (param i32 i32 i32 i32 i32)))
(func $shard (param $run i32) (param $run_len i32) (param $step i64)
  (memory.fill (i32.const 4096) (i32.const 97) (i32.const 257))
  (call $set (i32.const 4096) (i32.const 1) (i32.const 65536) (i32.const 65537) (i32.const 64))
  (call $refused (i32.const 64) (global.get $invalid))
  (call $set (i32.const 4096) (i32.const 257) (i32.const 65536) (i32.const 1) (i32.const 64))
  (call $refused (i32.const 64) (global.get $invalid))
  (call $set (i32.const 4096) (i32.const 0) (i32.const 65536) (i32.const 1) (i32.const 64))
  (call $refused (i32.const 64) (global.get $invalid)))

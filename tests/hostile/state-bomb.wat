;; Writes 64 KiB under one key after another: refused at a mebibyte.
;; ends: runs
;; check: /state_bytes >= 900000
;; check: /state_bytes <= 1048576
(import "tidegate:bot/state@0.2.0" "set" (func $set (param i32 i32 i32 i32 i32)))
(func $shard (param $run i32) (param $run_len i32) (param $step i64)
  (local $n i32)
  (loop $again
    (i32.store (i32.const 3000) (i32.add (i32.const 0x30303030) (local.get $n)))
    (call $set (i32.const 3000) (i32.const 4) (i32.const 65536) (i32.const 65536) (i32.const 64))
    (br_if $again (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 40))))
  (call $refused (i32.const 64) (global.get $over_quota)))

;; Asks to be woken under three hundred keys: it has 256 of them, and the others are refused.
;; grants: {"effects_per_event":4096}
;; ends: runs
(import "tidegate:bot/schedule@0.2.0" "wake-at" (func $wake_at (param i64 i32 i32 i32 i32 i32)))
(import "tidegate:bot/clock@0.2.0" "now" (func $now (result i64)))
(data (i32.const 2000) "because I can")
(func $shard (param $run i32) (param $run_len i32) (param $step i64)
  (local $n i32)
  (loop $again
    (i32.store (i32.const 3000)
      (i32.or (i32.or (i32.const 0x40404040) (i32.and (local.get $n) (i32.const 63)))
        (i32.shl (i32.and (local.get $n) (i32.const 0xfc0)) (i32.const 2))))
    (call $wake_at (i64.add (call $now) (i64.const 86400000000000)) (i32.const 3000) (i32.const 4)
      (i32.const 2000) (i32.const 13) (i32.const 64))
    (br_if $again (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 300))))
  (call $refused (i32.const 64) (global.get $over_quota)))

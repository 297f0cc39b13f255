;; Writes state, and is granted a byte of it: refused.
;; grants: {"state_bytes":1}
;; ends: runs
;; check: /state_bytes = 0
(import "tidegate:bot/state@0.2.0" "set" (func $set (param i32 i32 i32 i32 i32)))
(data (i32.const 2000) "because I can")
(func $shard (param $run i32) (param $run_len i32) (param $step i64)
  (call $set (i32.const 2000) (i32.const 1) (i32.const 2000) (i32.const 13) (i32.const 64))
  (call $refused (i32.const 64) (global.get $over_quota)))

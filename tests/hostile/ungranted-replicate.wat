;; Asks for a copy, and is granted the target but another run: denied, and no job.
;; grants: {"replicate":["other"],"targets":["default"]}
;; ends: runs
;; check: /ledger/refused/denied = 1
;; check: /effects = 0
(import "tidegate:bot/replication@0.2.0" "replicate" (func $replicate
  (param i32 i32 i64 i32 i32 i32 i32 i32 i64 i32 i64 i32 i64 i32 i32 i32 i32)))
(data (i32.const 3000) "default")
(data (i32.const 2000) "because I can")
(func $shard (param $run i32) (param $run_len i32) (param $step i64)
  (call $replicate (local.get $run) (local.get $run_len) (local.get $step) (i32.const 3000) (i32.const 7)
    (i32.const 0) (i32.const 0) (i32.const 0) (i64.const 0) (i32.const 0) (i64.const 0) (i32.const 0) (i64.const 0)
    (i32.const 9) (i32.const 2000) (i32.const 13) (i32.const 64))
  (call $refused (i32.const 64) (global.get $denied)))

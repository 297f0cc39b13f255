;; Asks to take a pin back, and is granted it for another run: denied.
;; grants: {"pin":["other"]}
;; ends: runs
;; check: /ledger/refused/denied = 1
;; check: /effects = 0
(import "tidegate:bot/checkpoints@0.2.0" "unpin" (func $unpin (param i32 i32 i64 i32 i32 i32)))
(data (i32.const 2000) "because I can")
(func $shard (param $run i32) (param $run_len i32) (param $step i64)
  (call $unpin (local.get $run) (local.get $run_len) (local.get $step)
    (i32.const 2000) (i32.const 13) (i32.const 64))
  (call $refused (i32.const 64) (global.get $denied)))

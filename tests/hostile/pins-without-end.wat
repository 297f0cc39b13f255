;; Pins and unpins one checkpoint two hundred times: once is enough, and the others are refused.
;; grants: {"pin":["*"]}
;; ends: runs
;; check: /effects <= 2
;; check: /ledger/refused/unnecessary >= 398
(import "tidegate:bot/checkpoints@0.2.0" "pin" (func $pin (param i32 i32 i64 i32 i32 i32)))
(import "tidegate:bot/checkpoints@0.2.0" "unpin" (func $unpin (param i32 i32 i64 i32 i32 i32)))
(data (i32.const 2000) "because I can")
(func $shard (param $run i32) (param $run_len i32) (param $step i64)
  (local $n i32)
  (loop $again
    (call $pin (local.get $run) (local.get $run_len) (i64.const 0) (i32.const 2000) (i32.const 13) (i32.const 64))
    (call $pin (local.get $run) (local.get $run_len) (local.get $step) (i32.const 2000) (i32.const 13) (i32.const 64))
    (call $unpin (local.get $run) (local.get $run_len) (local.get $step) (i32.const 2000) (i32.const 13) (i32.const 64))
    (br_if $again (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 200)))))

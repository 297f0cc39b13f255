;; Hands bytes over that are no UTF-8: the call is not taken.
;; ends: quarantined, utf-8
(import "tidegate:bot/log@0.2.0" "line" (func $line (param i32 i32 i32)))
(data (i32.const 2000) "\ff\fe\80")
(func $shard (param $run i32) (param $run_len i32) (param $step i64)
  (call $line (i32.const 3) (i32.const 2000) (i32.const 3)))

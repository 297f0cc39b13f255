;; Writes five thousand lines: the first few are kept, the others are counted.
;; ends: runs
;; check: /ledger/log_lines <= 64
;; check: /ledger/log_lines_dropped >= 4936
(import "tidegate:bot/log@0.2.0" "line" (func $line (param i32 i32 i32)))
(data (i32.const 2000) "look at me")
(func $shard (param $run i32) (param $run_len i32) (param $step i64)
  (local $n i32)
  (loop $again
    (call $line (i32.const 3) (i32.const 2000) (i32.const 10))
    (br_if $again (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 5000)))))

;; Writes 60 lines of 100 KB: each is cut to a kilobyte.
;; ends: runs
;; check: /ledger/log_lines >= 1
(import "tidegate:bot/log@0.2.0" "line" (func $line (param i32 i32 i32)))
(func $shard (param $run i32) (param $run_len i32) (param $step i64)
  (local $n i32)
  (memory.fill (i32.const 100000) (i32.const 97) (i32.const 100000))
  (loop $again
    (call $line (i32.const 2) (i32.const 100000) (i32.const 100000))
    (br_if $again (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 60)))))

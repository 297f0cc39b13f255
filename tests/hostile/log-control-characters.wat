;; Writes what would rewrite a terminal: people see replacement characters.
;; ends: runs
;; check: /ledger/log_lines = 1
(import "tidegate:bot/log@0.2.0" "line" (func $line (param i32 i32 i32)))
(data (i32.const 2000) "\1b[2J\1b]0;owned\07\0d\0a\c2\9b1m")
(func $shard (param $run i32) (param $run_len i32) (param $step i64)
  (call $line (i32.const 2) (i32.const 2000) (i32.const 20)))

;; Writes lines for ever, which no count of host calls ends: its deadline or its fuel does.
;; ends: quarantined, ran longer | fuel
;; check: /ledger/log_lines <= 512
(import "tidegate:bot/log@0.2.0" "line" (func $line (param i32 i32 i32)))
(func $shard (param $run i32) (param $run_len i32) (param $step i64)
  (loop $again (call $line (i32.const 1) (i32.const 0) (i32.const 1024)) (br $again)))

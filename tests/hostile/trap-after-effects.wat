;; Pins, writes state and a metric, and then traps: nothing of it is committed.
;; grants: {"pin":["*"]}
;; ends: quarantined, unreachable
(import "tidegate:bot/checkpoints@0.2.0" "pin" (func $pin (param i32 i32 i64 i32 i32 i32)))
(import "tidegate:bot/state@0.2.0" "set" (func $set (param i32 i32 i32 i32 i32)))
(import "tidegate:bot/metrics@0.2.0" "set" (func $metric (param i32 i32 f64 i32)))
(data (i32.const 2000) "because I can")
(data (i32.const 3000) "loot")
(func $shard (param $run i32) (param $run_len i32) (param $step i64)
  (call $pin (local.get $run) (local.get $run_len) (local.get $step) (i32.const 2000) (i32.const 13) (i32.const 64))
  (call $accepted (i32.const 64))
  (call $set (i32.const 3000) (i32.const 4) (i32.const 3000) (i32.const 4) (i32.const 64))
  (call $accepted (i32.const 64))
  (call $metric (i32.const 3000) (i32.const 4) (f64.const 1) (i32.const 64))
  (call $accepted (i32.const 64))
  unreachable)

;; Says nothing of itself, imports what pins by the contract of 0.1, and is not granted it: not installed.
;; world: 0.1
;; ends: not installed: TG0033, imports `pin`
(import "tidegate:bot/checkpoints@0.1.0" "pin" (func $pin (param i32 i32 i64 i32 i32 i32)))
(func $shard (param $run i32) (param $run_len i32) (param $step i64)
  (call $pin (local.get $run) (local.get $run_len) (local.get $step)
    (i32.const 2000) (i32.const 13) (i32.const 64)))

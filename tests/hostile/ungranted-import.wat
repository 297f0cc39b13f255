;; Says nothing of itself, imports what prunes, and is not granted it: not installed, and the difference is shown.
;; grants: {"pin":["*"]}
;; ends: not installed: TG0033, imports `prune`
(import "tidegate:bot/checkpoints@0.2.0" "prune"
  (func $prune (param i32 i32 i64 i32 i32 i32 i32)))
(func $shard (param $run i32) (param $run_len i32) (param $step i64)
  (call $prune (local.get $run) (local.get $run_len) (local.get $step)
    (i32.const 0) (i32.const 2000) (i32.const 13) (i32.const 64)))

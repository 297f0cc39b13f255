;; Asks for a plan of 257 steps, and for a page of 257 checkpoints: refused in words.
;; grants: {"prune":["*"],"tiers":["nvme","object"]}
;; ends: runs
(import "tidegate:bot/checkpoints@0.2.0" "plan-prune" (func $plan (param i32 i32 i32 i32 i32 i32)))
(import "tidegate:bot/checkpoints@0.2.0" "list-checkpoints"
  (func $list (param i32 i32 i32 i64 i32 i32)))
(func $shard (param $run i32) (param $run_len i32) (param $step i64)
  (call $plan (local.get $run) (local.get $run_len) (i32.const 4096) (i32.const 257) (i32.const 0) (i32.const 64))
  (call $refused (i32.const 64) (global.get $invalid))
  (call $list (local.get $run) (local.get $run_len) (i32.const 0) (i64.const 0) (i32.const 257) (i32.const 64))
  (call $refused (i32.const 64) (global.get $invalid)))

;; Gives 513 bytes for a reason, and for a run's name: refused in words, and no effect.
;; grants: {"prune":["*"],"tiers":["nvme","object"]}
;; ends: runs
;; check: /effects = 0
(import "tidegate:bot/checkpoints@0.2.0" "prune"
  (func $prune (param i32 i32 i64 i32 i32 i32 i32)))
(func $shard (param $run i32) (param $run_len i32) (param $step i64)
  (memory.fill (i32.const 2000) (i32.const 97) (i32.const 513))
  (call $prune (local.get $run) (local.get $run_len) (local.get $step)
    (i32.const 0) (i32.const 2000) (i32.const 513) (i32.const 64))
  (call $refused (i32.const 64) (global.get $invalid))
  (call $prune (i32.const 2000) (i32.const 513) (local.get $step)
    (i32.const 0) (i32.const 2000) (i32.const 1) (i32.const 64))
  (call $refused (i32.const 64) (global.get $invalid)))

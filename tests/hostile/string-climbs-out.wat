;; Names a run with a path out of the tier: refused in words.
;; grants: {"prune":["*"],"tiers":["nvme","object"]}
;; ends: runs
;; check: /effects = 0
(import "tidegate:bot/checkpoints@0.2.0" "prune"
  (func $prune (param i32 i32 i64 i32 i32 i32 i32)))
(data (i32.const 2000) "because I can")
(data (i32.const 3000) "../../etc")
(func $shard (param $run i32) (param $run_len i32) (param $step i64)
  (call $prune (i32.const 3000) (i32.const 9) (local.get $step)
    (i32.const 0) (i32.const 2000) (i32.const 13) (i32.const 64))
  (call $refused (i32.const 64) (global.get $invalid)))

;; Names a tier that does not exist: the call is not taken.
;; grants: {"prune":["*"],"tiers":["nvme","object"]}
;; ends: quarantined, 
(import "tidegate:bot/checkpoints@0.2.0" "prune"
  (func $prune (param i32 i32 i64 i32 i32 i32 i32)))
(func $shard (param $run i32) (param $run_len i32) (param $step i64)
  (call $prune (local.get $run) (local.get $run_len) (local.get $step)
    (i32.const 77) (i32.const 0) (i32.const 1) (i32.const 64)))

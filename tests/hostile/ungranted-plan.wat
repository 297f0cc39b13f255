;; Asks what the guard would say to a prune, and is granted it for another run: denied.
;; grants: {"prune":["other"],"tiers":["nvme","object"]}
;; ends: runs
(import "tidegate:bot/checkpoints@0.2.0" "plan-prune" (func $plan (param i32 i32 i32 i32 i32 i32)))
(data (i32.const 2000) "because I can")
(func $shard (param $run i32) (param $run_len i32) (param $step i64)
  (call $plan (local.get $run) (local.get $run_len) (i32.const 4096) (i32.const 1)
    (i32.const 0) (i32.const 64))
  (call $refused (i32.const 64) (global.get $denied)))

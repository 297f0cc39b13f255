;; Asks for a plan of a hundred million steps: the call is not taken.
;; grants: {"prune":["*"],"tiers":["nvme","object"]}
;; ends: quarantined, 
(import "tidegate:bot/checkpoints@0.2.0" "plan-prune" (func $plan (param i32 i32 i32 i32 i32 i32)))
(func $shard (param $run i32) (param $run_len i32) (param $step i64)
  (call $plan (local.get $run) (local.get $run_len) (i32.const 65536) (i32.const 100000000)
    (i32.const 0) (i32.const 64)))

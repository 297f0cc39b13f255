;; Asks for what it is not granted, for ever: refusals count as host calls.
;; grants: {"prune":["other"],"tiers":["nvme","object"]}
;; ends: quarantined, host calls
(import "tidegate:bot/checkpoints@0.2.0" "prune"
  (func $prune (param i32 i32 i64 i32 i32 i32 i32)))
(data (i32.const 2000) "because I can")
(func $shard (param $run i32) (param $run_len i32) (param $step i64)
  (loop $again
    (call $prune (local.get $run) (local.get $run_len) (local.get $step)
      (i32.const 0) (i32.const 2000) (i32.const 13) (i32.const 64))
    (br $again)))

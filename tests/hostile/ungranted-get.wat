;; Looks at a checkpoint of a run that it may not see: denied.
;; ends: runs
(import "tidegate:bot/checkpoints@0.2.0" "get-checkpoint" (func $get (param i32 i32 i64 i32)))
(data (i32.const 3000) "neighbour")
(data (i32.const 2000) "because I can")
(func $shard (param $run i32) (param $run_len i32) (param $step i64)
  (call $get (i32.const 3000) (i32.const 9) (i64.const 1) (i32.const 64))
  (call $refused (i32.const 64) (global.get $denied)))

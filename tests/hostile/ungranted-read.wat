;; Lists the checkpoints of a run that it may not see: denied.
;; ends: runs
(import "tidegate:bot/checkpoints@0.2.0" "list-checkpoints"
  (func $list (param i32 i32 i32 i64 i32 i32)))
(data (i32.const 3000) "neighbour")
(data (i32.const 2000) "because I can")
(func $shard (param $run i32) (param $run_len i32) (param $step i64)
  (call $list (i32.const 3000) (i32.const 9) (i32.const 0) (i64.const 0) (i32.const 10) (i32.const 64))
  (call $refused (i32.const 64) (global.get $denied)))

;; Calls a job off that is not its own: it knows of none.
;; ends: runs
(import "tidegate:bot/replication@0.2.0" "cancel" (func $cancel (param i32 i32 i32 i32 i32)))
(data (i32.const 3000) "00112233445566778899aabbccddeeff")
(data (i32.const 2000) "because I can")
(func $shard (param $run i32) (param $run_len i32) (param $step i64)
  (call $cancel (i32.const 3000) (i32.const 32) (i32.const 2000) (i32.const 13) (i32.const 64))
  (call $refused (i32.const 64) (global.get $not_found)))

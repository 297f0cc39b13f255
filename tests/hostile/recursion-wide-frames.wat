;; Recurses three ways, and each call keeps many values: the stack is counted in bytes, not in calls.
;; ends: quarantined, stack
(func $deeper (param i64) (result i64)
  (local i64 i64 i64 i64 i64 i64 i64 i64 i64 i64)
  (i64.add
    (call $deeper (i64.add (local.get 0) (i64.const 1)))
    (i64.add (call $deeper (local.get 1)) (call $deeper (local.get 2)))))
(func $shard (param $run i32) (param $run_len i32) (param $step i64)
  (drop (call $deeper (i64.const 1))))

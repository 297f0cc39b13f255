;; Calls itself without end: it uses up its own stack only.
;; ends: quarantined, stack
(func $deeper (param i32) (result i32)
  (i32.add (call $deeper (i32.add (local.get 0) (i32.const 1))) (i32.const 1)))
(func $shard (param $run i32) (param $run_len i32) (param $step i64)
  (drop (call $deeper (i32.const 1))))

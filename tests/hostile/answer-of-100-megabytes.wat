;; Fails with an error of 100 MB that it does not have: a fault, and nothing is read.
;; ends: quarantined, 
(func $shard (param $run i32) (param $run_len i32) (param $step i64)
  (i32.store8 (i32.const 16) (i32.const 1))
  (i32.store (i32.const 20) (i32.const 0))
  (i32.store (i32.const 24) (i32.const 100000000)))

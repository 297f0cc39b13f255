;; Answers neither with ok nor with an error: a fault.
;; ends: quarantined, 
(func $shard (param $run i32) (param $run_len i32) (param $step i64)
  (i32.store8 (i32.const 16) (i32.const 77)))

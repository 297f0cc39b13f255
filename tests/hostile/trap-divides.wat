;; Divides by zero: a trap as any other.
;; ends: quarantined, divide by zero
(func $shard (param $run i32) (param $run_len i32) (param $step i64)
  (drop (i32.div_u (i32.const 1) (i32.const 0))))

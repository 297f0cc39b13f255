;; Calls a function through a table as if it had another type: a trap as any other.
;; ends: quarantined, indirect call
(table funcref (elem $other))
(func $other (param f64))
(func $shard (param $run i32) (param $run_len i32) (param $step i64)
  (call_indirect (i32.const 0)))

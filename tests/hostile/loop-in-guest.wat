;; Loops in its own code for ever: it is stopped for want of fuel.
;; ends: quarantined, fuel
(func $shard (param $run i32) (param $run_len i32) (param $step i64)
  (loop $again (br $again)))

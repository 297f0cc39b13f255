;; Loops for ever in the world of 0.1: stopped as any other.
;; world: 0.1
;; ends: quarantined, fuel
(func $shard (param $run i32) (param $run_len i32) (param $step i64)
  (loop $again (br $again)))

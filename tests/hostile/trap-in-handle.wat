;; Traps at once: it is tried again, then set aside with its event kept.
;; ends: quarantined, unreachable
(func $shard (param $run i32) (param $run_len i32) (param $step i64)
  unreachable)

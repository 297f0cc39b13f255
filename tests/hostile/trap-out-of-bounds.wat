;; Reads beyond its memory: a trap as any other.
;; ends: quarantined, out of bounds
(func $shard (param $run i32) (param $run_len i32) (param $step i64)
  (drop (i64.load (i32.const -8))))

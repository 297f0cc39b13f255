;; Grows a table until it is told no, and dies of it: tables have a bound of their own, and count as memory.
;; ends: quarantined, bytes of memory | unreachable
;; check: /ledger/memory_peak_bytes <= 67108864
(table $t 1 funcref)
(func $shard (param $run i32) (param $run_len i32) (param $step i64)
  (loop $again
    (br_if $again (i32.ne (table.grow $t (ref.null func) (i32.const 1000)) (i32.const -1))))
  unreachable)

;; Grows its memory until it is told no, and dies of it: the fault says so.
;; ends: quarantined, bytes of memory
;; check: /ledger/memory_peak_bytes <= 67108864
(func $shard (param $run i32) (param $run_len i32) (param $step i64)
  (loop $again (br_if $again (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
  unreachable)

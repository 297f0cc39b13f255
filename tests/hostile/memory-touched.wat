;; Writes to every page of 60 MiB at each event and ends well: the host takes the pages back.
;; ends: runs
;; check: /ledger/memory_peak_bytes >= 58000000
;; check: /ledger/memory_peak_bytes <= 67108864
(func $shard (param $run i32) (param $run_len i32) (param $step i64)
  (drop (memory.grow (i32.const 900)))
  (memory.fill (i32.const 65536) (i32.const 7) (i32.const 58000000)))

;; Takes all its memory before any export is called, in every instance: it has that much and no more.
;; ends: runs
;; check: /ledger/memory_peak_bytes >= 60000000
;; check: /ledger/memory_peak_bytes <= 67108864
(start $start)
(func $start
  (loop $again (br_if $again (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))))

;; Fills 60 MiB again and again with single instructions: each costs fuel for what it fills, which ends it.
;; ends: quarantined, fuel
(func $shard (param $run i32) (param $run_len i32) (param $step i64)
  (drop (memory.grow (i32.const 900)))
  (loop $again (memory.fill (i32.const 65536) (i32.const 7) (i32.const 58000000)) (br $again)))

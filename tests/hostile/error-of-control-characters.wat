;; Fails with 9000 bytes that would rewrite a terminal: what people see is cut and cleaned.
;; ends: quarantined, [2J
(data (i32.const 2000) "\1b[2J\1b]0;owned\07\0d\0a")
(func $shard (param $run i32) (param $run_len i32) (param $step i64)
  (local $n i32)
  (local.set $n (i32.const 0))
  (loop $again
    (memory.copy (i32.add (i32.const 4000) (i32.mul (local.get $n) (i32.const 16))) (i32.const 2000) (i32.const 16))
    (br_if $again (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 562))))
  (i32.store8 (i32.const 16) (i32.const 1))
  (i32.store (i32.const 20) (i32.const 4000))
  (i32.store (i32.const 24) (i32.const 8992)))

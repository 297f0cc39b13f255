;; Writes four thousand small keys, which share one bound of bytes: it has them, and no more.
;; ends: runs
;; check: /state_bytes <= 1048576
(import "tidegate:bot/state@0.2.0" "set" (func $set (param i32 i32 i32 i32 i32)))
(func $shard (param $run i32) (param $run_len i32) (param $step i64)
  (local $n i32)
  (loop $again
    (i32.store (i32.const 3000)
      (i32.or (i32.or (i32.const 0x40404040) (i32.and (local.get $n) (i32.const 63)))
        (i32.or (i32.shl (i32.and (local.get $n) (i32.const 0xfc0)) (i32.const 2))
          (i32.shl (i32.and (local.get $n) (i32.const 0x3f000)) (i32.const 4)))))
    (call $set (i32.const 3000) (i32.const 4) (i32.const 65536) (i32.const 1) (i32.const 64))
    (br_if $again (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 4000)))))

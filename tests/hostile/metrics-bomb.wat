;; Sets a thousand metrics, and one to no number: 32 are taken, the others are refused.
;; ends: runs
(import "tidegate:bot/metrics@0.2.0" "set" (func $metric (param i32 i32 f64 i32)))
(func $shard (param $run i32) (param $run_len i32) (param $step i64)
  (local $n i32)
  (loop $again
    (i32.store (i32.const 3000) (i32.add (i32.const 0x61616161) (i32.and (local.get $n) (i32.const 15))))
    (i32.store8 (i32.const 3001)
      (i32.add (i32.const 97) (i32.and (i32.shr_u (local.get $n) (i32.const 4)) (i32.const 15))))
    (call $metric (i32.const 3000) (i32.const 4) (f64.const 1) (i32.const 64))
    (br_if $again (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 200))))
  (call $refused (i32.const 64) (global.get $over_quota))
  (call $metric (i32.const 3000) (i32.const 4) (f64.const nan) (i32.const 64))
  (call $refused (i32.const 64) (global.get $invalid)))

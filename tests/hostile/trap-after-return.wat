;; Answers well, and traps when the host lets go of the answer: nothing of it counts.
;; ends: quarantined, unreachable
(import "tidegate:bot/state@0.2.0" "set" (func $set (param i32 i32 i32 i32 i32)))
(global $sprung (mut i32) (i32.const 0))
(func $shard (param $run i32) (param $run_len i32) (param $step i64)
  (call $set (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 64))
  (global.set $sprung (i32.const 1)))
(func (export "cabi_post_handle") (param i32)
  (if (global.get $sprung) (then unreachable)))

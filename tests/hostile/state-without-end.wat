;; Writes and removes the same key for ever: its bytes or its calls end it, and nothing of it counts.
;; ends: quarantined, handed to the host | host calls
;; check: /state_bytes = 0
(import "tidegate:bot/state@0.2.0" "set" (func $set (param i32 i32 i32 i32 i32)))
(import "tidegate:bot/state@0.2.0" "delete" (func $delete (param i32 i32 i32)))
(func $shard (param $run i32) (param $run_len i32) (param $step i64)
  (loop $again
    (call $set (i32.const 0) (i32.const 4) (i32.const 65536) (i32.const 65536) (i32.const 64))
    (call $delete (i32.const 0) (i32.const 4) (i32.const 64))
    (br $again)))

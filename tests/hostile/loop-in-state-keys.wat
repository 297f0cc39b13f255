;; Lists its keys for ever, while each answer is written into its memory: it is stopped.
;; ends: quarantined, host calls | fuel
(import "tidegate:bot/state@0.2.0" "keys" (func $keys (param i32 i32 i32 i32 i32 i32)))
(func $shard (param $run i32) (param $run_len i32) (param $step i64)
  (loop $again
    (call $keys (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 64))
    (br $again)))

;; Asks for prunes with the longest reasons and with longer ones, for ever: its bytes end it, and nothing of it counts.
;; grants: {"prune":["*"],"tiers":["nvme","object"]}
;; ends: quarantined, handed to the host
;; check: /effects = 0
(import "tidegate:bot/checkpoints@0.2.0" "prune"
  (func $prune (param i32 i32 i64 i32 i32 i32 i32)))
(func $shard (param $run i32) (param $run_len i32) (param $step i64)
  (local $asked i32)
  (memory.fill (i32.const 2000) (i32.const 97) (i32.const 500000))
  (loop $again
    (call $prune (local.get $run) (local.get $run_len) (local.get $step) (i32.const 1) (i32.const 2000)
      (select (i32.const 512) (i32.const 500000) (i32.lt_u (local.get $asked) (i32.const 500)))
      (i32.const 64))
    (local.set $asked (i32.add (local.get $asked) (i32.const 1)))
    (br $again)))

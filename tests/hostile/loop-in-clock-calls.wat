;; Asks the clock for ever: it is stopped when its host calls are used up.
;; ends: quarantined, host calls
(import "tidegate:bot/clock@0.2.0" "now" (func $now (result i64)))
(func $shard (param $run i32) (param $run_len i32) (param $step i64)
  (loop $again (drop (call $now)) (br $again)))

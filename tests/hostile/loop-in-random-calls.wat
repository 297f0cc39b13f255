;; Draws 4 KiB of chance for ever, and keeps none of it: what it draws counts as what it hands over.
;; ends: quarantined, handed to the host
(import "tidegate:bot/random@0.2.0" "next-bytes" (func $next_bytes (param i32 i32)))
(func $shard (param $run i32) (param $run_len i32) (param $step i64)
  (loop $again
    (call $next_bytes (i32.const 4096) (i32.const 64))
    (br $again)))

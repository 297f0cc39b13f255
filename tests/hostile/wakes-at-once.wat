;; Asks to be woken at once, whenever it is woken: it is woken once a second and no more.
;; ends: runs
;; check: /handled <= 120
(import "tidegate:bot/schedule@0.2.0" "wake-at" (func $wake_at (param i64 i32 i32 i32 i32 i32)))
(import "tidegate:bot/clock@0.2.0" "now" (func $now (result i64)))
(data (i32.const 2000) "because I can")
(func (export "handle")
  (param i64 i64 i32 i32 i32 i32 i32 i64 i32 i64 i64 i32 i32 i32 i32) (result i32)
  (call $wake_at (i64.const 0) (i32.const 2000) (i32.const 7) (i32.const 2000) (i32.const 13) (i32.const 64))
  (call $accepted (i32.const 64))
  (i32.const 32))

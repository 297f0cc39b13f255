;; Its allocator answers with odd addresses where aligned ones are asked for: the host does not use them.
;; ends: quarantined, align
(import "tidegate:bot/state@0.2.0" "keys" (func $keys (param i32 i32 i32 i32 i32 i32)))
(import "tidegate:bot/state@0.2.0" "set" (func $set (param i32 i32 i32 i32 i32)))
(global $odd (mut i32) (i32.const 0))
(global $next (mut i32) (i32.const 65536))
(func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
  (global.set $next (i32.and (i32.add (i32.add (global.get $next) (local.get 3)) (i32.const 64)) (i32.const -16)))
  (i32.add (global.get $next) (global.get $odd)))
(func $shard (param $run i32) (param $run_len i32) (param $step i64)
  (call $set (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 64))
  (global.set $odd (i32.const 1))
  (call $keys (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 64)))

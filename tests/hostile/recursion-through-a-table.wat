;; Two functions call each other through a table without end: it uses up its own stack only.
;; ends: quarantined, stack
(type $call (func (param i64) (result i64)))
(table funcref (elem $ping $pong))
(func $ping (type $call)
  (i64.add (call_indirect (type $call) (local.get 0) (i32.const 1)) (i64.const 1)))
(func $pong (type $call)
  (i64.add (call_indirect (type $call) (local.get 0) (i32.const 0)) (i64.const 1)))
(func $shard (param $run i32) (param $run_len i32) (param $step i64)
  (drop (call $ping (i64.const 0))))

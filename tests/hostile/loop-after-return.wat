;; Answers well, and loops when the host lets go of the answer: the handler has failed all the same.
;; ends: quarantined, fuel
(global $sprung (mut i32) (i32.const 0))
(func $shard (param $run i32) (param $run_len i32) (param $step i64)
  (global.set $sprung (i32.const 1)))
(func (export "cabi_post_handle") (param i32)
  (if (global.get $sprung) (then (loop $again (br $again)))))

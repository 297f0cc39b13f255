;; Its allocator gives the same place to everything: it hurts nobody but itself.
;; ends: runs
(func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
(func $shard (param $run i32) (param $run_len i32) (param $step i64)
  (drop (i32.load (local.get $run))))

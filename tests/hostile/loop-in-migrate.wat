;; Never ends taking over from another version: it is stopped, and the other one goes on.
;; world: policy-with-migration
;; ends: not migrated: TG0035, fuel
(func (export "migrate") (param i32 i32 i32 i32) (result i32)
  (loop $again (br $again))
  (i32.const 16))

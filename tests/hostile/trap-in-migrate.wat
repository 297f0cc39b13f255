;; Traps when it takes over from another version: the other one goes on.
;; world: policy-with-migration
;; ends: not migrated: TG0035, unreachable
(func (export "migrate") (param i32 i32 i32 i32) (result i32) unreachable)

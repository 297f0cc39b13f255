;; Traps when it is asked about its settings: it is not installed.
;; ends: not installed: TG0022, unreachable
(func (export "configure") (param i32 i32) (result i32) unreachable)

;; Refuses its settings with 9000 bytes of control characters: the answer is cut and cleaned.
;; ends: not installed: TG0022, 
(func (export "configure") (param i32 i32) (result i32)
  (memory.fill (i32.const 4000) (i32.const 27) (i32.const 9000))
  (i32.store8 (i32.const 16) (i32.const 1))
  (i32.store (i32.const 20) (i32.const 4000))
  (i32.store (i32.const 24) (i32.const 9000))
  (i32.const 16))

;; Exports `configure` and `handle` with other types: refused before it runs.
;; ends: not uploaded: TG0021, type
(component
  (core module $m (func (export "f") (param i32)))
  (core instance $i (instantiate $m))
  (func $f (param "number" u32) (canon lift (core func $i "f")))
  (export "configure" (func $f))
  (export "handle" (func $f)))

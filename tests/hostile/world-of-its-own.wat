;; Wants a shell: there is none.
;; ends: not uploaded: TG0021, shell
(component
  (import "tidegate:bot/shell@0.2.0" (instance (export "run" (func (param "line" string))))))

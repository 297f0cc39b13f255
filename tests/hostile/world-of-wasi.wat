;; Wants the environment, by WASI: refused, since that is off.
;; ends: not uploaded: TG0021, wasi:cli
(component
  (import "wasi:cli/environment@0.2.0" (instance
    (export "get-arguments" (func (result (list string)))))))

;; Wants the network, by WASI: refused, since not even a closed room has it.
;; ends: not uploaded: TG0021, wasi:http
(component
  (import "wasi:http/outgoing-handler@0.2.0" (instance (export "handle" (func (param "request" string))))))

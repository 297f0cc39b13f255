;; Wants a contract that does not exist yet: refused, and the versions are named.
;; ends: not uploaded: TG0021, 0.2.0
(component
  (import "tidegate:bot/clock@0.9.0" (instance (export "now" (func (result u64))))))

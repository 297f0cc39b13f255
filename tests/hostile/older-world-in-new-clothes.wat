;; Imports the contract of 0.1 and that of 0.2: one component has one world.
;; ends: not uploaded: TG0021, two versions
(component
  (import "tidegate:bot/clock@0.1.0" (instance (export "now" (func (result u64)))))
  (import "tidegate:bot/clock@0.2.0" (instance (export "now" (func (result u64))))))

;; Wants a patch of the contract that semver would let through: the version is compared exactly.
;; ends: not uploaded: TG0021, 0.2.7
(component
  (import "tidegate:bot/clock@0.2.7" (instance (export "now" (func (result u64))))))

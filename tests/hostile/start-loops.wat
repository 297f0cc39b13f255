;; Loops before any export is called: the host asks about its settings first, and is not held up.
;; ends: not installed: TG0022, fuel
(start $start)
(func $start (loop $again (br $again)))

;; Traps before any export is called: it is not installed.
;; ends: not installed: TG0022, unreachable
(start $start)
(func $start unreachable)

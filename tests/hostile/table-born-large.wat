;; Declares a table of four thousand million entries: it is refused before it runs.
;; ends: not uploaded: TG0021, 
(table 4000000000 funcref)

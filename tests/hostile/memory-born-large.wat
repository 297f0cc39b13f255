;; Declares 4 GiB of memory to begin with: it is refused before it runs.
;; ends: not uploaded: TG0021, 
(memory (export "memory") 65536)

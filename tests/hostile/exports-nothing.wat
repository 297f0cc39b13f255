;; Has no exports: refused before it runs.
;; ends: not uploaded: TG0021, export
(component)

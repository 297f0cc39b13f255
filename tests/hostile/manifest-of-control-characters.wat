;; Describes itself in control characters: refused, and nothing of it is shown as it is.
;; manifest: {"name":"sly","description":"\u001b[2J","wants":{}}
;; ends: not uploaded: TG0021, description

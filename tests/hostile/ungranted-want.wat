;; Says that it wants to prune, and is not granted it: not installed, and the difference is shown.
;; manifest: {"name":"sly","wants":{"prune":{"why":"to have room"}}}
;; ends: not installed: TG0033, prune
(import "tidegate:bot/checkpoints@0.2.0" "prune"
  (func $prune (param i32 i32 i64 i32 i32 i32 i32)))

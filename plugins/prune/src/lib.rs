//! tidegate-plugin-prune.

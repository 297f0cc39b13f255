//! tidegate-plugin-replicate.

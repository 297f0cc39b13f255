//! Tidegate replica.

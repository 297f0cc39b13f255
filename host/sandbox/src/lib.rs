//! Tidegate sandbox.

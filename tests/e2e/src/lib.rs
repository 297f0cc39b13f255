//! tidegate-tests-e2e.

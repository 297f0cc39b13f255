//! Holds the end-to-end tests in `tests/it`; nothing to use from elsewhere.

//! tidegate-sdk.

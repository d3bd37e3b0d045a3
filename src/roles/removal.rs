//! Removal.

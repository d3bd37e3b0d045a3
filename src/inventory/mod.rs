//! The TOML inventory: its model, and every mistake in it reported at its place.

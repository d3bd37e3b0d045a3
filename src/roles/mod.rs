//! The engine for the top-level `roles/`: load, render, order, apply, wait.

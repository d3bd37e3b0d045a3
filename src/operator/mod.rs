//! The reconciler: dereference, validate, build, apply, status; one file per step.

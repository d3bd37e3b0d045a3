//! Pure builders: a validated cluster in, Kubernetes objects out. No client, no clock, no file.

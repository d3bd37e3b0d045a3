//! The only home of calls to the Kubernetes API.

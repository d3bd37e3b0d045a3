//! Against a real cluster, the one that PGHERD_TEST_KUBECONFIG names.

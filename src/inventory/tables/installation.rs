//! The installation, the cluster that it is in, and its namespaces.

use super::{
    choices::NamespaceMode,
    secret::SecretSource,
    texts::{FilePath, Line},
};
use crate::{
    domain::names::{InstallationName, NamespaceName},
    inventory::table::settings,
};

settings! {
    /// The installation itself.
    Installation / RawInstallation {
        /// Its name. Objects of the operator are named after it, and it tells installations in one cluster apart.
        name: [required] InstallationName, old ["pgo_installation_name"];
        /// The namespace that the operator runs in. It is made if it doesn't exist.
        namespace: [required] NamespaceName, old ["pgo_operator_namespace"];
        /// Whether the operator logs in detail. Secrets stay out of the log in any case.
        debug: [default "false"] bool, old ["crunchy_debug"];
    }
}

settings! {
    /// How the cluster is reached. Flags win over these.
    Kubernetes / RawKubernetes {
        /// The context of the kube config.
        context: [optional "the kube config's current context"] Line, old ["kubernetes_context"];
        /// The kube config.
        kubeconfig: [optional "$KUBECONFIG, then ~/.kube/config"] FilePath, old [];
        /// Whether pgherd runs in a pod of the cluster and uses the pod's own service account.
        in_cluster: [default "false"] bool, old ["kubernetes_in_cluster"];
        /// An OpenShift cluster to log in to, when there is no kube config for it.
        openshift: [table] OpenShift, old [];
    }
}

settings! {
    /// An OpenShift cluster.
    OpenShift / RawOpenShift {
        /// The address of its API server.
        host: [optional "the kube config says which cluster"] Line, old ["openshift_host"], inert;
        /// A token to log in with.
        token: [optional "user and password log in"] SecretSource, old ["openshift_token"], inert;
        /// The user to log in as.
        user: [optional "the token logs in"] Line, old ["openshift_user"], inert;
        /// The user's password.
        password: [optional "the token logs in"] SecretSource, old ["openshift_password"], inert;
        /// Whether the API server's certificate is verified.
        verify_tls: [default "true"] bool, old ["openshift_skip_tls_verify"], inert;
    }
}

settings! {
    /// Where databases may be.
    Namespaces / RawNamespaces {
        /// What the operator may do with namespaces.
        mode: [default "\"disabled\""] NamespaceMode, old ["namespace_mode"];
        /// The namespaces where databases may be created. They are made if they don't exist. In the modes `readonly` and
        /// `dynamic` those with the installation's label come on top.
        watched: [optional "the operator's own namespace"] Vec<NamespaceName>, old ["namespace"];
        /// In the modes `readonly` and `dynamic`: whether the operator gets its rights for all namespaces at once, so that a
        /// namespace needs nothing but the label. If not, it needs a role in each, which the installer makes in watched ones.
        reconcile_rbac: [default "true"] bool, old ["reconcile_rbac", "dynamic_rbac"];
        /// Which namespaces are deleted on uninstall.
        delete: [table] DeletedNamespaces, old [];
    }
}

settings! {
    /// Namespaces that an uninstall deletes, if the installation made them and nothing of others is in them.
    DeletedNamespaces / RawDeletedNamespaces {
        /// The operator's.
        operator: [default "false"] bool, old ["delete_operator_namespace"];
        /// Those where databases may be.
        watched: [default "false"] bool, old ["delete_watched_namespaces"];
        /// That of the metrics stack.
        metrics: [default "false"] bool, old ["delete_metrics_namespace"], inert;
    }
}

settings! {
    /// Rights of the operator.
    Rbac / RawRbac {
        /// Whether the installer makes service accounts, roles and bindings. If not, somebody else has to before.
        create: [default "true"] bool, old ["create_rbac"];
    }
}

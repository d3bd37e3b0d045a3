//! What may talk to what.

use crate::{
    domain::names::NamespaceName,
    inventory::{table::settings, value::Port},
};

settings! {
    /// What may talk to what.
    Network / RawNetwork {
        /// Whether NetworkPolicies are made, for the operator and for each database cluster. They let through what these need, also
        /// where a policy of yours denies everything, and nothing else.
        policies: [default "false"] bool, old [];
        /// With policies: namespaces whose pods may connect to databases, besides the databases' own. Nobody else may then, also
        /// not from outside of the cluster.
        client_namespaces: [optional "everybody may connect who can reach the port"] Vec<NamespaceName>, old [];
        /// With policies: ports that the API server listens on. Those that Kubernetes tells at the installation are added.
        api_server_ports: [default "[443, 6443]"] Vec<Port>, old [];
    }
}

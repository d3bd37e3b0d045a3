//! People and programs that use the installation. Kubernetes knows who they are, so there are no passwords here.

use super::texts::{Line, Route};
use crate::{
    domain::names::ObjectName,
    inventory::{table::settings, value::Port},
};

settings! {
    /// People and programs that use the installation.
    Access / RawAccess {
        /// The Kubernetes user who administers databases in all watched namespaces.
        admin_user: [optional "nobody is bound to the role"] Line, old ["pgo_admin_username"], inert;
        /// The role that holds the administrator's rights.
        admin_role: [optional "no role is made"] ObjectName, old ["pgo_admin_role_name"], inert;
        /// The verbs that the role allows, such as `CreateCluster`; `*` for all.
        admin_permissions: [default "[\"*\"]"] Vec<Line>, old ["pgo_admin_perms"], inert;
        /// The port of the operator's endpoint, which serves metrics.
        port: [default "8443"] Port, old ["pgo_apiserver_port"], inert;
        /// Paths of that endpoint which need no certificate.
        routes_without_authentication: [default "[]"] Vec<Route>, old ["pgo_noauth_routes"], inert;
    }
}

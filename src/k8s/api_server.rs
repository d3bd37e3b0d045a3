//! Where the API server listens, behind the Service that pods reach it by.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::Endpoints;
use kube::{Api, Client};

use super::{Doing as _, Error};

/// The ports of the API server itself. Network plugins compare these with a policy, and not the Service's port.
///
/// # Errors
/// When the Endpoints can't be read.
pub async fn ports(client: &Client) -> Result<BTreeSet<u16>, Error> {
    let endpoints: Api<Endpoints> = Api::namespaced(client.clone(), "default");
    let found = endpoints.get_opt("kubernetes").await.doing(|| "read the Endpoints of the API server")?;
    let subsets = found.and_then(|endpoints| endpoints.subsets).unwrap_or_default();
    let ports = subsets.into_iter().flat_map(|subset| subset.ports.unwrap_or_default());
    Ok(ports.filter_map(|port| u16::try_from(port.port).ok()).collect())
}

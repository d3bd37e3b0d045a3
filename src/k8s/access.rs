//! What the caller may do, asked of the API server.

use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use kube::{Api, Client, api::PostParams};

use super::{Doing as _, Error};

/// One thing that is to be done.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Need {
    /// The namespace; none for the whole cluster.
    pub namespace: Option<String>,
    /// The API group; empty for the core group.
    pub group: String,
    /// The resource, with a subresource after a slash.
    pub resource: String,
    /// What is done to it.
    pub verb: String,
}

impl std::fmt::Display for Need {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { namespace, group, resource, verb } = self;
        write!(formatter, "{verb} {resource}")?;
        if !group.is_empty() {
            write!(formatter, ".{group}")?;
        }
        match namespace {
            Some(namespace) => write!(formatter, " in {namespace}"),
            None => write!(formatter, " in the whole cluster"),
        }
    }
}

/// Whether the caller may do it.
///
/// # Errors
/// When the API server can't be asked.
pub async fn allowed(client: &Client, need: &Need) -> Result<bool, Error> {
    let Need { namespace, group, resource, verb } = need.clone();
    let (resource, subresource) = match resource.split_once('/') {
        Some((resource, sub)) => (resource.to_owned(), Some(sub.to_owned())),
        None => (resource, None),
    };
    let attributes = ResourceAttributes {
        namespace,
        group: Some(group),
        resource: Some(resource),
        subresource,
        verb: Some(verb),
        ..ResourceAttributes::default()
    };
    let spec = SelfSubjectAccessReviewSpec { resource_attributes: Some(attributes), ..Default::default() };
    let review = SelfSubjectAccessReview { spec, ..SelfSubjectAccessReview::default() };
    let reviews: Api<SelfSubjectAccessReview> = Api::all(client.clone());
    let answer = reviews.create(&PostParams::default(), &review).await;
    let answer = answer.doing(|| format!("ask whether you may {need}"))?;
    Ok(answer.status.is_some_and(|status| status.allowed))
}

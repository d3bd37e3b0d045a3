//! Parts that occur in several places of the resource: metadata, resource requirements, claims, references.

use std::{collections::BTreeMap, fmt};

use k8s_openapi::{
    api::core::v1::{
        PersistentVolumeClaimSpec, ResourceClaim as CoreResourceClaim, ResourceRequirements,
        TypedLocalObjectReference, TypedObjectReference, VolumeResourceRequirements,
    },
    apimachinery::pkg::{api::resource::Quantity as CoreQuantity, apis::meta::v1::LabelSelector},
};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use crate::{
    api::schema::{Bare, Rule, rules},
    domain::quantity::Quantity,
};

/// Names of backup repositories; pgBackRest knows four of them.
pub(crate) const REPO_NAME: &str = "^repo[1-4]$";

/// What every claim needs to become a volume.
const CLAIM_RULES: [Rule; 2] = [
    Rule {
        rule: "has(self.accessModes) && size(self.accessModes) > 0",
        message: "set accessModes, for example [ReadWriteOnce]",
    },
    Rule {
        rule: "has(self.resources) && has(self.resources.requests) && has(self.resources.requests.storage)",
        message: "set resources.requests.storage to the size of the volume, for example 10Gi",
    },
];

/// Reads `null` as the type's default, which is what the API server makes of it.
pub(crate) fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Declares a value that the API server fills in when a field is absent or `null`, for `#[serde(default = …)]`.
macro_rules! server_default {
    ($($(#[$doc:meta])* $name:ident: $kind:ty = $value:expr;)*) => {$(
        $(#[$doc])*
        pub(crate) mod $name {
            use serde::{Deserialize, Deserializer};

            pub(crate) fn value() -> $kind {
                $value.into()
            }

            pub(crate) fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<$kind, D::Error> {
                Ok(Option::deserialize(deserializer)?.unwrap_or_else(value))
            }
        }
    )*};
}
pub(crate) use server_default;

server_default! {
    /// The port PostgreSQL and PgBouncer listen on.
    postgres_port: i32 = 5432;
    /// One of a kind is enough until somebody asks for more.
    one_replica: i32 = 1;
}

/// Labels and annotations to add to generated objects.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Metadata {
    /// Labels to add; those the operator sets itself can't be changed.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Annotations to add.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// How much CPU and memory a container asks for and may use.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Resources {
    /// Devices from the pod's resource claims that the container uses.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub claims: Vec<ResourceClaim>,
    /// The most the container may use, by resource name.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub limits: BTreeMap<String, Quantity>,
    /// What is reserved for the container, by resource name.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub requests: BTreeMap<String, Quantity>,
}

/// A use of one of the pod's resource claims.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct ResourceClaim {
    /// Name of the claim in the pod.
    pub name: String,
    /// The one request of the claim to use; all of them when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
}

/// A request for a persistent volume.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules(&CLAIM_RULES)))]
pub struct VolumeClaimSpec {
    /// Ways the volume can be mounted, such as `ReadWriteOnce`.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub access_modes: Vec<String>,
    /// A snapshot or claim in the same namespace to fill the volume from.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Bare<TypedLocalObjectReference>>")]
    pub data_source: Option<TypedLocalObjectReference>,
    /// An object, possibly of another namespace, to fill the volume from.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Bare<TypedObjectReference>>")]
    pub data_source_ref: Option<TypedObjectReference>,
    /// Size of the volume.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<VolumeResources>,
    /// Labels of the volumes to choose from.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Bare<LabelSelector>>")]
    pub selector: Option<LabelSelector>,
    /// Storage class of the volume; the default class of Kubernetes when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_class_name: Option<String>,
    /// Class of the changeable attributes of the volume, such as its throughput.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub volume_attributes_class_name: Option<String>,
    /// Filesystem or Block; databases need Filesystem, the default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub volume_mode: Option<String>,
    /// Name of one particular volume to bind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub volume_name: Option<String>,
}

/// Size limits of a volume.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct VolumeResources {
    /// The largest size the volume may have.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub limits: BTreeMap<String, Quantity>,
    /// The size the volume has at least.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub requests: BTreeMap<String, Quantity>,
}

/// Settings of a helper container.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Sidecar {
    /// CPU and memory of the container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
}

/// A key of a `ConfigMap` in the cluster's namespace.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct ConfigMapKey {
    /// Name of the ConfigMap.
    pub name: String,
    /// The key to read.
    pub key: String,
}

/// A setting that users write as a whole number or as text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum IntOrText {
    /// Written as a whole number.
    Int(i64),
    /// Written as text.
    Text(String),
}

impl fmt::Display for IntOrText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(number) => number.fmt(formatter),
            Self::Text(text) => text.fmt(formatter),
        }
    }
}

impl Serialize for IntOrText {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Int(number) => serializer.serialize_i64(*number),
            Self::Text(text) => serializer.serialize_str(text),
        }
    }
}

impl<'de> Deserialize<'de> for IntOrText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl serde::de::Visitor<'_> for Visitor {
            type Value = IntOrText;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a whole number or text (put other values in quotes)")
            }

            fn visit_i64<E>(self, number: i64) -> Result<IntOrText, E> {
                Ok(IntOrText::Int(number))
            }

            fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<IntOrText, E> {
                i64::try_from(number).map(IntOrText::Int).map_err(E::custom)
            }

            fn visit_str<E>(self, text: &str) -> Result<IntOrText, E> {
                Ok(IntOrText::Text(text.into()))
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for IntOrText {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "IntOrText".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "x-kubernetes-int-or-string": true })
    }
}

fn core_quantities(quantities: &BTreeMap<String, Quantity>) -> Option<BTreeMap<String, CoreQuantity>> {
    let convert = |(name, quantity): (&String, &Quantity)| (name.clone(), CoreQuantity(quantity.to_string()));
    (!quantities.is_empty()).then(|| quantities.iter().map(convert).collect())
}

impl From<&Quantity> for CoreQuantity {
    fn from(quantity: &Quantity) -> Self {
        Self(quantity.to_string())
    }
}

impl From<&Resources> for ResourceRequirements {
    fn from(resources: &Resources) -> Self {
        let claim = |claim: &ResourceClaim| CoreResourceClaim {
            name: claim.name.clone(),
            request: claim.request.clone(),
        };
        Self {
            claims: (!resources.claims.is_empty()).then(|| resources.claims.iter().map(claim).collect()),
            limits: core_quantities(&resources.limits),
            requests: core_quantities(&resources.requests),
        }
    }
}

impl From<&VolumeResources> for VolumeResourceRequirements {
    fn from(resources: &VolumeResources) -> Self {
        Self { limits: core_quantities(&resources.limits), requests: core_quantities(&resources.requests) }
    }
}

impl From<&VolumeClaimSpec> for PersistentVolumeClaimSpec {
    fn from(claim: &VolumeClaimSpec) -> Self {
        Self {
            access_modes: (!claim.access_modes.is_empty()).then(|| claim.access_modes.clone()),
            data_source: claim.data_source.clone(),
            data_source_ref: claim.data_source_ref.clone(),
            resources: claim.resources.as_ref().map(Into::into),
            selector: claim.selector.clone(),
            storage_class_name: claim.storage_class_name.clone(),
            volume_attributes_class_name: claim.volume_attributes_class_name.clone(),
            volume_mode: claim.volume_mode.clone(),
            volume_name: claim.volume_name.clone(),
        }
    }
}

impl VolumeClaimSpec {
    /// The size asked for, when the claim has one.
    #[must_use]
    pub fn storage_request(&self) -> Option<&Quantity> {
        self.resources.as_ref()?.requests.get("storage")
    }
}

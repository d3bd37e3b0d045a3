//! Back to what was there before an update, when that failed and somebody asked for it.

use std::time::Duration;

use kube::{
    Client, ResourceExt as _,
    api::{DynamicObject, TypeMeta},
};

use super::{
    engine::{self, Item, ObjectError, Plan},
    removal,
};
use crate::k8s::{
    Doing as _,
    kinds::{self, ObjectId},
    plan::Change,
};

/// How long something that was made is waited for to be gone again.
const GONE_WITHIN: Duration = Duration::from_secs(30);

/// Objects that an update removes, as they were before.
#[derive(Debug, Default)]
pub struct Before(Vec<DynamicObject>);

impl Before {
    /// Reads what a plan is going to remove.
    ///
    /// # Errors
    /// When something can't be read.
    pub async fn of(client: &Client, plan: &Plan) -> Result<Self, crate::k8s::Error> {
        let mut objects = Vec::new();
        for id in &plan.removed {
            let api = kinds::api_of(client, id).await?;
            if let Some(mut object) = api.get_opt(&id.name).await.doing(|| format!("read {id}"))? {
                object.types = Some(TypeMeta { api_version: id.api_version.clone(), kind: id.kind.clone() });
                objects.push(object);
            }
        }
        Ok(Self(objects))
    }
}

/// Puts everything back as it was: what was changed or removed is applied as it was before, what was made goes. Namespaces and
/// definitions stay: they may be in use by now, and older versions work with newer definitions.
///
/// # Errors
/// What could not be put back.
pub async fn roll_back(client: &Client, plan: &Plan, before: &Before) -> Result<usize, Vec<ObjectError>> {
    let former: Vec<Item> = plan
        .items()
        .filter(|item| matches!(item.change, Change::Change(_)) && !stays(item))
        .filter_map(|item| Some(described(item.live.as_ref()?, ObjectId::of(&item.object))))
        .chain(before.0.iter().map(|object| described(object, ObjectId::of(object))))
        .collect();
    let mut count = engine::apply(client, &former, engine::installer(true)).await?;
    for item in plan.items().filter(|item| item.change == Change::Create && !stays(item)) {
        let id = ObjectId::of(&item.object);
        let gone = removal::delete(client, &id, GONE_WITHIN, |_| {}).await;
        match gone {
            Ok(gone) => count += usize::from(gone),
            Err(removal::RemovalError::Request(error)) => {
                return Err(vec![ObjectError::Request { id, error }]);
            }
            // It is going, and its finalizers are somebody else's business.
            Err(removal::RemovalError::NotGone { .. }) => count += 1,
        }
    }
    Ok(count)
}

fn stays(item: &Item) -> bool {
    matches!(ObjectId::of(&item.object).kind.as_str(), "Namespace" | "CustomResourceDefinition")
}

/// An object as it was, without what the server keeps for itself. All fields become the installer's, and the next run gives
/// those back that aren't.
fn described(live: &DynamicObject, id: ObjectId) -> Item {
    let mut object = DynamicObject {
        types: Some(TypeMeta { api_version: id.api_version, kind: id.kind }),
        metadata: kube::api::ObjectMeta {
            name: Some(live.name_any()),
            namespace: live.namespace(),
            labels: live.metadata.labels.clone(),
            annotations: live.metadata.annotations.clone(),
            ..Default::default()
        },
        data: live.data.clone(),
    };
    if let Some(data) = object.data.as_object_mut() {
        data.remove("status");
    }
    Item { object, change: Change::Create, compared: false, live: None }
}

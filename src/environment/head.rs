//! The version that an environment is at.

use std::collections::BTreeMap;

use crate::history::{self, Objects, RefName, Refs};
use crate::object::{ObjectId, RefTarget, Snapshot};
use crate::store::Store;

/// The version that an environment is at, with the refs it was found by.
#[derive(Debug, Clone)]
pub struct Head {
    /// `ENVIRONMENT/HEAD`.
    pub name: RefName,
    /// The branch, if HEAD is on one.
    pub branch: Option<String>,
    /// Nothing before the first commit.
    pub snapshot: Option<(ObjectId, Snapshot)>,
    /// The newest operation when it was read.
    pub operation: Option<ObjectId>,
}

impl Head {
    pub fn of(store: &Store, environment: &str) -> Result<Self, history::Error> {
        let objects: &dyn Objects = store;
        // The operation first: what comes after it is found by a commit's compare-and-set.
        let operation = objects.head_operation()?;
        let refs = match &operation {
            Some(id) => history::operations::refs_after(objects, id)?,
            None => Refs::default(),
        };
        Self::in_refs(store, environment, &refs, operation)
    }

    /// As the given refs have it.
    pub fn in_refs(
        store: &Store,
        environment: &str,
        refs: &Refs,
        operation: Option<ObjectId>,
    ) -> Result<Self, history::Error> {
        let objects: &dyn Objects = store;
        let name = RefName::head(environment)?;
        let snapshot = match refs.resolve(name.as_str())? {
            Some(id) => Some((id, objects.read::<Snapshot>(&id)?)),
            None => None,
        };
        Ok(Head { branch: refs.current_branch(environment)?, name, snapshot, operation })
    }

    /// The snapshot's id.
    pub fn id(&self) -> Option<ObjectId> {
        self.snapshot.as_ref().map(|(id, _)| *id)
    }

    /// The snapshot's root tree.
    pub fn tree(&self) -> Option<ObjectId> {
        self.snapshot.as_ref().map(|(_, snapshot)| snapshot.tree)
    }

    /// Its number along the first parents: 3 for `v3`, 0 before the first commit.
    pub fn version(&self, store: &Store) -> Result<u64, history::Error> {
        Ok(history::version::Versions::of(store, self.id())?.newest())
    }
}

/// The refs of one environment by their full names.
pub fn of_environment(refs: &Refs, environment: &str) -> BTreeMap<String, RefTarget> {
    refs.of_environment(environment).map(|(local, target)| (format!("{environment}/{local}"), target.clone())).collect()
}

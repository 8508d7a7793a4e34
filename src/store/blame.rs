//! Who needs the objects that are wrong: every ref and path.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::rc::Rc;

use super::fault::{Fault, NeededBy};
use super::inventory::{Inventory, named_snapshots, needs};
use super::{Error, Result, Store};
use crate::object::{Kind, ObjectId, Operation};
use crate::observer::Observer;

/// Paths below a tree, each with the wrong object there.
type Paths = Rc<Vec<(String, ObjectId)>>;

struct Search<'a> {
    store: &'a Store,
    inventory: &'a Inventory,
    wrong: HashSet<ObjectId>,
    /// Of trees that were looked at.
    trees: HashMap<ObjectId, Paths>,
    /// Of snapshots: what is wrong in them, and their parents.
    snapshots: HashMap<ObjectId, (Paths, Vec<ObjectId>)>,
    observer: &'a dyn Observer,
}

/// Fills in who needs each fault's object: refs of the newest operation first, then whatever older operations name that no ref
/// reaches.
pub(super) fn blame(
    store: &Store,
    inventory: &Inventory,
    operations: &[(ObjectId, Operation)],
    head: Option<ObjectId>,
    faults: &mut BTreeMap<ObjectId, Fault>,
    observer: &dyn Observer,
) -> Result<()> {
    if faults.is_empty() {
        return Ok(());
    }
    let wrong = faults.keys().copied().collect();
    let mut search = Search { store, inventory, wrong, trees: HashMap::new(), snapshots: HashMap::new(), observer };
    let mut named = HashSet::new();
    let (newest, older): (Vec<_>, Vec<_>) = operations.iter().partition(|(id, _)| Some(*id) == head);
    for (id, operation) in newest.into_iter().chain(older) {
        if let Some(fault) = operation.parent.and_then(|parent| faults.get_mut(&parent)) {
            let name = format!("operation {id}");
            fault.needed_by.push(NeededBy { name, snapshot: None, snapshots: 0, path: String::new() });
        }
        for (name, root) in named_snapshots(operation) {
            let is_newest = Some(*id) == head;
            // What a ref named before is told once, by the operation that did.
            if !is_newest && named.contains(&root) {
                continue;
            }
            let name = if is_newest { name } else { format!("{name} after operation {id}") };
            search.root(name, root, &mut named, faults)?;
        }
    }
    Ok(())
}

impl Search<'_> {
    /// Walks over the history below `root`.
    fn root(
        &mut self,
        name: String,
        root: ObjectId,
        named: &mut HashSet<ObjectId>,
        faults: &mut BTreeMap<ObjectId, Fault>,
    ) -> Result<()> {
        let mut found: BTreeMap<(ObjectId, String), (ObjectId, u64)> = BTreeMap::new();
        let mut seen = HashSet::new();
        let mut open = vec![root];
        while let Some(snapshot) = open.pop() {
            if !seen.insert(snapshot) {
                continue;
            }
            named.insert(snapshot);
            let (paths, parents) = self.snapshot(snapshot)?;
            for (path, id) in paths.iter() {
                found.entry((*id, path.clone())).or_insert((snapshot, 0)).1 += 1;
            }
            open.extend(parents);
        }
        for ((id, path), (snapshot, snapshots)) in found {
            if let Some(fault) = faults.get_mut(&id) {
                fault.needed_by.push(NeededBy { name: name.clone(), snapshot: Some(snapshot), snapshots, path });
            }
        }
        Ok(())
    }

    fn snapshot(&mut self, id: ObjectId) -> Result<(Paths, Vec<ObjectId>)> {
        if let Some(known) = self.snapshots.get(&id) {
            return Ok(known.clone());
        }
        let mut paths = Vec::new();
        let mut parents = Vec::new();
        if self.wrong.contains(&id) {
            paths.push((String::new(), id));
        } else if let Some(locator) = self.inventory.locator(&id)
            && let Ok(needs) = needs(self.store, &id, &locator)
        {
            for need in needs {
                match need.kind {
                    Kind::Snapshot => parents.push(need.id),
                    _ => paths.extend(self.tree(need.id)?.iter().cloned()),
                }
            }
        }
        let known = (Rc::new(paths), parents);
        self.snapshots.insert(id, known.clone());
        Ok(known)
    }

    fn tree(&mut self, id: ObjectId) -> Result<Paths> {
        if let Some(known) = self.trees.get(&id) {
            return Ok(Rc::clone(known));
        }
        if self.observer.interrupted() {
            return Err(Error::Interrupted);
        }
        let mut paths = Vec::new();
        if self.wrong.contains(&id) {
            paths.push((String::new(), id));
        } else if let Some(locator) = self.inventory.locator(&id)
            && let Ok(needs) = needs(self.store, &id, &locator)
        {
            for need in needs {
                if need.kind == Kind::Tree {
                    for (below, id) in self.tree(need.id)?.iter() {
                        let slash = if below.is_empty() { "" } else { "/" };
                        paths.push((format!("{}{slash}{below}", need.name), *id));
                    }
                } else if self.wrong.contains(&need.id) {
                    paths.push((need.name, need.id));
                }
            }
        }
        let known = Rc::new(paths);
        self.trees.insert(id, Rc::clone(&known));
        Ok(known)
    }
}

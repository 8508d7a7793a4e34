//! From two snapshots' trees to the steps between them: the working state as it is, and as it shall be.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::object::{Entry, EntryKind, EntryName, ObjectId, RelativePath, Tree};
use crate::worktree::{Error, Trees, walk_tree};

use super::plan::{self, Extra, NodeTrees, Plan, Step};
use super::snapshot_tree::{COMFYUI, MANIFEST, MODELS, NODES, PARKED, USERS, UV_LOCK, WORKFLOWS};

/// What a comparison asks of the disk and the store, beside trees.
pub trait Facts {
    /// True when the store can hand out this object.
    fn holds(&self, id: &ObjectId) -> bool;
    /// True when `nodes/NAME` is a link to a folder elsewhere.
    fn is_linked(&self, node: &RelativePath) -> bool;
    /// What lies at a model's place (its path below `models/`).
    fn model(&self, path: &RelativePath, entry: &Entry) -> ModelPlace;
    /// Where a model at this path is to be put.
    fn model_home(&self, path: &RelativePath) -> PathBuf;
    /// Where a model can be had again.
    fn sources(&self, id: &ObjectId) -> Vec<String>;
}

/// What lies where a model should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModelPlace {
    /// The model, here or under another of the models folders.
    There,
    /// Another file.
    Other,
    Nothing,
}

/// The steps from the tree `current` to the tree `target`.
pub fn between(
    trees: &dyn Trees,
    facts: &dyn Facts,
    current: &ObjectId,
    target: &ObjectId,
    extra: Extra,
) -> Result<Plan, Error> {
    let (old, new) = (trees.tree(current)?, trees.tree(target)?);
    let mut compare = Compare { trees, facts, steps: Vec::new() };
    for name in [MANIFEST, UV_LOCK] {
        compare.pair(top(name), old.get(name), new.get(name))?;
    }
    for name in [WORKFLOWS, USERS] {
        // The folders themselves are ComfyUI's and stay.
        compare.below(top(name), old.get(name), new.get(name))?;
    }
    // A version from before Comfrey kept the program, or from someone else's installation, says nothing of it.
    if let (Some(old), Some(new)) = (old.get(COMFYUI), new.get(COMFYUI)) {
        compare.below(top(COMFYUI), Some(old), Some(new))?;
    }
    compare.nodes(old.get(NODES), new.get(NODES), extra)?;
    // What is brought back to be exactly as it was had these models or had them not.
    if let (Extra::Disable, Some(models)) = (extra, new.get(MODELS)) {
        compare.models(&models.id)?;
    }
    Ok(Plan { steps: compare.steps })
}

fn top(name: &str) -> RelativePath {
    // The names of the parts are valid.
    EntryName::new(name).map(|name| RelativePath::root().join(&name)).unwrap_or_default()
}

struct Compare<'a> {
    trees: &'a dyn Trees,
    facts: &'a dyn Facts,
    steps: Vec<Step>,
}

impl Compare<'_> {
    fn tree(&self, entry: Option<&Entry>) -> Result<Tree, Error> {
        match entry {
            Some(entry) if entry.kind == EntryKind::Tree => self.trees.tree(&entry.id),
            _ => Ok(Tree::default()),
        }
    }

    /// What lies in two folders, either of which may be absent, without touching the folders themselves.
    fn below(&mut self, path: RelativePath, old: Option<&Entry>, new: Option<&Entry>) -> Result<(), Error> {
        if old.map(|e| e.id) == new.map(|e| e.id) {
            return Ok(());
        }
        let (old, new) = (self.tree(old)?, self.tree(new)?);
        let names: BTreeSet<&EntryName> = old.entries().iter().chain(new.entries()).map(|entry| &entry.name).collect();
        for name in names {
            self.pair(path.join(name), old.get(name.as_str()), new.get(name.as_str()))?;
        }
        Ok(())
    }

    /// The two sides of one path.
    fn pair(&mut self, path: RelativePath, old: Option<&Entry>, new: Option<&Entry>) -> Result<(), Error> {
        let (old, new) = match (old, new) {
            (None, None) => return Ok(()),
            (Some(old), Some(new)) if same(old, new) => return Ok(()),
            (Some(Entry { kind: EntryKind::Tree, .. }), Some(Entry { kind: EntryKind::Tree, .. })) => {
                return self.below(path, old, new);
            }
            sides => sides,
        };
        let absent_model = new.filter(|new| new.kind == EntryKind::Model && !self.facts.holds(&new.id));
        let step = match (old, new) {
            // What is there stays, rather than nothing.
            (_, Some(new)) if absent_model.is_some() => {
                let sources = self.facts.sources(&new.id);
                Step::Missing { path, new: new.clone(), sources }
            }
            (None, Some(new)) => {
                self.absent_models(&path, new)?;
                Step::Write { path, new: new.clone() }
            }
            (Some(old), Some(new)) => Step::Replace { path, old: old.clone(), new: new.clone() },
            (Some(old), None) => Step::Remove { path, old: old.clone() },
            (None, None) => return Ok(()),
        };
        self.steps.push(step);
        Ok(())
    }

    /// Names the models in a folder to be written that nobody holds: the rest of it is written.
    fn absent_models(&mut self, path: &RelativePath, folder: &Entry) -> Result<(), Error> {
        if folder.kind != EntryKind::Tree {
            return Ok(());
        }
        for found in walk_tree(self.trees, &folder.id) {
            let (below, new) = found?;
            if new.kind == EntryKind::Model && !self.facts.holds(&new.id) {
                let sources = self.facts.sources(&new.id);
                self.steps.push(Step::Missing { path: path.join_path(&below), new, sources });
            }
        }
        Ok(())
    }

    fn node_trees(&self, nodes: Option<&Entry>) -> Result<NodeTrees, Error> {
        let nodes = self.tree(nodes)?;
        let parked = self.tree(nodes.get(PARKED))?;
        Ok(NodeTrees { nodes, parked })
    }

    fn nodes(&mut self, old: Option<&Entry>, new: Option<&Entry>, extra: Extra) -> Result<(), Error> {
        if old.map(|e| e.id) == new.map(|e| e.id) {
            return Ok(());
        }
        let plan = plan::nodes(&self.node_trees(old)?, &self.node_trees(new)?, extra);
        let nodes = top(NODES);
        let mut linked = BTreeSet::new();
        for renaming in plan.renames {
            let (from, to) = (nodes.join_path(&renaming.from), nodes.join_path(&renaming.to));
            if self.facts.is_linked(&from) {
                linked.insert(to.clone());
            }
            self.steps.push(Step::Rename { from, to, disables: renaming.disables });
        }
        for (path, old, new) in plan.pairs {
            let path = nodes.join_path(&path);
            if let Some(old) = &old
                && (linked.contains(&path) || self.facts.is_linked(&path))
            {
                // Taken away is the link; what it leads to is not touched.
                if new.is_none() && extra == Extra::Remove {
                    let old = Entry { kind: EntryKind::Symlink, ..old.clone() };
                    self.steps.push(Step::Remove { path, old });
                    continue;
                }
                let reason = "a link to a folder elsewhere, whose files belong to whoever works there";
                self.steps.push(Step::LeftAlone { path, reason });
                continue;
            }
            self.pair(path, old.as_ref(), new.as_ref())?;
        }
        Ok(())
    }

    /// Models come back where they are gone. What is there is never replaced, and more than is wanted never taken away.
    fn models(&mut self, models: &ObjectId) -> Result<(), Error> {
        for found in walk_tree(self.trees, models) {
            let (below, new) = found?;
            if new.kind == EntryKind::Tree {
                continue;
            }
            let path = top(MODELS).join_path(&below);
            match self.facts.model(&below, &new) {
                ModelPlace::There => {}
                ModelPlace::Other => {
                    let reason = "another file has this name now; models are never replaced";
                    self.steps.push(Step::LeftAlone { path, reason });
                }
                ModelPlace::Nothing if self.facts.holds(&new.id) => {
                    let to = self.facts.model_home(&below);
                    self.steps.push(Step::BringBack { path, new, to });
                }
                ModelPlace::Nothing => {
                    let sources = self.facts.sources(&new.id);
                    self.steps.push(Step::Missing { path, new, sources });
                }
            }
        }
        Ok(())
    }
}

/// The same on disk: a weight file is a file, whatever the tree calls it.
fn same(old: &Entry, new: &Entry) -> bool {
    let form = |kind| if kind == EntryKind::Model { EntryKind::File } else { kind };
    (form(old.kind), old.id) == (form(new.kind), new.id)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::HashMap;

    use super::*;
    use crate::object::Encoded;
    use crate::worktree::{KeepTree, build_tree};

    #[derive(Default)]
    struct World {
        trees: RefCell<HashMap<ObjectId, Tree>>,
        absent: Vec<ObjectId>,
        linked: Vec<&'static str>,
        gone_models: bool,
    }

    impl Trees for World {
        fn tree(&self, id: &ObjectId) -> Result<Tree, Error> {
            Ok(self.trees.borrow()[id].clone())
        }
    }

    impl KeepTree for World {
        fn keep(&self, tree: &Tree) -> Result<ObjectId, Error> {
            self.trees.borrow_mut().insert(tree.id(), tree.clone());
            Ok(tree.id())
        }
    }

    impl Facts for World {
        fn holds(&self, id: &ObjectId) -> bool {
            !self.absent.contains(id)
        }
        fn is_linked(&self, node: &RelativePath) -> bool {
            self.linked.contains(&node.as_str())
        }
        fn model(&self, _: &RelativePath, _: &Entry) -> ModelPlace {
            if self.gone_models { ModelPlace::Nothing } else { ModelPlace::There }
        }
        fn model_home(&self, path: &RelativePath) -> PathBuf {
            PathBuf::from(path.as_str())
        }
        fn sources(&self, _: &ObjectId) -> Vec<String> {
            vec!["https://example.org".into()]
        }
    }

    fn blob(content: &str) -> ObjectId {
        ObjectId::of_blob(content.as_bytes())
    }

    impl World {
        fn snapshot(&self, files: &[(&str, &str)]) -> ObjectId {
            let entries = files.iter().map(|(path, content)| {
                let kind = if path.ends_with(".safetensors") { EntryKind::Model } else { EntryKind::File };
                let name = EntryName::new("x").unwrap();
                (RelativePath::new(*path).unwrap(), Entry { name, kind, id: blob(content), size: 1 })
            });
            build_tree(self, entries).unwrap().0
        }

        fn steps(&self, current: &[(&str, &str)], target: &[(&str, &str)]) -> Vec<String> {
            let (current, target) = (self.snapshot(current), self.snapshot(target));
            let plan = between(self, self, &current, &target, Extra::Disable).unwrap();
            plan.steps.iter().map(|step| format!("{} {}", step.word(), step.path())).collect()
        }
    }

    #[test]
    fn each_part_is_compared_in_its_way() {
        let current =
            [("pyproject.toml", "2"), ("workflows/a.json", "1"), ("workflows/b/c.json", "1"), ("nodes/x/f.py", "1")];
        let target = [
            ("pyproject.toml", "1"),
            ("uv.lock", "1"),
            ("workflows/a.json", "2"),
            ("workflows/d/e.json", "1"),
            ("users/bob/workflows/z.json", "1"),
            ("nodes/y/f.py", "1"),
        ];
        let expected = [
            "replace pyproject.toml",
            "write uv.lock",
            "replace workflows/a.json",
            "remove workflows/b",
            "write workflows/d",
            "write users/bob",
            "disable nodes/x.disabled",
            "write nodes/y",
        ];
        assert_eq!(World::default().steps(&current, &target), expected);
        assert!(World::default().steps(&target, &target).is_empty());
    }

    #[test]
    fn the_program_is_compared_where_both_sides_have_it() {
        let current = [("comfyui/main.py", "1"), ("comfyui/old.py", "1")];
        let steps = World::default().steps(&current, &[("comfyui/main.py", "2"), ("comfyui/app/new.py", "1")]);
        assert_eq!(steps, ["write comfyui/app", "replace comfyui/main.py", "remove comfyui/old.py"]);
        assert!(World::default().steps(&current, &[]).is_empty());
        assert!(World::default().steps(&[], &current).is_empty());
    }

    #[test]
    fn a_node_is_compared_file_by_file() {
        let current = [("nodes/x/a.py", "1"), ("nodes/x/b.py", "1"), ("nodes/x/sub/c.py", "1")];
        let target = [("nodes/x/a.py", "2"), ("nodes/x/sub/c.py", "1"), ("nodes/x/sub/d.py", "1")];
        let expected = ["replace nodes/x/a.py", "remove nodes/x/b.py", "write nodes/x/sub/d.py"];
        assert_eq!(World::default().steps(&current, &target), expected);
    }

    #[test]
    fn a_linked_node_is_left_alone_but_can_be_switched_off() {
        let world = World { linked: vec!["nodes/x", "nodes/y"], ..World::default() };
        let current = [("nodes/x/a.py", "1"), ("nodes/y/a.py", "1")];
        let steps = world.steps(&current, &[("nodes/x/a.py", "2")]);
        assert_eq!(steps, ["disable nodes/y.disabled", "left-alone nodes/x"]);
    }

    #[test]
    fn a_model_that_is_gone_comes_back_if_the_store_holds_it() {
        let target = [("models/loras/a.safetensors", "1"), ("models/loras/b.safetensors", "2")];
        let world = World { gone_models: true, absent: vec![blob("2")], ..World::default() };
        let expected = ["bring-back models/loras/a.safetensors", "missing models/loras/b.safetensors"];
        assert_eq!(world.steps(&[("uv.lock", "1")], &[("uv.lock", "1"), target[0], target[1]]), expected);
        assert!(World::default().steps(&target, &target).is_empty());
    }

    #[test]
    fn weights_in_a_node_that_nobody_holds_are_named_and_what_is_there_stays() {
        let world = World { absent: vec![blob("2")], ..World::default() };
        let steps = world.steps(&[("nodes/x/w.safetensors", "1")], &[("nodes/x/w.safetensors", "2")]);
        assert_eq!(steps, ["missing nodes/x/w.safetensors"]);
    }
}

//! All refs at one moment, as a value.

use std::collections::BTreeMap;

use crate::object::{ObjectId, RefTarget};

use super::ref_name::FIRST_BRANCH;
use super::{Error, RefName, Result};

/// All refs of a workspace by their full names. A `HEAD` that is not there yet points at its
/// environment's branch `main`, which need not be there either (invariant H2).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Refs(BTreeMap<String, RefTarget>);

/// How one ref differs between two moments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefChange {
    pub name: String,
    pub old: Option<RefTarget>,
    pub new: Option<RefTarget>,
}

/// What a ref has to be for a change of it to go ahead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Expected {
    /// Whatever it is.
    #[default]
    Anything,
    /// It must not be there.
    Absent,
    /// It must name this snapshot.
    Snapshot(ObjectId),
}

impl Refs {
    pub fn new(refs: BTreeMap<String, RefTarget>) -> Self {
        Refs(refs)
    }

    pub fn into_map(self) -> BTreeMap<String, RefTarget> {
        self.0
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &RefTarget)> {
        self.0.iter().map(|(name, target)| (name.as_str(), target))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What the ref itself holds, not followed.
    pub fn get(&self, name: &str) -> Option<&RefTarget> {
        self.0.get(name)
    }

    /// The names of the environments that have refs.
    pub fn environments(&self) -> impl Iterator<Item = &str> {
        let mut last = None;
        self.0.keys().filter_map(move |name| {
            let environment = name.split('/').next()?;
            (last.replace(environment) != Some(environment)).then_some(environment)
        })
    }

    /// The refs of one environment by their names within it: `HEAD`, `heads/x`, `tags/x`.
    pub fn of_environment<'a>(&'a self, environment: &str) -> impl Iterator<Item = (&'a str, &'a RefTarget)> {
        let prefix = format!("{environment}/");
        let from = prefix.clone();
        self.0.range(from..).map_while(move |(name, target)| Some((name.strip_prefix(&prefix)?, target)))
    }

    /// The name at the end of the symbolic refs from `name` on; that ref may be absent. Errors: a loop.
    pub fn leaf(&self, name: &str) -> Result<String> {
        let mut at = name.to_owned();
        // More steps than there are refs means that one of them came twice; one more for a HEAD not yet there.
        for _ in 0..=self.0.len() + 1 {
            match self.0.get(&at) {
                Some(RefTarget::Symbolic(next)) => at.clone_from(next),
                Some(RefTarget::Snapshot(_)) => return Ok(at),
                None => match at.strip_suffix("/HEAD") {
                    Some(environment) if !environment.contains('/') => {
                        at = format!("{environment}/heads/{FIRST_BRANCH}");
                    }
                    _ => return Ok(at),
                },
            }
        }
        Err(Error::RefLoop { name: name.to_owned() })
    }

    /// The snapshot that a ref names in the end. Errors: a loop.
    pub fn resolve(&self, name: &str) -> Result<Option<ObjectId>> {
        match self.0.get(&self.leaf(name)?) {
            Some(RefTarget::Snapshot(id)) => Ok(Some(*id)),
            _ => Ok(None),
        }
    }

    /// The branch that an environment's `HEAD` points at (`main` for `heads/main`); nothing when it names a snapshot itself.
    pub fn current_branch(&self, environment: &str) -> Result<Option<String>> {
        let leaf = self.leaf(&format!("{environment}/HEAD"))?;
        Ok(leaf.strip_prefix(&format!("{environment}/heads/")).map(str::to_owned))
    }

    /// Makes `name` name a snapshot: the ref at its end when it is symbolic.
    pub fn set(&mut self, name: &RefName, id: ObjectId) -> Result<()> {
        self.compare_and_set(name, id, Expected::Anything)
    }

    /// As [`Refs::set`], if the ref is as expected. Errors: `Moved` when it is not.
    pub fn compare_and_set(&mut self, name: &RefName, id: ObjectId, expected: Expected) -> Result<()> {
        self.check(name, expected)?;
        let leaf = self.leaf(name.as_str())?;
        if name.is_head() && leaf != name.as_str() {
            // The first change through a HEAD that is only understood writes it down.
            self.0.entry(name.as_str().to_owned()).or_insert_with(|| RefTarget::Symbolic(leaf.clone()));
        }
        self.0.insert(leaf, RefTarget::Snapshot(id));
        Ok(())
    }

    /// Makes `name` itself name a snapshot, even where it was symbolic: a `HEAD` on no branch.
    pub fn set_itself(&mut self, name: &RefName, id: ObjectId, expected: Expected) -> Result<()> {
        self.check(name, expected)?;
        self.0.insert(name.as_str().to_owned(), RefTarget::Snapshot(id));
        Ok(())
    }

    /// Makes `name` point at another ref, which may be absent. Errors: a loop.
    pub fn set_symbolic(&mut self, name: &RefName, target: &RefName) -> Result<()> {
        let before = self.0.insert(name.as_str().to_owned(), RefTarget::Symbolic(target.as_str().to_owned()));
        if self.leaf(name.as_str()).is_err() || target == name {
            match before {
                Some(before) => self.0.insert(name.as_str().to_owned(), before),
                None => self.0.remove(name.as_str()),
            };
            return Err(Error::RefLoop { name: name.as_str().to_owned() });
        }
        Ok(())
    }

    /// Deletes the ref itself, not what it points at. Errors: it is not there, or not as expected.
    pub fn delete(&mut self, name: &RefName, expected: Expected) -> Result<RefTarget> {
        self.check(name, expected)?;
        self.0.remove(name.as_str()).ok_or_else(|| Error::NoSuchRef {
            name: name.as_str().to_owned(),
            near: super::revision::near(name.as_str(), self.0.keys().map(String::as_str)),
        })
    }

    /// Errors: `Moved` when the snapshot that `name` names in the end is not the expected one.
    pub fn check(&self, name: &RefName, expected: Expected) -> Result<()> {
        let found = self.resolve(name.as_str())?;
        let wanted = match expected {
            Expected::Anything => return Ok(()),
            Expected::Absent => None,
            Expected::Snapshot(id) => Some(id),
        };
        if found == wanted {
            return Ok(());
        }
        Err(Error::Moved { name: name.as_str().to_owned(), expected: wanted, found })
    }

    /// Makes the refs of `environment` those that `other` has, and leaves the rest.
    pub fn take_environment(&mut self, environment: &str, other: &Refs) {
        let prefix = format!("{environment}/");
        self.0.retain(|name, _| !name.starts_with(&prefix));
        self.0.extend(
            other.of_environment(environment).map(|(local, target)| (format!("{environment}/{local}"), target.clone())),
        );
    }

    /// What changed from `old` to `self`, by name.
    pub fn changes_since(&self, old: &Refs) -> Vec<RefChange> {
        let mut names: Vec<&String> = self.0.keys().chain(old.0.keys()).collect();
        names.sort_unstable();
        names.dedup();
        names
            .into_iter()
            .filter(|name| self.0.get(*name) != old.0.get(*name))
            .map(|name| RefChange { name: name.clone(), old: old.0.get(name).cloned(), new: self.0.get(name).cloned() })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> ObjectId {
        ObjectId::of_blob(text.as_bytes())
    }

    fn name(text: &str) -> RefName {
        RefName::new(text).unwrap()
    }

    #[test]
    fn the_first_change_of_head_makes_the_branch_main() {
        let mut refs = Refs::default();
        assert_eq!(refs.resolve("e/HEAD").unwrap(), None);
        refs.set(&name("e/HEAD"), id("1")).unwrap();
        assert_eq!(refs.get("e/HEAD"), Some(&RefTarget::Symbolic("e/heads/main".into())));
        assert_eq!(refs.resolve("e/HEAD").unwrap(), Some(id("1")));
        assert_eq!(refs.resolve("e/heads/main").unwrap(), Some(id("1")));
        assert_eq!(refs.current_branch("e").unwrap().as_deref(), Some("main"));
    }

    #[test]
    fn a_ref_that_moved_is_not_overwritten() {
        let mut refs = Refs::default();
        let head = name("e/HEAD");
        refs.compare_and_set(&head, id("1"), Expected::Absent).unwrap();
        let again = refs.compare_and_set(&head, id("2"), Expected::Absent);
        assert!(matches!(again, Err(Error::Moved { expected: None, found: Some(_), .. })));
        assert!(refs.compare_and_set(&head, id("2"), Expected::Snapshot(id("0"))).is_err());
        refs.compare_and_set(&head, id("2"), Expected::Snapshot(id("1"))).unwrap();
        assert!(refs.delete(&name("e/heads/main"), Expected::Snapshot(id("1"))).is_err());
        refs.delete(&name("e/heads/main"), Expected::Snapshot(id("2"))).unwrap();
        assert!(matches!(refs.delete(&name("e/heads/main"), Expected::Anything), Err(Error::NoSuchRef { .. })));
        assert_eq!(refs.resolve("e/HEAD").unwrap(), None);
    }

    #[test]
    fn loops_are_refused_and_found() {
        let mut refs = Refs::default();
        refs.set_symbolic(&name("e/heads/a"), &name("e/heads/b")).unwrap();
        assert!(refs.set_symbolic(&name("e/heads/b"), &name("e/heads/a")).is_err());
        assert_eq!(refs.get("e/heads/b"), None);
        assert!(refs.set_symbolic(&name("e/heads/c"), &name("e/heads/c")).is_err());
        assert!(refs.set_symbolic(&name("e/heads/main"), &name("e/HEAD")).is_err());
        let looped = Refs::new(
            [("e/HEAD", "e/heads/a"), ("e/heads/a", "e/HEAD")]
                .map(|(from, to)| (from.to_owned(), RefTarget::Symbolic(to.to_owned())))
                .into(),
        );
        assert!(matches!(looped.resolve("e/HEAD"), Err(Error::RefLoop { .. })));
    }

    #[test]
    fn one_environment_is_taken_back_without_the_others() {
        let mut before = Refs::default();
        before.set(&name("a/HEAD"), id("1")).unwrap();
        before.set(&name("ab/HEAD"), id("1")).unwrap();
        let mut now = before.clone();
        now.set(&name("a/HEAD"), id("2")).unwrap();
        now.set(&name("a/tags/x"), id("2")).unwrap();
        now.set(&name("ab/HEAD"), id("2")).unwrap();
        now.take_environment("a", &before);
        assert_eq!(now.resolve("a/HEAD").unwrap(), Some(id("1")));
        assert_eq!(now.resolve("a/tags/x").unwrap(), None);
        assert_eq!(now.resolve("ab/HEAD").unwrap(), Some(id("2")));
        assert_eq!(now.environments().collect::<Vec<_>>(), ["a", "ab"]);
        let changes = now.changes_since(&before);
        assert_eq!(changes.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), ["ab/heads/main"]);
        assert_eq!(now.of_environment("a").map(|(n, _)| n).collect::<Vec<_>>(), ["HEAD", "heads/main"]);
    }
}

//! A revision looked up: what the words of [`super::syntax`] mean now.
//!
//! A base is, in this order:
//! 1. `HEAD`
//! 2. all 64 digits of an id
//! 3. a branch, then a tag, of the environment; `heads/x` and `tags/x` say which
//! 4. the full name of a ref, such as `ENVIRONMENT/heads/x`
//! 5. `ENVIRONMENT/x`, where `x` is a branch, a tag, `HEAD` or a version there
//! 6. a version `vN` of the current branch
//! 7. the first digits of an id, four at least
//!
//! So a name beats a version, and both beat a prefix (invariant H5).

use std::cell::OnceCell;
use std::collections::{BTreeSet, HashMap};

use crate::object::{Entry, EntryKind, IdPrefix, Kind, ObjectId, Operation, RelativePath, Snapshot, Tree};

use super::error::Candidate;
use super::operations::{nth_operation, refs_after};
use super::ref_name::{NO_ENVIRONMENT, short};
use super::syntax::{Revision, Step, version_number};
use super::version::{Versions, first_parents};
use super::{Error, Objects, Refs, Result};

/// What a revision names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    pub id: ObjectId,
    pub kind: Kind,
    /// The full name of the ref that was named, before any step from it.
    pub ref_name: Option<String>,
    /// For `REV:path` the entry found there; a model's blob may be absent from the store.
    pub entry: Option<Entry>,
    /// For `REV:path` the path.
    pub path: Option<RelativePath>,
}

/// What a caller can use; decides between objects that begin with the same digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Anything,
    Snapshot,
    /// A tree, or a snapshot that has one.
    Tree,
}

/// How many candidates an ambiguous prefix lists.
const MOST_CANDIDATES: usize = 20;

/// The refs of one moment seen from one environment: where revisions are looked up.
pub struct View<'a> {
    objects: &'a dyn Objects,
    environment: String,
    head_operation: Option<ObjectId>,
    refs: Refs,
    versions: OnceCell<Versions>,
}

/// Looks up one revision. For more than one, make a [`View`] and keep it.
pub fn resolve(objects: &dyn Objects, environment: Option<&str>, revision: &str) -> Result<Resolved> {
    View::now(objects, environment)?.resolve(revision)
}

impl<'a> View<'a> {
    /// The refs of now. Without an environment, `HEAD` is that of [`NO_ENVIRONMENT`].
    pub fn now(objects: &'a dyn Objects, environment: Option<&str>) -> Result<Self> {
        let head_operation = objects.head_operation()?;
        let refs = match &head_operation {
            Some(head) => refs_after(objects, head)?,
            None => Refs::default(),
        };
        let environment = environment.unwrap_or(NO_ENVIRONMENT).to_owned();
        Ok(View { objects, environment, head_operation, refs, versions: OnceCell::new() })
    }

    pub fn objects(&self) -> &'a dyn Objects {
        self.objects
    }

    pub fn environment(&self) -> &str {
        &self.environment
    }

    pub fn refs(&self) -> &Refs {
        &self.refs
    }

    pub fn head_operation(&self) -> Option<ObjectId> {
        self.head_operation
    }

    /// The snapshot that `HEAD` names; nothing before the first.
    pub fn head(&self) -> Result<Option<ObjectId>> {
        self.refs.resolve(&format!("{}/HEAD", self.environment))
    }

    /// The versions of the current branch.
    pub fn versions(&self) -> Result<&Versions> {
        if let Some(versions) = self.versions.get() {
            return Ok(versions);
        }
        let versions = Versions::of(self.objects, self.head()?)?;
        Ok(self.versions.get_or_init(|| versions))
    }

    /// The environment's refs by the snapshot they name, by their names within it: `HEAD`, `heads/main`, `tags/x`.
    pub fn names(&self) -> Result<HashMap<ObjectId, Vec<String>>> {
        let mut names: HashMap<ObjectId, Vec<String>> = HashMap::new();
        if let Some(head) = self.head()? {
            names.entry(head).or_default().push("HEAD".to_owned());
        }
        for (local, _) in self.refs.of_environment(&self.environment).filter(|(local, _)| *local != "HEAD") {
            if let Some(id) = self.refs.resolve(&format!("{}/{local}", self.environment))? {
                names.entry(id).or_default().push(local.to_owned());
            }
        }
        Ok(names)
    }

    /// The same as people say them: `HEAD -> main`, `main`, `tag: x`.
    pub fn labels(&self) -> Result<HashMap<ObjectId, Vec<String>>> {
        let branch = self.refs.current_branch(&self.environment)?;
        let label = |local: &String| match local.split_once('/') {
            Some(("heads", name)) if branch.as_deref() == Some(name) => None,
            Some(("tags", name)) => Some(format!("tag: {name}")),
            Some((_, name)) => Some(name.to_owned()),
            None => Some(branch.as_ref().map_or(local.clone(), |branch| format!("{local} -> {branch}"))),
        };
        let names = self.names()?.into_iter();
        Ok(names.map(|(id, names)| (id, names.iter().filter_map(label).collect())).collect())
    }

    /// Looks up a revision that may name any object.
    pub fn resolve(&self, text: &str) -> Result<Resolved> {
        self.resolve_as(text, Wanted::Anything)
    }

    /// Looks up a revision that must name a snapshot.
    pub fn snapshot(&self, text: &str) -> Result<ObjectId> {
        let found = self.resolve_as(text, Wanted::Snapshot)?;
        if found.kind != Kind::Snapshot {
            return Err(Error::WrongKind { revision: text.to_owned(), found: found.kind, wanted: Kind::Snapshot });
        }
        Ok(found.id)
    }

    /// Looks up a revision that names a tree, or a snapshot, whose tree is meant.
    pub fn tree(&self, text: &str) -> Result<ObjectId> {
        let found = self.resolve_as(text, Wanted::Tree)?;
        self.tree_of(text, found.id, found.kind)
    }

    fn resolve_as(&self, text: &str, wanted: Wanted) -> Result<Resolved> {
        let revision = Revision::parse(text)?;
        let earlier;
        let refs = match revision.operations_ago {
            0 => &self.refs,
            n => {
                let no_such = |there| Error::NoSuchOperation { revision: text.to_owned(), there };
                let (_, operation) = nth_operation(self.objects, n)?.map_err(no_such)?;
                earlier = Refs::new(operation.refs);
                &earlier
            }
        };
        let wanted = match (revision.steps.first(), &revision.path) {
            (Some(Step::Ancestor(_) | Step::Parent(_) | Step::As(Kind::Snapshot)), _) => Wanted::Snapshot,
            (Some(Step::As(Kind::Tree)), _) | (None, Some(_)) => Wanted::Tree,
            (Some(Step::As(_)), _) => Wanted::Anything,
            (None, None) => wanted,
        };
        let mut found = self.base(&revision, refs, wanted)?;
        for step in &revision.steps {
            found = self.step(text, found, *step)?;
        }
        match revision.path {
            Some(path) => self.at_path(text, found, path),
            None => Ok(found),
        }
    }

    /// Looks up the base of a revision.
    fn base(&self, revision: &Revision<'_>, refs: &Refs, wanted: Wanted) -> Result<Resolved> {
        let base = revision.base;
        if let Ok(id) = base.parse::<ObjectId>() {
            self.only_names_have_a_past(revision)?;
            let kind = self.objects.kind(&id)?.ok_or(Error::Missing { id })?;
            return Ok(Resolved::object(id, kind));
        }
        if let Some(name) = self.named(base, refs, &self.environment)? {
            return self.of_ref(revision, refs, name);
        }
        if let Some((environment, rest)) = base.split_once('/')
            && refs.environments().any(|known| known == environment)
        {
            if let Some(name) = self.named(rest, refs, environment)? {
                return self.of_ref(revision, refs, name);
            }
            if let Some(number) = version_number(rest) {
                return self.version(revision, refs, environment, number);
            }
        }
        if let Some(number) = version_number(base) {
            return self.version(revision, refs, &self.environment, number);
        }
        if let Ok(prefix) = base.parse::<IdPrefix>()
            && let Some(found) = self.by_prefix(&prefix, wanted)?
        {
            self.only_names_have_a_past(revision)?;
            return Ok(found);
        }
        Err(Error::Unknown { revision: revision.text.to_owned(), near: self.near_names(base, refs) })
    }

    fn only_names_have_a_past(&self, revision: &Revision<'_>) -> Result<()> {
        if revision.operations_ago == 0 {
            return Ok(());
        }
        let reason = "an id is always the same object: `@{n}` goes with names".to_owned();
        Err(Error::Malformed { revision: revision.text.to_owned(), reason })
    }

    /// The full name of the ref that `base` means, seen from `environment`.
    fn named(&self, base: &str, refs: &Refs, environment: &str) -> Result<Option<String>> {
        if base == "HEAD" {
            return Ok(Some(format!("{environment}/HEAD")));
        }
        let mut places = vec![format!("{environment}/heads/{base}"), format!("{environment}/tags/{base}")];
        if base.starts_with("heads/") || base.starts_with("tags/") {
            places.push(format!("{environment}/{base}"));
        }
        places.push(base.to_owned());
        Ok(places.into_iter().find(|name| refs.get(name).is_some()))
    }

    fn of_ref(&self, revision: &Revision<'_>, refs: &Refs, name: String) -> Result<Resolved> {
        let Some(id) = refs.resolve(&name)? else {
            let environment = name.split('/').next().unwrap_or_default().to_owned();
            return Err(Error::NoSnapshotYet { revision: revision.text.to_owned(), environment });
        };
        Ok(Resolved { ref_name: Some(name), ..Resolved::object(id, Kind::Snapshot) })
    }

    fn version(&self, revision: &Revision<'_>, refs: &Refs, environment: &str, number: u64) -> Result<Resolved> {
        let is_ours = environment == self.environment && revision.operations_ago == 0;
        let computed;
        let versions = if is_ours {
            self.versions()?
        } else {
            computed = Versions::of(self.objects, refs.resolve(&format!("{environment}/HEAD"))?)?;
            &computed
        };
        let text = || revision.text.to_owned();
        match versions.get(number) {
            Some(id) => Ok(Resolved::object(id, Kind::Snapshot)),
            None if versions.newest() == 0 => {
                Err(Error::NoSnapshotYet { revision: text(), environment: environment.to_owned() })
            }
            None => Err(Error::NoSuchVersion { revision: text(), newest: versions.newest() }),
        }
    }

    /// The one object that begins with these digits and can be used. Errors: `Ambiguous`.
    fn by_prefix(&self, prefix: &IdPrefix, wanted: Wanted) -> Result<Option<Resolved>> {
        // One more than are listed, to know that there are more; and far more than that before one of a wanted
        // kind could be overlooked among others.
        let all = self.objects.matching(prefix, 64 * MOST_CANDIDATES)?;
        let usable = |kind| match wanted {
            Wanted::Anything => true,
            Wanted::Snapshot => kind == Kind::Snapshot,
            Wanted::Tree => matches!(kind, Kind::Snapshot | Kind::Tree),
        };
        let fitting: Vec<_> = all.iter().filter(|(_, kind)| usable(*kind)).collect();
        let mut among = if fitting.is_empty() { all.iter().collect() } else { fitting };
        if let [(id, kind)] = among[..] {
            return Ok(Some(Resolved::object(*id, *kind)));
        }
        if among.is_empty() {
            return Ok(None);
        }
        // People mean snapshots more often than trees.
        let order = [Kind::Snapshot, Kind::Operation, Kind::Tree, Kind::Blob];
        among.sort_by_key(|(id, kind)| (order.iter().position(|k| k == kind), *id));
        let more = among.len() > MOST_CANDIDATES;
        among.truncate(MOST_CANDIDATES);
        let candidates = among
            .into_iter()
            .map(|(id, kind)| Ok(Candidate { id: *id, kind: *kind, about: self.about(id, *kind)? }))
            .collect::<Result<_>>()?;
        Err(Error::Ambiguous { prefix: prefix.as_str().to_owned(), candidates, more })
    }

    /// What a person knows an object by.
    fn about(&self, id: &ObjectId, kind: Kind) -> Result<String> {
        Ok(match kind {
            Kind::Snapshot => {
                let snapshot: Snapshot = self.objects.read(id)?;
                format!("{} {}", snapshot.time.to_minutes(), snapshot.subject())
            }
            Kind::Operation => {
                let operation: Operation = self.objects.read(id)?;
                format!("{} {}", operation.time.to_minutes(), operation.command)
            }
            Kind::Tree | Kind::Blob => String::new(),
        })
    }

    fn step(&self, text: &str, from: Resolved, step: Step) -> Result<Resolved> {
        let revision = || text.to_owned();
        if let Step::As(wanted) = step {
            return match wanted {
                Kind::Tree => Ok(Resolved::object(self.tree_of(text, from.id, from.kind)?, Kind::Tree)),
                _ if wanted == from.kind => Ok(from),
                _ => Err(Error::WrongKind { revision: revision(), found: from.kind, wanted }),
            };
        }
        if from.kind != Kind::Snapshot {
            return Err(Error::WrongKind { revision: revision(), found: from.kind, wanted: Kind::Snapshot });
        }
        let no_such = |id, has| Error::NoSuchParent { revision: revision(), id, has };
        let id = match step {
            Step::Parent(0) | Step::As(_) => from.id,
            Step::Parent(n) => {
                let parents = self.objects.read::<Snapshot>(&from.id)?.parents;
                let parent = usize::try_from(n - 1).ok().and_then(|at| parents.get(at));
                *parent.ok_or_else(|| no_such(from.id, parents.len()))?
            }
            Step::Ancestor(n) => {
                let mut oldest = from.id;
                let mut wanted = None;
                for (passed, found) in (0..).zip(first_parents(self.objects, from.id)) {
                    oldest = found?.0;
                    if passed == n {
                        wanted = Some(oldest);
                        break;
                    }
                }
                wanted.ok_or_else(|| no_such(oldest, 0))?
            }
        };
        Ok(Resolved { ref_name: from.ref_name, ..Resolved::object(id, Kind::Snapshot) })
    }

    fn tree_of(&self, text: &str, id: ObjectId, kind: Kind) -> Result<ObjectId> {
        match kind {
            Kind::Tree => Ok(id),
            Kind::Snapshot => Ok(self.objects.read::<Snapshot>(&id)?.tree),
            found => Err(Error::WrongKind { revision: text.to_owned(), found, wanted: Kind::Tree }),
        }
    }

    fn at_path(&self, text: &str, from: Resolved, path: RelativePath) -> Result<Resolved> {
        let revision = text.split(':').next().unwrap_or(text);
        let mut id = self.tree_of(revision, from.id, from.kind)?;
        let mut passed = RelativePath::root();
        let mut entry: Option<Entry> = None;
        for name in path.names() {
            if let Some(entry) = entry.as_ref().filter(|entry| entry.kind != EntryKind::Tree) {
                let (path, kind) = (passed.to_string(), entry.kind.to_string());
                return Err(Error::NotAFolder { revision: revision.to_owned(), path, kind });
            }
            let tree: Tree = self.objects.read(&id)?;
            let Some(found) = tree.get(name.as_str()) else {
                let near = near(name.as_str(), tree.entries().iter().map(|entry| entry.name.as_str()));
                let near = near.into_iter().map(|name| match passed.is_root() {
                    true => name,
                    false => format!("{passed}/{name}"),
                });
                let (revision, path) = (revision.to_owned(), path.to_string());
                return Err(Error::NoSuchPath { revision, path, near: near.collect() });
            };
            passed = passed.join(&name);
            id = found.id;
            entry = Some(found.clone());
        }
        let kind = match &entry {
            Some(entry) if entry.kind != EntryKind::Tree => Kind::Blob,
            _ => Kind::Tree,
        };
        Ok(Resolved { id, kind, ref_name: from.ref_name, entry, path: Some(path) })
    }

    /// Names that a mistyped one could have meant, the closest first.
    fn near_names(&self, base: &str, refs: &Refs) -> Vec<String> {
        let mut names: BTreeSet<String> = BTreeSet::from(["HEAD".to_owned()]);
        names.extend(refs.of_environment(&self.environment).map(|(local, _)| short(local).to_owned()));
        for environment in refs.environments().filter(|other| *other != self.environment) {
            names.extend(refs.of_environment(environment).map(|(local, _)| format!("{environment}/{}", short(local))));
        }
        near(base, names.iter().map(String::as_str))
    }
}

impl Resolved {
    fn object(id: ObjectId, kind: Kind) -> Self {
        Resolved { id, kind, ref_name: None, entry: None, path: None }
    }
}

/// The names that a mistyped one could have meant: up to three, the closest first.
pub fn near<'n>(given: &str, known: impl Iterator<Item = &'n str>) -> Vec<String> {
    let given = given.to_lowercase();
    let score = |name: &str| {
        let name = name.to_lowercase();
        let begins = given.len() >= 2 && (name.starts_with(&given) || name.ends_with(&format!("/{given}")));
        if begins { 0.95 } else { strsim::jaro_winkler(&given, &name) }
    };
    let mut scored: Vec<_> = known.map(|name| (score(name), name)).filter(|(score, _)| *score >= 0.8).collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    scored.into_iter().take(3).map(|(_, name)| name.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::objects::map::Map;
    use super::super::{Record, RefName, transact};
    use super::*;
    use crate::object::Time;

    fn set(map: &Map, name: &str, id: ObjectId) {
        let record = Record::new("test", "Test", Time { milliseconds: 0, offset_minutes: 0 });
        let name = RefName::new(name).unwrap();
        transact::<Error>(map, &record, |refs| refs.set(&name, id)).unwrap();
    }

    /// Four snapshots, a merge, a tag and a second environment.
    fn sample() -> (Map, Vec<ObjectId>) {
        let map = Map::default();
        let tree = map.tree(&[("workflows/a.json", "{}"), ("workflows/b.json", "[]"), ("pyproject.toml", "x")]);
        let first = map.snapshot(tree, &[], 0);
        let second = map.snapshot(tree, &[first], 1);
        let side = map.snapshot(tree, &[first], 2);
        let merge = map.snapshot(tree, &[second, side], 3);
        for id in [first, second, merge] {
            set(&map, "e/HEAD", id);
        }
        set(&map, "e/tags/beta", side);
        set(&map, "other/HEAD", first);
        (map, vec![first, second, side, merge])
    }

    fn look_up(map: &Map, text: &str) -> ObjectId {
        resolve(map, Some("e"), text).unwrap_or_else(|e| panic!("{text}: {e}")).id
    }

    fn failure(map: &Map, text: &str) -> Error {
        resolve(map, Some("e"), text).unwrap_err()
    }

    #[test]
    fn every_form_finds_its_object() {
        let (map, ids) = sample();
        let [first, second, side, merge] = ids[..] else { unreachable!() };
        for (text, id) in [
            ("HEAD", merge),
            ("@", merge),
            ("main", merge),
            ("heads/main", merge),
            ("e/heads/main", merge),
            ("e/HEAD", merge),
            ("e/main", merge),
            ("beta", side),
            ("tags/beta", side),
            ("other/HEAD", first),
            ("other/main", first),
            ("other/v1", first),
            ("v1", first),
            ("v2", second),
            ("v3", merge),
            ("HEAD~", second),
            ("HEAD~1", second),
            ("HEAD~2", first),
            ("HEAD~~", first),
            ("HEAD^", second),
            ("HEAD^2", side),
            ("HEAD^2~1", first),
            ("HEAD^0", merge),
            ("HEAD~0", merge),
            ("HEAD^{snapshot}", merge),
            ("@{0}", merge),
            ("@{3}", second),
            ("main@{4}", first),
            ("v1@{3}", first),
            ("@{3}~1", first),
        ] {
            assert_eq!(look_up(&map, text), id, "{text}");
        }
        assert_eq!(look_up(&map, &merge.to_hex()), merge);
        assert_eq!(look_up(&map, &merge.to_hex()[..12]), merge);
        assert_eq!(look_up(&map, &merge.to_hex()[..12].to_uppercase()), merge);
        let found = resolve(&map, Some("e"), "main").unwrap();
        assert_eq!(found.ref_name.as_deref(), Some("e/heads/main"));
    }

    #[test]
    fn paths_lead_into_the_tree() {
        let (map, _) = sample();
        let found = resolve(&map, Some("e"), "HEAD:workflows/a.json").unwrap();
        assert_eq!((found.id, found.kind), (ObjectId::of_blob(b"{}"), Kind::Blob));
        let tree = resolve(&map, Some("e"), "HEAD:").unwrap();
        assert_eq!((tree.id, tree.kind), (look_up(&map, "HEAD^{tree}"), Kind::Tree));
        let folder = resolve(&map, Some("e"), "v1:workflows/").unwrap();
        assert_eq!(folder.entry.unwrap().kind, EntryKind::Tree);
        let of_a_tree = format!("{}:workflows/b.json", tree.id);
        assert_eq!(look_up(&map, &of_a_tree), ObjectId::of_blob(b"[]"));
    }

    #[test]
    fn what_is_not_there_is_said_with_what_could_be_meant() {
        let (map, _) = sample();
        assert!(matches!(failure(&map, "bete"), Error::Unknown { near, .. } if near == ["beta"]));
        assert!(matches!(failure(&map, "MAIN"), Error::Unknown { near, .. } if near.first().unwrap() == "main"));
        assert!(matches!(failure(&map, "othr/main"), Error::Unknown { near, .. } if near[0] == "other/main"));
        assert!(matches!(failure(&map, "v9"), Error::NoSuchVersion { newest: 3, .. }));
        assert!(matches!(failure(&map, "HEAD~3"), Error::NoSuchParent { has: 0, .. }));
        assert!(matches!(failure(&map, "HEAD^3"), Error::NoSuchParent { has: 2, .. }));
        assert!(matches!(failure(&map, "@{5}~1"), Error::NoSuchOperation { there: 5, .. }));
        assert!(
            matches!(failure(&map, "HEAD:workflow/a.json"), Error::NoSuchPath { near, .. } if near == ["workflows"])
        );
        assert!(
            matches!(failure(&map, "HEAD:workflows/c.json"), Error::NoSuchPath { near, .. } if near.contains(&"workflows/a.json".to_owned()))
        );
        assert!(matches!(failure(&map, "HEAD:pyproject.toml/x"), Error::NotAFolder { .. }));
        assert!(matches!(failure(&map, "HEAD^{blob}"), Error::WrongKind { .. }));
        assert!(matches!(resolve(&map, Some("new"), "HEAD"), Err(Error::NoSnapshotYet { .. })));
        assert!(matches!(resolve(&map, Some("new"), "v1"), Err(Error::NoSnapshotYet { .. })));
        assert!(matches!(failure(&map, &"0".repeat(64)), Error::Missing { .. }));
        let view = View::now(&map, Some("e")).unwrap();
        assert!(matches!(view.snapshot("HEAD^{tree}"), Err(Error::WrongKind { .. })));
    }

    #[test]
    fn a_name_beats_a_version_and_a_branch_beats_a_tag() {
        let (map, ids) = sample();
        set(&map, "e/tags/v1", ids[3]);
        assert_eq!(look_up(&map, "v1"), ids[3]);
        set(&map, "e/tags/main", ids[0]);
        assert_eq!(look_up(&map, "main"), ids[3]);
        assert_eq!(look_up(&map, "tags/main"), ids[0]);
        let digits = &ids[0].to_hex()[..6];
        set(&map, &format!("e/tags/{digits}"), ids[1]);
        assert_eq!(look_up(&map, digits), ids[1]);
    }

    #[test]
    fn an_ambiguous_prefix_lists_what_it_could_be_unless_one_kind_is_wanted() {
        let map = Map::default();
        let tree = map.tree(&[]);
        let snapshot = map.snapshot(tree, &[], 0);
        let prefix = &snapshot.to_hex()[..4];
        // A blob whose id begins with the same four digits.
        let twin =
            (0..).map(|n: u32| n.to_string()).find(|n| ObjectId::of_blob(n.as_bytes()).to_hex().starts_with(prefix));
        map.put(Kind::Blob, twin.unwrap().as_bytes()).unwrap();
        let Err(Error::Ambiguous { candidates, more: false, .. }) = resolve(&map, None, prefix) else { panic!() };
        assert_eq!(candidates.iter().map(|c| c.kind).collect::<Vec<_>>(), [Kind::Snapshot, Kind::Blob]);
        assert!(candidates[0].about.ends_with("at 0"));
        let view = View::now(&map, None).unwrap();
        assert_eq!(view.snapshot(prefix).unwrap(), snapshot);
        assert_eq!(view.tree(prefix).unwrap(), tree);
        assert_eq!(view.resolve(&format!("{prefix}^0")).unwrap().id, snapshot);
    }

    #[test]
    fn refs_are_shown_where_they_point() {
        let (map, ids) = sample();
        let labels = View::now(&map, Some("e")).unwrap().labels().unwrap();
        assert_eq!(labels[&ids[3]], ["HEAD -> main"]);
        assert_eq!(labels[&ids[2]], ["tag: beta"]);
    }

    proptest! {
        #[test]
        fn looking_up_never_panics(text in "(HEAD|main|v1|v2|@|beta|other|e)?[@{}~^:/0-9a-z.]{0,10}") {
            let (map, _) = sample();
            drop(resolve(&map, Some("e"), &text));
        }
    }
}

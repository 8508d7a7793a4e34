//! Bringing the registries' lists up to date: fetched or read, checked, put together, and put in place as a whole or not at all.
//!
//! A copy of each list stays in the folder, with what its host said of it, so that a list that did not change is not fetched again and
//! that the next update can work without a network. Two updates at once do no harm: each puts whole files in place.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::net::address::{is_url, shown};
use crate::net::{Answer, Cause, Expected, Fetch, FetchError, Request, Validators};
use crate::observer::{Observer, Unit};

use super::container::{ContainerError, replace};
use super::registry_map::{self, Gathered, List, ListError, RegistryMap, Source};

/// ComfyUI-Manager's lists as its authors publish them. comfygit's mappings are read only where they are configured: their licence
/// is for each user to judge.
pub const DEFAULT_SOURCES: [&str; 5] = [
    "https://raw.githubusercontent.com/ltdrdata/ComfyUI-Manager/main/custom-node-list.json",
    "https://raw.githubusercontent.com/ltdrdata/ComfyUI-Manager/main/extension-node-map.json",
    "https://raw.githubusercontent.com/ltdrdata/ComfyUI-Manager/main/alter-list.json",
    "https://raw.githubusercontent.com/ltdrdata/ComfyUI-Manager/main/model-list.json",
    "https://raw.githubusercontent.com/ltdrdata/ComfyUI-Manager/main/github-stats.json",
];

/// The copies and what is known of them, in the catalog's folder.
const COPIES: &str = "lists";
const NOTES: &str = "lists.json";

/// comfygit's mappings, the largest list, had 21 MB in 2026.
const LARGEST_LIST: u64 = 512 << 20;

/// When a list is fetched although a copy of it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// Once the copy is older.
    OlderThan(Duration),
    Always,
    /// Never: addresses are answered from copies.
    Offline,
}

impl Default for Freshness {
    fn default() -> Self {
        Freshness::OlderThan(Duration::from_secs(24 * 60 * 60))
    }
}

/// Why there was no update. What was there before is still there.
#[derive(Debug, thiserror::Error)]
pub enum UpdateError {
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// Offline, and there is no copy.
    #[error("{} was never fetched, so there is no copy to work from", shown(from))]
    NoCopy { from: String },
    #[error("{} {error}", shown(from))]
    List { from: String, error: ListError },
    #[error(transparent)]
    Container(#[from] ContainerError),
    #[error("interrupted")]
    Interrupted,
}

/// What became of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    Fetched,
    /// The host says that the copy is the newest.
    Unchanged,
    /// The copy is young enough not to ask.
    Fresh,
    /// Read from a disk.
    Read,
    /// It could not be had, so the copy counts. The reason, or nothing where that was asked for.
    FromCopy(Option<FailedSource>),
}

/// Why an older copy of a list was used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FailedSource {
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error("{} {error}", shown(from))]
    List { from: String, error: ListError },
}

/// A source and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdatedSource {
    pub source: Source,
    pub state: State,
}

/// An update that was made.
#[derive(Debug)]
pub struct Updated {
    pub sources: Vec<UpdatedSource>,
    pub counts: registry_map::Counts,
}

/// What is known of a copy.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Note {
    from: String,
    /// Milliseconds since 1970.
    fetched: i64,
    #[serde(flatten)]
    validators: Validators,
}

/// Brings the catalog in `folder` up to date with `sources`, addresses and paths. `now` is in milliseconds since 1970.
///
/// An address that cannot be had, or that gives something else than a list, is answered from its copy; without one there is no update.
pub fn update(
    folder: &Path,
    sources: &[String],
    freshness: Freshness,
    now: i64,
    fetch: &dyn Fetch,
    observer: &dyn Observer,
) -> Result<Updated, UpdateError> {
    let copies = folder.join(COPIES);
    std::fs::create_dir_all(&copies).map_err(at(&copies))?;
    let mut shelf = Shelf { folder, notes: notes(&folder.join(NOTES)) };
    let mut read = Vec::new();
    for from in sources {
        if observer.interrupted() {
            return Err(UpdateError::Interrupted);
        }
        read.push((from, shelf.get(from, freshness, now, fetch, observer)?));
    }
    observer.started("putting the lists together", Unit::Items, Some(read.len() as u64));
    read.sort_by_key(|(_, got)| got.list.kind());
    let mut gathered = Gathered::default();
    let mut updated = Vec::new();
    for (from, Got { list, fetched, state }) in read {
        let taken = gathered.take(&list).map_err(|error| UpdateError::List { from: from.clone(), error })?;
        updated.push(UpdatedSource { source: Source::new(taken, shown(from), fetched), state });
        observer.advanced(1);
    }
    let path = folder.join(registry_map::FILE);
    let sources: Vec<Source> = updated.iter().map(|updated| updated.source.clone()).collect();
    RegistryMap::write(&path, gathered, &sources)?;
    observer.finished();
    let counts = RegistryMap::open(&path)?.map(|map| map.counts()).unwrap_or_default();
    Ok(Updated { sources: updated, counts })
}

/// A list at hand.
struct Got {
    list: List,
    fetched: i64,
    state: State,
}

/// The copies.
struct Shelf<'a> {
    folder: &'a Path,
    notes: Vec<Note>,
}

impl Shelf<'_> {
    fn get(
        &mut self,
        from: &str,
        freshness: Freshness,
        now: i64,
        fetch: &dyn Fetch,
        observer: &dyn Observer,
    ) -> Result<Got, UpdateError> {
        let wrong = |error| UpdateError::List { from: from.to_owned(), error };
        if !is_url(from) {
            let bytes = std::fs::read(from).map_err(at(Path::new(from)))?;
            return Ok(Got { list: List::parse(&bytes).map_err(wrong)?, fetched: now, state: State::Read });
        }
        let copy = self.copy(from);
        let note = self.notes.iter().find(|note| note.from == from).filter(|_| copy.is_some()).cloned();
        let offline = |copy: Option<List>, note: Option<Note>, reason| match (copy, note) {
            (Some(list), Some(note)) => Ok(Got { list, fetched: note.fetched, state: State::FromCopy(reason) }),
            _ => Err(match reason {
                Some(FailedSource::Fetch(error)) => UpdateError::Fetch(error),
                Some(FailedSource::List { from, error }) => UpdateError::List { from, error },
                None => UpdateError::NoCopy { from: from.to_owned() },
            }),
        };
        match freshness {
            Freshness::Offline => return offline(copy, note, None),
            Freshness::OlderThan(age) => {
                let age = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
                if let Some(note) = note.as_ref().filter(|note| (0..age).contains(&now.saturating_sub(note.fetched))) {
                    let fetched = note.fetched;
                    return match copy {
                        Some(list) => Ok(Got { list, fetched, state: State::Fresh }),
                        None => offline(None, None, None),
                    };
                }
            }
            Freshness::Always => {}
        }
        let mut request = Request::new(from, Expected::Json, LARGEST_LIST);
        request.known = note.as_ref().map(|note| note.validators.clone()).unwrap_or_default();
        match fetch.fetch(&request, observer) {
            Ok(Answer::Unchanged) => match (copy, note) {
                (Some(list), Some(note)) => {
                    self.note(Note { fetched: now, ..note })?;
                    Ok(Got { list, fetched: now, state: State::Unchanged })
                }
                // Nothing was known that could be unchanged.
                _ => Err(FetchError { url: from.to_owned(), cause: Cause::Status(304) }.into()),
            },
            Ok(Answer::New { bytes, validators }) => match List::parse(&bytes) {
                Ok(list) => {
                    let path = self.path(from);
                    let packed = zstd::encode_all(&*bytes, 3).map_err(at(&path))?;
                    replace(&path, &[&packed]).map_err(at(&path))?;
                    self.note(Note { from: from.to_owned(), fetched: now, validators })?;
                    Ok(Got { list, fetched: now, state: State::Fetched })
                }
                Err(error) => offline(copy, note, Some(FailedSource::List { from: from.to_owned(), error })),
            },
            Err(FetchError { cause: Cause::Interrupted, .. }) => Err(UpdateError::Interrupted),
            Err(error) => offline(copy, note, Some(error.into())),
        }
    }

    /// The copy of an address; one that is damaged is none.
    fn copy(&self, from: &str) -> Option<List> {
        let packed = std::fs::read(self.path(from)).ok()?;
        List::parse(&zstd::decode_all(&*packed).ok()?).ok()
    }

    fn path(&self, from: &str) -> PathBuf {
        // An address can hold what no file name may.
        let name = &blake3::hash(from.as_bytes()).to_hex()[..16];
        self.folder.join(COPIES).join(format!("{name}.json.zst"))
    }

    fn note(&mut self, note: Note) -> Result<(), UpdateError> {
        self.notes.retain(|known| known.from != note.from);
        self.notes.push(note);
        let path = self.folder.join(NOTES);
        let write = || replace(&path, &[&serde_json::to_vec_pretty(&self.notes)?]);
        write().map_err(at(&path))
    }
}

/// Notes that cannot be read are none: the lists are then fetched anew.
fn notes(path: &Path) -> Vec<Note> {
    let read = std::fs::read(path).ok();
    read.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
}

fn at(path: &Path) -> impl Fn(std::io::Error) -> UpdateError + '_ {
    |source| UpdateError::Io { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::catalog::Catalog;
    use crate::observer::Silent;

    const URL: &str = "https://example.org/nodes.json";
    const LIST: &str = r#"{"https://github.com/ann/nodes":[["Ann's"],{}]}"#;
    const NEWER: &str = r#"{"https://github.com/ann/nodes":[["Ann's","Newer"],{}]}"#;
    const DAY: i64 = 24 * 60 * 60 * 1000;

    /// Answers one after the other, and notes what was asked.
    #[derive(Default)]
    struct Scripted {
        answers: RefCell<Vec<Result<Answer, Cause>>>,
        asked: RefCell<Vec<Validators>>,
    }

    impl Fetch for Scripted {
        fn fetch(&self, request: &Request, _observer: &dyn Observer) -> Result<Answer, FetchError> {
            self.asked.borrow_mut().push(request.known.clone());
            self.answers.borrow_mut().remove(0).map_err(|cause| FetchError { url: request.url.clone(), cause })
        }
    }

    fn new(text: &str, etag: &str) -> Result<Answer, Cause> {
        let validators = Validators { etag: Some(etag.into()), last_modified: None };
        Ok(Answer::New { bytes: text.as_bytes().to_vec(), validators })
    }

    fn run(
        folder: &Path,
        freshness: Freshness,
        now: i64,
        answers: Vec<Result<Answer, Cause>>,
    ) -> (Result<Updated, UpdateError>, Vec<Validators>) {
        let scripted = Scripted { answers: answers.into(), ..Scripted::default() };
        let updated = update(folder, &[URL.to_owned()], freshness, now, &scripted, &Silent);
        assert!(scripted.answers.borrow().is_empty(), "all was asked for");
        (updated, scripted.asked.into_inner())
    }

    fn state(updated: Result<Updated, UpdateError>) -> (State, i64) {
        let source = updated.unwrap().sources.remove(0);
        (source.state, source.source.fetched)
    }

    #[test]
    fn a_list_is_fetched_once_a_day_and_only_if_it_changed() {
        let folder = tempfile::tempdir().unwrap();
        let day = Freshness::default();
        let (first, asked) = run(folder.path(), day, 5, vec![new(LIST, "one")]);
        assert_eq!((state(first), asked), ((State::Fetched, 5), vec![Validators::default()]));
        let (again, asked) = run(folder.path(), day, 5 + DAY - 1, vec![]);
        assert_eq!((state(again), asked.len()), ((State::Fresh, 5), 0));
        let (later, asked) = run(folder.path(), day, 5 + DAY, vec![Ok(Answer::Unchanged)]);
        assert_eq!((state(later), asked[0].etag.as_deref()), ((State::Unchanged, 5 + DAY), Some("one")));
        let (forced, _) = run(folder.path(), Freshness::Always, 6 + DAY, vec![new(NEWER, "two")]);
        assert_eq!(state(forced), (State::Fetched, 6 + DAY));
        assert!(!Catalog::open(folder.path()).catalog.owners("Newer", None).is_empty());
        // A clock that was set back makes no copy young for ever.
        assert_eq!(run(folder.path(), day, 0, vec![Ok(Answer::Unchanged)]).1[0].etag.as_deref(), Some("two"));
    }

    #[test]
    fn without_a_network_the_copy_counts_and_its_age_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let (none, _) = run(folder.path(), Freshness::Offline, 1, vec![]);
        assert!(matches!(none.unwrap_err(), UpdateError::NoCopy { .. }));
        let (none, _) = run(folder.path(), Freshness::Always, 1, vec![Err(Cause::TimedOut)]);
        assert!(matches!(none.unwrap_err(), UpdateError::Fetch(FetchError { cause: Cause::TimedOut, .. })));
        assert!(Catalog::open(folder.path()).catalog.registry().is_none());
        run(folder.path(), Freshness::Always, 2, vec![new(LIST, "one")]).0.unwrap();
        let (offline, _) = run(folder.path(), Freshness::Offline, 9 * DAY, vec![]);
        assert_eq!(state(offline), (State::FromCopy(None), 2));
        let (failed, _) = run(folder.path(), Freshness::Always, 9 * DAY, vec![Err(Cause::Status(500))]);
        let (failed, fetched) = state(failed);
        assert!(matches!(failed, State::FromCopy(Some(FailedSource::Fetch(_)))));
        assert_eq!(fetched, 2);
    }

    #[test]
    fn what_is_no_list_replaces_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (none, _) = run(folder.path(), Freshness::Always, 1, vec![new("{\"half\":", "x")]);
        assert!(none.unwrap_err().to_string().contains("nodes.json is not JSON"));
        run(folder.path(), Freshness::Always, 2, vec![new(LIST, "one")]).0.unwrap();
        let (kept, _) = run(folder.path(), Freshness::Always, 3, vec![new("{}", "x")]);
        assert!(matches!(state(kept).0, State::FromCopy(Some(FailedSource::List { error: ListError::Unknown, .. }))));
        assert!(!Catalog::open(folder.path()).catalog.owners("Ann's", None).is_empty());
        // A damaged copy is as good as none: it is fetched whole again.
        let copies = folder.path().join(COPIES);
        let copy = std::fs::read_dir(copies).unwrap().next().unwrap().unwrap().path();
        std::fs::write(copy, "damage").unwrap();
        let (again, asked) = run(folder.path(), Freshness::default(), 4, vec![new(LIST, "one")]);
        assert_eq!((state(again).0, asked), (State::Fetched, vec![Validators::default()]));
    }
}

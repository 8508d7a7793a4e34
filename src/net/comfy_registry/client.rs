//! What can be asked of the registry.
//!
//! An answer that is young enough is taken from the shelf. One that cannot be had, or that makes no sense, is answered from an older copy
//! where there is one, and the reason is told beside it.

use std::time::Duration;

use reqwest::Url;
use serde::de::DeserializeOwned;

use crate::net::address::shown;
use crate::net::pace::{Pace, Rate};
use crate::net::retry::{RealTime, Wait};
use crate::net::{Answer, Cause, Expected, Fetch, FetchError, Request};
use crate::observer::Observer;

use super::answers::{Node, NodeVersion, Page, Standing};
use super::shelf::{Kept, Shelf};

/// Where the registry is asked unless the settings say otherwise.
pub const DEFAULT_BASE: &str = "https://api.comfy.org";

/// The longest answer that makes sense. The versions of the largest package had 1 MB in 2026.
const LARGEST_ANSWER: u64 = 64 << 20;

/// How the registry is asked.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Its address without a final slash.
    pub base: String,
    /// Sent to that host only.
    pub token: Option<String>,
    /// An answer that is younger is not asked for again.
    pub max_age: Duration,
    pub rate: Rate,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            base: DEFAULT_BASE.to_owned(),
            token: None,
            max_age: Duration::from_secs(60 * 60),
            rate: Rate { burst: 20, every: Duration::from_millis(200) },
        }
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error("{}: the registry's answer makes no sense: {reason}", shown(url))]
    Nonsense { url: String, reason: String },
    #[error("`{0}` is no address of a registry")]
    BadBase(String),
    #[error("the registry has no package `{0}`")]
    NoNode(String),
    #[error("the registry has no version {version} of `{id}`")]
    NoVersion {
        id: String,
        version: String,
        /// Those that it has, the newest first.
        known: Vec<String>,
    },
    #[error("the registry has taken {what} back: it is {}{}", standing.word(), because(reason))]
    Withdrawn { what: String, standing: Standing, reason: String },
    #[error("the registry says of no file that it is version {version} of `{id}`")]
    NoDownload { id: String, version: String },
}

fn because(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(" ({reason})") }
}

/// An answer, and how old it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard<T> {
    pub value: T,
    /// Milliseconds since 1970.
    pub fetched: i64,
    /// Why an old copy was taken; nothing where the answer is new or young.
    pub instead: Option<RegistryError>,
}

/// The registry, asked through a [`Fetch`].
pub struct Registry<'a> {
    settings: Settings,
    fetch: &'a dyn Fetch,
    shelf: Shelf,
    pace: Pace,
    /// Milliseconds since 1970.
    now: i64,
    observer: &'a dyn Observer,
}

impl<'a> Registry<'a> {
    pub fn new(settings: Settings, fetch: &'a dyn Fetch, shelf: Shelf, now: i64, observer: &'a dyn Observer) -> Self {
        let pace = Pace::new(settings.rate, Box::new(RealTime));
        Registry { settings, fetch, shelf, pace, now, observer }
    }

    /// With another clock, for tests.
    pub fn waiting_by(self, wait: Box<dyn Wait>) -> Self {
        Registry { pace: Pace::new(self.settings.rate, wait), ..self }
    }

    /// A package by its id, whatever the case and the dashes.
    pub fn node(&self, id: &str) -> Result<Heard<Node>, RegistryError> {
        for spelling in spellings(id) {
            match self.ask::<Node>(&["nodes", &spelling], &[]) {
                Err(RegistryError::Fetch(FetchError { cause: Cause::NotFound(_), .. })) => {}
                Ok(heard) if !same_id(&heard.value.id, id) => {
                    let reason = format!("it was asked for `{id}` and tells of `{}`", heard.value.id);
                    return Err(RegistryError::Nonsense { url: self.url(&["nodes", &spelling], &[])?, reason });
                }
                other => return other,
            }
        }
        Err(RegistryError::NoNode(id.to_owned()))
    }

    /// The versions of a package, the newest first. `id` as [`Registry::node`] spells it.
    pub fn versions(&self, id: &str) -> Result<Heard<Vec<NodeVersion>>, RegistryError> {
        let asked = self.ask::<Vec<NodeVersion>>(&["nodes", id, "versions"], &[]);
        let mut heard = asked.map_err(|error| absent(error, || RegistryError::NoNode(id.to_owned())))?;
        heard.value.sort_by(|a, b| compare_versions(&b.version, &a.version));
        Ok(heard)
    }

    /// The version that is wanted of a package: the newest that may be had, or this very one.
    ///
    /// # Errors
    /// There is none, or the registry has taken it back.
    pub fn pick(&self, node: &Node, wanted: Option<&str>) -> Result<Heard<NodeVersion>, RegistryError> {
        let withdrawn = |what: String, standing: &Standing, reason: &str| RegistryError::Withdrawn {
            what,
            standing: standing.clone(),
            reason: reason.to_owned(),
        };
        if node.status.is_withdrawn() {
            return Err(withdrawn(format!("`{}`", node.id), &node.status, &node.status_detail));
        }
        let Heard { value: versions, fetched, instead } = self.versions(&node.id)?;
        let known = || versions.iter().filter(|v| !v.status.is_withdrawn()).map(|v| v.version.clone()).collect();
        let found = match wanted {
            Some(wanted) => versions.iter().find(|found| same_version(&found.version, wanted)),
            None => {
                // A release is preferred to what comes before one, and what was looked at to what was flagged.
                let of = |fits: &dyn Fn(&NodeVersion) -> bool| versions.iter().find(|found| fits(found));
                of(&|v| v.status == Standing::Active && !v.deprecated && !is_pre_release(&v.version))
                    .or_else(|| of(&|v| v.status == Standing::Active))
                    .or_else(|| of(&|v| !v.status.is_withdrawn()))
            }
        };
        let Some(found) = found else {
            return Err(RegistryError::NoVersion {
                id: node.id.clone(),
                version: wanted.unwrap_or("that can be installed").to_owned(),
                known: known(),
            });
        };
        if found.status.is_withdrawn() {
            let what = format!("version {} of `{}`", found.version, node.id);
            return Err(withdrawn(what, &found.status, &found.status_reason));
        }
        Ok(Heard { value: found.clone(), fetched, instead })
    }

    /// The address of a version's archive. The registry counts this as a download.
    pub fn download_url(&self, id: &str, version: &NodeVersion) -> Result<String, RegistryError> {
        let url = self.url(&["nodes", id, "install"], &[("version", &version.version)])?;
        let told = match self.fresh::<NodeVersion>(&url) {
            Ok((told, _)) if same_version(&told.version, &version.version) => told.download_url,
            Ok((told, _)) => {
                let reason = format!("it was asked for version {} and tells of {}", version.version, told.version);
                return Err(RegistryError::Nonsense { url, reason });
            }
            Err(RegistryError::Fetch(FetchError { cause: Cause::NotFound(_), .. })) => String::new(),
            Err(error) => return Err(error),
        };
        let address = [told, version.download_url.clone()].into_iter().find(|address| !address.is_empty());
        let none = || RegistryError::NoDownload { id: id.to_owned(), version: version.version.clone() };
        let address = address.ok_or_else(none)?;
        let (ours, theirs) = (self.settings.base.starts_with("https:"), Url::parse(&address));
        match theirs.as_ref().map(Url::scheme) {
            Ok("https") => Ok(address),
            Ok("http") if !ours => Ok(address),
            _ => {
                let reason = format!("the archive is said to lie at `{}`", shown(&address));
                Err(RegistryError::Nonsense { url, reason })
            }
        }
    }

    /// Packages that fit a text, the likeliest first.
    pub fn search(&self, text: &str, number: usize) -> Result<Heard<Page>, RegistryError> {
        self.ask(&["nodes", "search"], &[("search", text), ("page", "1"), ("limit", &number.to_string())])
    }

    /// The package that owns a node class; nothing where the registry knows none.
    pub fn owner_of(&self, class: &str) -> Result<Option<Heard<Node>>, RegistryError> {
        match self.ask(&["comfy-nodes", class, "node"], &[]) {
            Ok(heard) => Ok(Some(heard)),
            Err(RegistryError::Fetch(FetchError { cause: Cause::NotFound(_), .. })) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn url(&self, path: &[&str], query: &[(&str, &str)]) -> Result<String, RegistryError> {
        let bad = || RegistryError::BadBase(shown(&self.settings.base));
        let mut url = Url::parse(&self.settings.base).map_err(|_| bad())?;
        url.path_segments_mut().map_err(|()| bad())?.pop_if_empty().extend(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Ok(url.into())
    }

    fn ask<T: DeserializeOwned>(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Heard<T>, RegistryError> {
        let url = self.url(path, query)?;
        let kept = self.shelf.get(&url);
        let copy = kept.as_ref().and_then(|kept| Some((parse::<T>(&url, &kept.bytes).ok()?, kept.fetched)));
        let age = i64::try_from(self.settings.max_age.as_millis()).unwrap_or(i64::MAX);
        if let Some((_, fetched)) = copy
            && (0..age).contains(&self.now.saturating_sub(fetched))
        {
            return copied(copy, None).ok_or(RegistryError::NoNode(url));
        }
        let failed = match self.fresh_if_new(&url, kept.as_ref().filter(|_| copy.is_some())) {
            Ok(Some((value, new))) => {
                // Without its copy the answer is as good; only the next one is asked for again.
                drop(self.shelf.put(&url, &new));
                return Ok(Heard { value, fetched: self.now, instead: None });
            }
            Ok(None) => {
                let kept = kept.map(|kept| Kept { fetched: self.now, ..kept });
                kept.iter().for_each(|kept| drop(self.shelf.put(&url, kept)));
                let copy = copy.map(|(value, _)| (value, self.now));
                let none = FetchError { url, cause: Cause::Status(304) };
                return copied(copy, None).ok_or(none.into());
            }
            Err(failed) => failed,
        };
        match &failed {
            RegistryError::Fetch(FetchError { cause: Cause::NotFound(_), .. }) => self.shelf.forget(&url),
            RegistryError::Fetch(FetchError { cause: Cause::Interrupted, .. }) => {}
            _ => return copied(copy, Some(failed.clone())).ok_or(failed),
        }
        Err(failed)
    }

    /// Asks whatever lies on the shelf.
    fn fresh<T: DeserializeOwned>(&self, url: &str) -> Result<(T, Kept), RegistryError> {
        let none = || FetchError { url: url.to_owned(), cause: Cause::Status(304) };
        self.fresh_if_new(url, None)?.ok_or_else(|| none().into())
    }

    /// Asks; nothing if what is kept is the newest.
    fn fresh_if_new<T: DeserializeOwned>(
        &self,
        url: &str,
        kept: Option<&Kept>,
    ) -> Result<Option<(T, Kept)>, RegistryError> {
        if !self.pace.turn(self.observer) {
            return Err(FetchError { url: url.to_owned(), cause: Cause::Interrupted }.into());
        }
        let mut request = Request::new(url, Expected::Json, LARGEST_ANSWER);
        request.token = self.settings.token.clone();
        request.known = kept.map(|kept| kept.validators.clone()).unwrap_or_default();
        match self.fetch.fetch(&request, self.observer)? {
            Answer::Unchanged => Ok(None),
            Answer::New { bytes, validators } => {
                let value = parse(url, &bytes)?;
                Ok(Some((value, Kept { fetched: self.now, validators, bytes })))
            }
        }
    }
}

fn copied<T>(copy: Option<(T, i64)>, instead: Option<RegistryError>) -> Option<Heard<T>> {
    copy.map(|(value, fetched)| Heard { value, fetched, instead })
}

fn parse<T: DeserializeOwned>(url: &str, bytes: &[u8]) -> Result<T, RegistryError> {
    let wrong = |error: serde_json::Error| {
        // Only the place: what stands there is a stranger's text.
        let what = if error.is_data() { "not what was asked for" } else { "not JSON" };
        let reason = format!("{what} (line {}, column {})", error.line(), error.column());
        RegistryError::Nonsense { url: url.to_owned(), reason }
    };
    serde_json::from_slice(bytes).map_err(wrong)
}

fn absent(error: RegistryError, then: impl FnOnce() -> RegistryError) -> RegistryError {
    match error {
        RegistryError::Fetch(FetchError { cause: Cause::NotFound(_), .. }) => then(),
        other => other,
    }
}

/// How the registry may spell an id, each once.
fn spellings(id: &str) -> Vec<String> {
    let lower = id.to_ascii_lowercase();
    let mut all = vec![lower.clone()];
    for other in [lower.replace('_', "-"), lower.replace('-', "_"), id.to_owned()] {
        if !all.contains(&other) {
            all.push(other);
        }
    }
    all
}

/// True for two spellings of one id.
pub fn same_id(a: &str, b: &str) -> bool {
    let fold = |byte: u8| if byte == b'_' { b'-' } else { byte.to_ascii_lowercase() };
    a.len() == b.len() && a.bytes().zip(b.bytes()).all(|(a, b)| fold(a) == fold(b))
}

/// True for two spellings of one version: `v1.2` and `1.2.0`.
pub fn same_version(a: &str, b: &str) -> bool {
    a == b || compare_versions(a, b).is_eq()
}

/// The order of versions as semver.org has it; numbers that are absent are 0.
pub fn compare_versions(a: &str, b: &str) -> std::cmp::Ordering {
    let (a, b) = (Numbers::of(a), Numbers::of(b));
    let length = a.release.len().max(b.release.len());
    let at = |numbers: &[u64], at: usize| numbers.get(at).copied().unwrap_or(0);
    let release = (0..length).map(|i| at(&a.release, i).cmp(&at(&b.release, i))).find(|order| order.is_ne());
    release.unwrap_or(std::cmp::Ordering::Equal).then_with(|| match (a.rest.is_empty(), b.rest.is_empty()) {
        // What comes before a release is older than it.
        (true, false) => std::cmp::Ordering::Greater,
        (false, true) => std::cmp::Ordering::Less,
        _ => natural(&a.rest, &b.rest),
    })
}

/// True for `1.0.0-rc1` and its like.
fn is_pre_release(version: &str) -> bool {
    !Numbers::of(version).rest.is_empty()
}

struct Numbers {
    release: Vec<u64>,
    /// What stands behind the numbers, without what only names a build.
    rest: String,
}

impl Numbers {
    fn of(version: &str) -> Self {
        let text = version.trim().trim_start_matches(['v', 'V']);
        let text = text.split('+').next().unwrap_or_default();
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let release = text[..end].split('.').filter_map(|number| number.parse().ok()).collect();
        Numbers { release, rest: text[end..].trim_start_matches(['-', '.']).to_ascii_lowercase() }
    }
}

/// Parts between dots: numbers by their value, before words.
fn natural(a: &str, b: &str) -> std::cmp::Ordering {
    let parts = |text: &str| -> Vec<(bool, u64, String)> {
        let part = |part: &str| match part.parse() {
            Ok(number) => (false, number, String::new()),
            Err(_) => {
                let word = part.trim_end_matches(|c: char| c.is_ascii_digit());
                (true, part[word.len()..].parse().unwrap_or(0), word.to_owned())
            }
        };
        text.split('.').map(part).collect()
    };
    let key = |(word, number, text): &(bool, u64, String)| (*word, text.clone(), *number);
    let (a, b): (Vec<_>, Vec<_>) = (parts(a).iter().map(key).collect(), parts(b).iter().map(key).collect());
    a.cmp(&b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_by_their_numbers() {
        let mut versions = ["1.10.0", "1.9", "2.0.0-rc.10", "2.0.0-rc.9", "2.0.0", "v1.9.1", "2.0.0-beta2", "0.1"];
        versions.sort_by(|a, b| compare_versions(b, a));
        assert_eq!(versions, ["2.0.0", "2.0.0-rc.10", "2.0.0-rc.9", "2.0.0-beta2", "1.10.0", "v1.9.1", "1.9", "0.1"]);
        assert!(same_version("v1.2", "1.2.0") && !same_version("1.2", "1.2.1") && same_version("nightly", "nightly"));
    }

    #[test]
    fn an_id_is_asked_for_in_all_its_spellings() {
        assert_eq!(
            spellings("ComfyUI_IPAdapter-x"),
            ["comfyui_ipadapter-x", "comfyui-ipadapter-x", "comfyui_ipadapter_x", "ComfyUI_IPAdapter-x"]
        );
        assert_eq!(spellings("plain"), ["plain"]);
        assert!(same_id("A_b-c", "a-B_c") && !same_id("ab", "a-b"));
    }
}

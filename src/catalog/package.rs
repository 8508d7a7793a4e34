//! Packages of custom nodes: how they are named, what is known of them, and why one is thought to own a node class.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

/// The name of a package: its id in the registry (`comfyui-kjnodes`), or its repository (`kijai/ComfyUI-KJNodes` on GitHub, with
/// the host in front elsewhere).
///
/// Equal without regard to case; in registry ids `-` and `_` are equal too, since workflows write either. It is shown as
/// it was written, as a registry or host may insist on its own spelling.
#[derive(Debug, Clone)]
pub struct PackageId(String);

/// A text that cannot name a package.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` names no package: a registry id such as `comfyui-kjnodes`, or `owner/repository`")]
pub struct NotAPackage(pub String);

impl PackageId {
    /// The package of the repository at `url`. Nothing if the address holds no path.
    pub fn of_repository(url: &str) -> Option<Self> {
        repository_name(url).map(PackageId)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// True for `owner/repository`, false for an id of the registry.
    pub fn is_repository(&self) -> bool {
        self.0.contains('/')
    }

    /// The text by which packages are compared.
    pub fn key(&self) -> String {
        self.folded().map(char::from).collect()
    }

    fn folded(&self) -> impl Iterator<Item = u8> + '_ {
        let dash = !self.is_repository();
        // Names of packages are ASCII; other bytes stay as they are, which only makes fewer of them equal.
        self.0.bytes().map(move |byte| if dash && byte == b'_' { b'-' } else { byte.to_ascii_lowercase() })
    }
}

impl FromStr for PackageId {
    type Err = NotAPackage;

    /// Takes a registry id, `owner/repository`, or the address of a repository.
    fn from_str(text: &str) -> Result<Self, NotAPackage> {
        let text = text.trim();
        let refused = || NotAPackage(text.to_owned());
        if text.contains('/') {
            return repository_name(text).map(PackageId).ok_or_else(refused);
        }
        let sound = !text.is_empty() && text.is_ascii() && !text.bytes().any(|b| b.is_ascii_whitespace() || b < 0x20);
        sound.then(|| PackageId(text.to_owned())).ok_or_else(refused)
    }
}

impl fmt::Display for PackageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl PartialEq for PackageId {
    fn eq(&self, other: &Self) -> bool {
        self.folded().eq(other.folded())
    }
}

impl Eq for PackageId {}

impl Hash for PackageId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.folded().for_each(|byte| state.write_u8(byte));
        state.write_u8(0);
    }
}

impl PartialOrd for PackageId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for PackageId {
    fn cmp(&self, other: &Self) -> Ordering {
        self.folded().cmp(other.folded())
    }
}

/// `owner/repository` of an address, with the host in front if it is not GitHub. Of a raw file on GitHub, the
/// repository that holds it. Spellings of one repository (`http`, `git@`, `.git`, a `/` at the end, `/tree/main`) give one name.
pub fn repository_name(address: &str) -> Option<String> {
    let address = address.trim();
    let address = address.split(['?', '#']).next().unwrap_or_default();
    let (host, path) = match address.split_once("://") {
        Some((_, rest)) => {
            let (host, path) = rest.split_once('/')?;
            (host.rsplit('@').next().unwrap_or(host).to_ascii_lowercase(), path)
        }
        None => match address.split_once('@') {
            Some((_, rest)) => {
                let (host, path) = rest.split_once(':')?;
                (host.to_ascii_lowercase(), path)
            }
            // A bare `github.com/owner/name`, else `owner/name`.
            None => match address.split_once('/') {
                Some((host, path)) if host.contains('.') && path.contains('/') => (host.to_ascii_lowercase(), path),
                _ => ("github.com".to_owned(), address),
            },
        },
    };
    let host = host.strip_prefix("www.").unwrap_or(&host);
    let mut parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let on_github = host == "github.com" || host == "raw.githubusercontent.com";
    if on_github {
        parts.truncate(2);
    }
    if parts.len() < 2 || parts.iter().any(|part| part.chars().any(|c| c.is_whitespace() || c.is_control())) {
        return None;
    }
    if let Some(last) = parts.last_mut() {
        *last = last.strip_suffix(".git").unwrap_or(last);
        if last.is_empty() {
            return None;
        }
    }
    let path = parts.join("/");
    Some(if on_github { path } else { format!("{host}/{path}") })
}

/// Which layer of the catalog says something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// The program itself.
    BuiltIn,
    /// ComfyUI-Manager's lists.
    Manager,
    /// comfygit's registry data.
    ComfyGit,
    /// What a running environment answered.
    Learned,
}

impl Layer {
    /// The word for it in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Layer::BuiltIn => "built-in",
            Layer::Manager => "manager",
            Layer::ComfyGit => "comfygit",
            Layer::Learned => "learned",
        }
    }
}

/// What is known of a package. What no source tells is absent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// The registry's id where a registry says it, else the repository.
    pub id: PackageId,
    pub title: Option<String>,
    pub author: Option<String>,
    pub description: Option<String>,
    /// The address of the repository.
    pub repository: Option<String>,
    /// What is fetched, where that is not the repository: single files or archives.
    pub files: Vec<String>,
    /// How it is installed, in the words of ComfyUI-Manager: `git-clone`, `copy`, `unzip`.
    pub install: Option<String>,
    /// Names that other lists use for it.
    pub aliases: Vec<String>,
    /// Words under which it is to be found.
    pub tags: Vec<String>,
    /// Stars on GitHub.
    pub stars: Option<u64>,
    /// When the repository last changed, as the list writes it.
    pub updated: Option<String>,
    /// Released versions, newest first.
    pub versions: Vec<PackageVersion>,
    /// How many node classes are known to be its own.
    pub classes: usize,
    /// Who tells of it.
    pub layer: Layer,
}

impl Package {
    /// A package of which no more is known than its name.
    pub fn named(id: PackageId, layer: Layer) -> Self {
        let repository = id.is_repository().then(|| match id.as_str().split_once('/') {
            Some((host, path)) if host.contains('.') && path.contains('/') => format!("https://{id}"),
            _ => format!("https://github.com/{id}"),
        });
        Package {
            id,
            title: None,
            author: None,
            description: None,
            repository,
            files: Vec::new(),
            install: None,
            aliases: Vec::new(),
            tags: Vec::new(),
            stars: None,
            updated: None,
            versions: Vec::new(),
            classes: 0,
            layer,
        }
    }
}

/// A released version of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageVersion {
    pub version: String,
    pub download: Option<String>,
    pub deprecated: bool,
}

/// A package that is thought to own a node class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    pub package: PackageId,
    pub layer: Layer,
    pub stars: Option<u64>,
    /// Its place among the owners of this class in a registry's own order, from 1.
    pub rank: Option<u32>,
    /// The released versions that have the class (with these inputs), newest first; empty where the list does not say.
    pub versions: Vec<String>,
}

/// The packages that are thought to own a node class, by what speaks for it. Each list is sorted, the likeliest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Owners {
    /// Packages that own the class outright: others that have it are copies.
    pub preempted: Vec<Owner>,
    /// Those that have the class with exactly these inputs.
    pub by_signature: Vec<Owner>,
    /// All that have a class of this name.
    pub by_class: Vec<Owner>,
    /// Those whose naming pattern it fits.
    pub by_pattern: Vec<Owner>,
}

impl Owners {
    /// True when nothing is known.
    pub fn is_empty(&self) -> bool {
        self.preempted.is_empty()
            && self.by_signature.is_empty()
            && self.by_class.is_empty()
            && self.by_pattern.is_empty()
    }

    /// The order within each list: by rank, then by stars, then by name.
    pub(super) fn sort(&mut self) {
        for owners in [&mut self.preempted, &mut self.by_signature, &mut self.by_class, &mut self.by_pattern] {
            owners.sort_by(|a, b| {
                let rank = |owner: &Owner| owner.rank.unwrap_or(u32::MAX);
                rank(a).cmp(&rank(b)).then(b.stars.cmp(&a.stars)).then_with(|| a.package.cmp(&b.package))
            });
        }
    }
}

/// A place where a model file of some name can be had, as a list tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownModel {
    /// The file's name.
    pub name: String,
    /// Below `models/`, with `/`; nothing where the list leaves it to the kind.
    pub directory: Option<String>,
    pub url: String,
    /// Lower-case hex.
    pub sha256: Option<String>,
    /// In bytes, as exact as the list's text: `4.71MB`.
    pub size: Option<u64>,
    /// The list's word for the kind, such as `checkpoint`.
    pub kind: Option<String>,
    /// The base model it belongs to, as the list writes it.
    pub base: Option<String>,
    pub layer: Layer,
}

/// A package that was found by a search.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    pub package: Package,
    /// Between 0 and 1; 1 for a name that is the text.
    pub score: f64,
    /// What the text was found in.
    pub matched: Matched,
}

/// What a search found the text in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Matched {
    Name,
    Title,
    /// A node class of the package.
    Class(String),
    Author,
    Description,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> PackageId {
        text.parse().unwrap()
    }

    #[test]
    fn ids_of_the_registry_are_equal_whatever_the_case_and_the_dash() {
        assert_eq!(id("ComfyUI_IPAdapter_plus"), id("comfyui-ipadapter-plus"));
        assert_eq!(id("ComfyUI_IPAdapter_plus").to_string(), "ComfyUI_IPAdapter_plus");
        assert_eq!(id("cubiq/ComfyUI_IPAdapter_plus"), id("cubiq/comfyui_ipadapter_plus"));
        assert_ne!(id("cubiq/ComfyUI_IPAdapter_plus"), id("cubiq/ComfyUI-IPAdapter-plus"));
        assert_ne!(id("a"), id("a/b"));
        for refused in ["", "  ", "a b", "/", "a/", "https://github.com/", "ü"] {
            assert!(refused.parse::<PackageId>().is_err(), "{refused}");
        }
    }

    #[test]
    fn every_spelling_of_an_address_names_one_repository() {
        for address in [
            "https://github.com/kijai/ComfyUI-KJNodes",
            "https://github.com/kijai/ComfyUI-KJNodes/",
            "http://www.github.com/kijai/ComfyUI-KJNodes.git",
            "https://user:secret@github.com/kijai/ComfyUI-KJNodes/tree/main?tab=readme",
            "git@github.com:kijai/ComfyUI-KJNodes.git",
            "ssh://git@github.com/kijai/ComfyUI-KJNodes",
            "github.com/kijai/ComfyUI-KJNodes",
            "https://raw.githubusercontent.com/kijai/ComfyUI-KJNodes/main/nodes.py",
            "kijai/ComfyUI-KJNodes",
        ] {
            assert_eq!(repository_name(address).as_deref(), Some("kijai/ComfyUI-KJNodes"), "{address}");
        }
        let elsewhere = repository_name("https://git.example.org/ann/nodes.git").unwrap();
        assert_eq!(elsewhere, "git.example.org/ann/nodes");
        let package = Package::named(id(&elsewhere), Layer::Manager);
        assert_eq!(package.repository.as_deref(), Some("https://git.example.org/ann/nodes"));
        let package = Package::named(id("kijai/ComfyUI-KJNodes"), Layer::BuiltIn);
        assert_eq!(package.repository.as_deref(), Some("https://github.com/kijai/ComfyUI-KJNodes"));
    }

    #[test]
    fn owners_are_sorted_by_rank_then_stars() {
        let owner = |name: &str, stars, rank| Owner {
            package: id(name),
            layer: Layer::Manager,
            stars,
            rank,
            versions: Vec::new(),
        };
        let by_class = vec![owner("c", None, None), owner("b", Some(2), None), owner("a", Some(1), Some(1))];
        let mut owners = Owners { by_class, ..Owners::default() };
        owners.sort();
        let order: Vec<&str> = owners.by_class.iter().map(|owner| owner.package.as_str()).collect();
        assert_eq!(order, ["a", "b", "c"]);
    }
}

//! The names in a git repository, as values.

use std::collections::BTreeMap;

/// What is wanted of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    /// What its HEAD names: the newest of its main branch.
    Head,
    /// A branch, a tag, or a commit's id, perhaps cut short.
    Named(String),
}

impl Reference {
    /// The reference of that name, or HEAD.
    pub fn or_head(name: Option<&str>) -> Self {
        name.map_or(Reference::Head, |name| Reference::Named(name.to_owned()))
    }
}

/// The branches and tags of a repository by their short names, with the commits that they lead to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RemoteRefs {
    /// The branch that HEAD names.
    pub head_branch: Option<String>,
    /// The commit that HEAD leads to.
    pub head: Option<String>,
    pub branches: BTreeMap<String, String>,
    pub tags: BTreeMap<String, String>,
}

impl RemoteRefs {
    /// Reads what `git ls-remote --heads --tags` and `git ls-remote --symref … HEAD` wrote. Of an annotated tag the line that ends with
    /// `^{}` has the commit.
    pub(super) fn parse(listed: &str, head: &str) -> Self {
        let mut refs = RemoteRefs::default();
        for line in listed.lines() {
            let Some((id, name)) = line.split_once('\t') else { continue };
            if let Some(branch) = name.strip_prefix("refs/heads/") {
                refs.branches.insert(branch.to_owned(), id.to_owned());
            } else if let Some(tag) = name.strip_prefix("refs/tags/") {
                match tag.strip_suffix("^{}") {
                    Some(tag) => refs.tags.insert(tag.to_owned(), id.to_owned()),
                    None => Some(refs.tags.entry(tag.to_owned()).or_insert_with(|| id.to_owned()).clone()),
                };
            }
        }
        for line in head.lines() {
            match line.split_once('\t') {
                Some((target, "HEAD")) => match target.strip_prefix("ref: ") {
                    Some(target) => refs.head_branch = target.strip_prefix("refs/heads/").map(str::to_owned),
                    None => refs.head = Some(target.to_owned()),
                },
                _ => continue,
            }
        }
        refs
    }

    /// The tag of the highest release: `v1.2.3` or `1.2.3`, no pre-release among them.
    pub fn newest_release(&self) -> Option<(&str, &str)> {
        let release = |tag: &str| -> Option<Vec<u64>> {
            let numbers = tag.strip_prefix(['v', 'V']).unwrap_or(tag);
            let numbers: Option<Vec<u64>> = numbers.split('.').map(|part| part.parse().ok()).collect();
            numbers.filter(|numbers| numbers.len() >= 2)
        };
        let releases = self.tags.iter().filter_map(|(tag, commit)| Some((release(tag)?, tag, commit)));
        releases.max_by(|a, b| a.0.cmp(&b.0)).map(|(_, tag, commit)| (tag.as_str(), commit.as_str()))
    }

    /// Up to five names that look like `name`, the closest first.
    pub fn near(&self, name: &str) -> Vec<String> {
        let wanted = name.to_lowercase();
        let plain = wanted.trim_start_matches('v');
        let mut near: Vec<(f64, &String)> = self
            .tags
            .keys()
            .chain(self.branches.keys())
            .map(|known| {
                let lower = known.to_lowercase();
                let begins = !plain.is_empty() && lower.trim_start_matches('v').starts_with(plain);
                (strsim::jaro_winkler(&wanted, &lower) + f64::from(u8::from(begins)), known)
            })
            .filter(|(score, _)| *score >= 0.8)
            .collect();
        // Of names that begin alike the newest, which sorts last.
        near.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| b.1.cmp(a.1)));
        near.dedup_by(|a, b| a.1 == b.1);
        near.into_iter().take(5).map(|(_, name)| name.clone()).collect()
    }
}

/// True for what can be a commit's id, whole or cut short to at least seven digits.
pub fn is_commit(text: &str) -> bool {
    (7..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// `https://user:token@host/…` becomes `https://host/…`; `git@host:…` names no secret and stays.
pub fn without_credentials(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    match authority.rsplit_once('@') {
        Some((_, host)) if scheme.starts_with("http") => format!("{scheme}://{host}/{path}"),
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_annotated_tag_leads_to_its_commit() {
        let listed = "aaaa\trefs/heads/main\nbbbb\trefs/tags/v1.0\ncccc\trefs/tags/v1.0^{}\ndddd\trefs/tags/light\n";
        let refs = RemoteRefs::parse(listed, "ref: refs/heads/main\tHEAD\naaaa\tHEAD\n");
        assert_eq!(refs.tags["v1.0"], "cccc");
        assert_eq!((refs.tags["light"].as_str(), refs.branches["main"].as_str()), ("dddd", "aaaa"));
        assert_eq!((refs.head_branch.as_deref(), refs.head.as_deref()), (Some("main"), Some("aaaa")));
    }

    fn with_tags(tags: &[&str]) -> RemoteRefs {
        let tags = tags.iter().map(|tag| ((*tag).to_owned(), format!("commit of {tag}"))).collect();
        RemoteRefs { tags, ..RemoteRefs::default() }
    }

    #[test]
    fn the_newest_release_is_that_of_the_highest_number() {
        let refs = with_tags(&["v0.3.9", "v0.3.64", "v0.4.0-rc1", "latest", "v0.3"]);
        assert_eq!(refs.newest_release(), Some(("v0.3.64", "commit of v0.3.64")));
        assert_eq!(with_tags(&["latest", "2024"]).newest_release(), None);
    }

    #[test]
    fn names_that_begin_alike_come_first() {
        let refs = with_tags(&["v0.3.63", "v0.3.64", "v0.2.0", "unrelated"]);
        assert_eq!(refs.near("0.3.6")[..2], ["v0.3.64", "v0.3.63"]);
        assert_eq!(refs.near("v0.3.640")[0], "v0.3.64");
        assert!(refs.near("zzz").is_empty());
    }
}

//! Where models can be had again: URLs that the user named, by the model's id.
//!
//! Rows of the table `sources`: key id, `U`, the URL; value: when it was named (milliseconds since 1970, 8 bytes, little endian). A commit takes
//! them into the manifest, and with that into snapshots; until then they are only here.

use std::collections::BTreeMap;

use crate::object::ObjectId;
use crate::store::known_files::now;
use crate::store::{RecordTable, Result, Store};

/// The sources that a store remembers.
pub struct Sources<'s> {
    store: &'s Store,
}

/// A text that is no URL from which a file can be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no URL: one beginning with https:// or http:// and a host is wanted")]
pub struct NoUrl(pub String);

/// `text` as a URL, spaces around it left out.
pub fn url(text: &str) -> std::result::Result<String, NoUrl> {
    let text = text.trim();
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let host = rest.and_then(|rest| rest.split(['/', '?', '#']).next()).unwrap_or_default();
    let is_plain = !host.is_empty() && !text.chars().any(|char| char.is_whitespace() || char.is_control());
    if is_plain { Ok(text.to_owned()) } else { Err(NoUrl(text.to_owned())) }
}

impl<'s> Sources<'s> {
    pub fn new(store: &'s Store) -> Self {
        Sources { store }
    }

    /// The sources of one model, in the order of their URLs.
    pub fn of(&self, id: &ObjectId) -> Result<Vec<String>> {
        let rows = self.store.records(RecordTable::Sources).range(&prefix(id))?;
        Ok(rows.iter().filter_map(|(key, _)| parse(key)).map(|(_, url)| url).collect())
    }

    /// Those of all models.
    pub fn all(&self) -> Result<BTreeMap<ObjectId, Vec<String>>> {
        let mut all: BTreeMap<ObjectId, Vec<String>> = BTreeMap::new();
        for (key, _) in self.store.records(RecordTable::Sources).range(&[])? {
            if let Some((id, url)) = parse(&key) {
                all.entry(id).or_default().push(url);
            }
        }
        Ok(all)
    }

    /// Remembers a source. False: it was known already.
    pub fn add(&self, id: &ObjectId, url: &str) -> Result<bool> {
        let records = self.store.records(RecordTable::Sources);
        let key = [&prefix(id), url.as_bytes()].concat();
        if records.get(&key)?.is_some() {
            return Ok(false);
        }
        let milliseconds = now() / 1_000_000;
        records.apply(vec![(key, Some(milliseconds.to_le_bytes().to_vec()))])?;
        Ok(true)
    }

    /// Forgets a source. False: it was not known.
    pub fn remove(&self, id: &ObjectId, url: &str) -> Result<bool> {
        let records = self.store.records(RecordTable::Sources);
        let key = [&prefix(id), url.as_bytes()].concat();
        if records.get(&key)?.is_none() {
            return Ok(false);
        }
        records.apply(vec![(key, None)])?;
        Ok(true)
    }
}

fn prefix(id: &ObjectId) -> Vec<u8> {
    [&id.0[..], b"U"].concat()
}

fn parse(key: &[u8]) -> Option<(ObjectId, String)> {
    let (id, rest) = key.split_first_chunk::<32>()?;
    let url = std::str::from_utf8(rest.strip_prefix(b"U")?).ok()?;
    Some((ObjectId(*id), url.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_remembered_by_id_and_once() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::create(&folder.path().join(".comfrey")).unwrap();
        let sources = Sources::new(&store);
        let (a, b) = (ObjectId::of_blob(b"a"), ObjectId::of_blob(b"b"));
        assert!(sources.add(&a, "https://x/2").unwrap() && sources.add(&a, "https://x/1").unwrap());
        assert!(!sources.add(&a, "https://x/1").unwrap() && sources.add(&b, "https://y").unwrap());
        assert_eq!(sources.of(&a).unwrap(), ["https://x/1", "https://x/2"]);
        assert_eq!(sources.all().unwrap().len(), 2);
        assert!(sources.remove(&a, "https://x/2").unwrap() && !sources.remove(&a, "https://x/2").unwrap());
        assert_eq!(sources.of(&a).unwrap(), ["https://x/1"]);
    }

    #[test]
    fn only_urls_are_sources() {
        assert_eq!(url(" https://example.org/a?b=c "), Ok("https://example.org/a?b=c".to_owned()));
        for text in ["", "example.org/a", "ftp://example.org/a", "https://", "https:///a", "https://a b/"] {
            assert!(url(text).is_err(), "{text}");
        }
    }
}

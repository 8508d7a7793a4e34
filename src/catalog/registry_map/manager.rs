//! ComfyUI-Manager's lists, as its repository has them.

use serde_json::Value;

use crate::catalog::package::{KnownModel, Layer};

use super::gathered::{By, Gathered, Ownership, text, texts};
use super::name::key_of_repository;
use crate::catalog::package::repository_name;

/// Entries taken and entries left out.
pub(super) type Counts = (usize, usize);

/// Counts what `take` can use.
fn each<'v, T>(entries: impl Iterator<Item = T>, mut take: impl FnMut(T) -> Option<()>) -> Counts
where
    T: 'v,
{
    entries.fold((0, 0), |(taken, skipped), entry| match take(entry) {
        Some(()) => (taken + 1, skipped),
        None => (taken, skipped + 1),
    })
}

fn list<'v>(value: &'v Value, field: &str) -> impl Iterator<Item = &'v Value> {
    value.get(field).and_then(Value::as_array).into_iter().flatten()
}

fn object(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

/// `custom-node-list.json`: packages. Their `id` is a short name of the list's own, seldom the registry's.
pub(super) fn take_packages(gathered: &mut Gathered, value: &Value) -> Counts {
    each(list(value, "custom_nodes"), |entry| {
        let files: Vec<String> = texts(entry, "files").map(str::to_owned).collect();
        let reference = text(entry, "reference");
        // What is cloned is the package; what is referred to can be a page about it.
        let cloned = files.first().filter(|_| text(entry, "install_type").is_none_or(|kind| is_clone(&kind)));
        let address = cloned.or(reference.as_ref())?.clone();
        let at = gathered.of_repository(&address, Layer::Manager)?;
        for other in reference.iter().chain(text(entry, "reference2").iter()) {
            let key = repository_name(other).map(|name| key_of_repository(&name));
            key.into_iter().for_each(|key| {
                gathered.keys.entry(key).or_insert(at);
            });
        }
        let package = &mut gathered.packages[at];
        package.title = text(entry, "title").or(package.title.take());
        package.author = text(entry, "author").or(package.author.take());
        package.description = text(entry, "description").or(package.description.take());
        package.install = text(entry, "install_type").or(package.install.take());
        package.tags.extend(texts(entry, "tags").map(str::to_owned));
        package.aliases.extend(text(entry, "id"));
        if files.iter().any(|file| *file != address) || cloned.is_none() {
            package.files.extend(files);
        }
        add_claims(gathered, entry, at);
        Some(())
    })
}

fn is_clone(install: &str) -> bool {
    // The list has both spellings and both words.
    install.to_ascii_lowercase().starts_with("git")
}

/// Patterns and outright claims stand in two of the lists.
fn add_claims(gathered: &mut Gathered, entry: &Value, package: usize) {
    for class in texts(entry, "preemptions") {
        let by = By::Preemption;
        gathered.own(class, Ownership { package, layer: Layer::Manager, by, rank: None, versions: Vec::new() });
    }
    if let Some(pattern) = entry.get("nodename_pattern").and_then(Value::as_str).filter(|text| !text.is_empty()) {
        let pattern = (pattern.to_owned(), package);
        if !gathered.patterns.contains(&pattern) {
            gathered.patterns.push(pattern);
        }
    }
}

/// `extension-node-map.json`: by address, the classes and a few words on the package.
pub(super) fn take_nodes(gathered: &mut Gathered, value: &Value) -> Counts {
    each(object(value), |(address, entry)| {
        let classes = entry.get(0)?.as_array()?;
        let at = gathered.of_repository(address, Layer::Manager)?;
        for class in classes.iter().filter_map(Value::as_str) {
            let by = By::Name;
            gathered.own(class, Ownership { package: at, layer: Layer::Manager, by, rank: None, versions: Vec::new() });
        }
        let Some(about) = entry.get(1) else { return Some(()) };
        let package = &mut gathered.packages[at];
        package.title = package.title.take().or(text(about, "title_aux")).or(text(about, "title"));
        package.author = package.author.take().or(text(about, "author"));
        package.description = package.description.take().or(text(about, "description"));
        package.aliases.extend(text(about, "nickname"));
        add_claims(gathered, about, at);
        Some(())
    })
}

/// `alter-list.json`: words under which older packages are looked for.
pub(super) fn take_alternatives(gathered: &mut Gathered, value: &Value) -> Counts {
    each(list(value, "items"), |entry| {
        let at = gathered.of_repository(&text(entry, "id")?, Layer::Manager)?;
        let package = &mut gathered.packages[at];
        let tags = text(entry, "tags").unwrap_or_default();
        package.tags.extend(tags.split(',').map(|tag| tag.trim().to_owned()).filter(|tag| !tag.is_empty()));
        package.description = package.description.take().or(text(entry, "description"));
        Some(())
    })
}

/// `github-stats.json`: stars and the last change by address. Of packages that no other list has, nothing is kept.
pub(super) fn take_stars(gathered: &mut Gathered, value: &Value) -> Counts {
    each(object(value), |(address, entry)| {
        let stars = entry.get("stars")?.as_u64()?;
        let key = key_of_repository(&repository_name(address)?);
        if let Some(at) = gathered.keys.get(&key) {
            let package = &mut gathered.packages[*at];
            // A mistyped address can stand beside the right one: the larger number is the repository's.
            package.stars = package.stars.max(Some(stars));
            package.updated = text(entry, "last_update").or(package.updated.take());
        }
        Some(())
    })
}

/// `model-list.json`: models that can be had.
pub(super) fn take_models(gathered: &mut Gathered, value: &Value) -> Counts {
    each(list(value, "models"), |entry| {
        let directory = text(entry, "save_path").filter(|path| path != "default");
        gathered.models.push(KnownModel {
            name: text(entry, "filename")?,
            directory: directory.map(|path| path.replace('\\', "/")),
            url: text(entry, "url")?,
            sha256: None,
            size: text(entry, "size").and_then(|size| bytes_of(&size)),
            kind: text(entry, "type"),
            base: text(entry, "base"),
            layer: Layer::Manager,
        });
        Some(())
    })
}

/// The bytes of a text such as `4.71MB`. The lists count in thousands.
fn bytes_of(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let number: f64 = text[..digits].parse().ok()?;
    let unit = match text[digits..].trim().to_ascii_uppercase().as_str() {
        "B" | "" => 1.0,
        "KB" | "K" => 1e3,
        "MB" | "M" => 1e6,
        "GB" | "G" => 1e9,
        "TB" | "T" => 1e12,
        _ => return None,
    };
    let bytes = number * unit;
    (bytes.is_finite() && bytes >= 0.0).then_some(bytes as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_the_list_writes_them() {
        for (text, bytes) in [("4.71MB", 4_710_000), ("2.1 GB", 2_100_000_000), ("512", 512), ("1.5KB", 1500)] {
            assert_eq!(bytes_of(text), Some(bytes), "{text}");
        }
        assert_eq!((bytes_of("big"), bytes_of("1.2.3MB"), bytes_of("")), (None, None, None));
    }
}

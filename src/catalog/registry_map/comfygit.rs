//! comfygit's registry data, `node_mappings.json`: node classes with the signatures of their inputs, gathered from the Comfy registry.

use std::collections::HashMap;

use serde_json::Value;

use crate::catalog::package::{Layer, Package, PackageId, PackageVersion};
use crate::catalog::signature::Signature;

use super::gathered::{By, Gathered, Ownership, text, texts};
use super::manager::Counts;
use super::name::key_of_id;

/// Packages first, then the classes that name them. Entries are classes; packages that cannot be used count as left out.
pub(super) fn take(gathered: &mut Gathered, value: &Value) -> Counts {
    let mut counts = (0, 0);
    let mut packages: HashMap<&str, usize> = HashMap::new();
    for (id, entry) in value.get("packages").and_then(Value::as_object).into_iter().flatten() {
        match package(gathered, id, entry) {
            Some(at) => {
                packages.insert(id, at);
            }
            None => counts.1 += 1,
        }
    }
    for (older, current) in value.get("package_aliases").and_then(Value::as_object).into_iter().flatten() {
        if let Some(at) = current.as_str().and_then(|current| packages.get(current)) {
            gathered.packages[*at].aliases.push(older.clone());
        }
    }
    for (key, owners) in value.get("mappings").and_then(Value::as_object).into_iter().flatten() {
        let taken = class(gathered, &packages, key, owners);
        if taken.is_some() {
            counts.0 += 1;
        } else {
            counts.1 += 1;
        }
    }
    counts
}

/// Adds what is said of a package to the one of the same repository, if the lists have one.
fn package(gathered: &mut Gathered, id: &str, entry: &Value) -> Option<usize> {
    let registered: PackageId = id.parse().ok()?;
    let repository = text(entry, "repository");
    // Packages made up for repositories that the registry does not have are known by the repository alone.
    let made_up = id.starts_with("manager_");
    let known = gathered.keys.get(&key_of_id(&registered)).copied();
    let at = known
        .or_else(|| gathered.of_repository(repository.as_deref()?, Layer::ComfyGit))
        .unwrap_or_else(|| gathered.add(Package::named(registered.clone(), Layer::ComfyGit)));
    let taken_already = !gathered.packages[at].id.is_repository() && gathered.packages[at].id != registered;
    let at = if taken_already && !made_up {
        // Two ids of one repository are two packages.
        let repository = gathered.packages[at].repository.clone();
        gathered.add(Package { repository, ..Package::named(registered.clone(), Layer::ComfyGit) })
    } else {
        at
    };
    gathered.keys.insert(key_of_id(&registered), at);
    let package = &mut gathered.packages[at];
    if made_up {
        package.aliases.push(id.to_owned());
    } else {
        package.id = registered;
    }
    package.title = package.title.take().or(text(entry, "display_name"));
    package.description = package.description.take().or(text(entry, "description"));
    package.repository = package.repository.take().or(repository);
    package.stars = package.stars.max(entry.get("github_stars").and_then(Value::as_u64));
    let versions = entry.get("versions").and_then(Value::as_object).into_iter().flatten();
    package.versions.extend(versions.map(|(version, about)| PackageVersion {
        version: text(about, "version").unwrap_or_else(|| version.clone()),
        download: text(about, "download_url"),
        deprecated: about.get("deprecated").and_then(Value::as_bool).unwrap_or_default(),
    }));
    package.versions.sort_by(|a, b| newer_first(&a.version, &b.version));
    package.versions.dedup_by(|a, b| a.version == b.version);
    Some(at)
}

/// `Class::signature`, or `Class::_` where the inputs are not known.
fn class(gathered: &mut Gathered, packages: &HashMap<&str, usize>, key: &str, owners: &Value) -> Option<()> {
    let (class, signature) = key.rsplit_once("::")?;
    let by = if signature == "_" { By::Name } else { By::Signature(signature.parse::<Signature>().ok()?) };
    let mut some = None;
    for owner in owners.as_array()? {
        let Some(package) = text(owner, "package_id").and_then(|id| packages.get(id.as_str()).copied()) else {
            continue;
        };
        let rank = owner.get("rank").and_then(Value::as_u64).and_then(|rank| u32::try_from(rank).ok());
        let versions = texts(owner, "versions").map(str::to_owned).collect();
        gathered.own(class, Ownership { package, layer: Layer::ComfyGit, by, rank, versions });
        some = Some(());
    }
    some
}

/// By their numbers, as far as they have any: `1.10.0` comes before `1.9.9`.
fn newer_first(a: &str, b: &str) -> std::cmp::Ordering {
    let numbers = |text: &str| -> Vec<u64> {
        text.split(|c: char| !c.is_ascii_digit()).filter_map(|digits| digits.parse().ok()).collect()
    };
    numbers(b).cmp(&numbers(a)).then_with(|| b.cmp(a))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newer_versions_come_first() {
        let mut versions = ["1.9.9", "1.10.0", "2.0.0-beta", "0.1"];
        versions.sort_by(|a, b| newer_first(a, b));
        assert_eq!(versions, ["2.0.0-beta", "1.10.0", "1.9.9", "0.1"]);
    }
}

//! The kinds of name by which a package is found, the surest first, and the keys that they make.

use crate::catalog::package::PackageId;

/// An id of a registry.
pub const ID: &str = "i";
/// A repository.
pub const REPOSITORY: &str = "r";
/// The last part of a repository's name: registries mostly make an id of it.
pub const SHORT: &str = "n";
/// What a list calls it.
pub const ALIAS: &str = "a";

/// The key of an id of a registry.
pub fn key_of_id(id: &PackageId) -> String {
    format!("{} {}", ID, id.key())
}

/// The key of a repository, from [`repository_name`](crate::catalog::package::repository_name).
pub fn key_of_repository(repository: &str) -> String {
    format!("{} {}", REPOSITORY, repository.to_ascii_lowercase())
}

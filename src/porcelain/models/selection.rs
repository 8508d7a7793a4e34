//! Which models a word means: a place, a path, a name, the first digits of a hash.

use std::collections::BTreeSet;
use std::path::Path;

use crate::models::{IndexedFile, Inventory};
use crate::object::ObjectId;
use crate::ui::failure::closest;
use crate::ui::{Exit, Failure};

/// Fewer digits of a hash are taken for a name.
const DIGITS: usize = 4;

/// The files that `word` means: those at this place below `models/` or at this path; else with this name; else with a hash that begins
/// with it. Absent ones are among them, after those that are there.
pub fn select<'i>(inventory: &'i Inventory, word: &str) -> Result<Vec<&'i IndexedFile>, Failure> {
    let files = || inventory.files().iter();
    let place = word.replace('\\', "/");
    let on_disk = Path::new(word).canonicalize().ok();
    let at = |file: &&IndexedFile| file.place() == place || on_disk.as_ref().is_some_and(|path| is_at(file, path));
    let named =
        |file: &&IndexedFile| file.name().eq_ignore_ascii_case(&place) || file.place().eq_ignore_ascii_case(&place);
    let hex = word.to_ascii_lowercase();
    let is_hex = hex.len() >= DIGITS && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    let hashed = |file: &&IndexedFile| is_hex && begins_with(file, &hex);
    let mut found: Vec<&IndexedFile> = files().filter(at).collect();
    if found.is_empty() {
        found = files().filter(named).collect();
    }
    if found.is_empty() {
        found = files().filter(hashed).collect();
    }
    if found.is_empty() {
        let failure = Failure::new(Exit::NotFound, format!("no known model is `{word}`"));
        let meant = closest(word, files().map(IndexedFile::name));
        return Err(match meant {
            Some(name) => failure.hint(format!("did you mean `{name}`? `comfrey models list` shows what is known")),
            None => failure.hint("`comfrey models list` shows what is known, `comfrey models index` looks again"),
        });
    }
    found.sort_by_key(|file| !file.is_present());
    Ok(found)
}

/// True when the file, or what it is a link to, is at `path`, in which links are resolved.
fn is_at(file: &IndexedFile, path: &Path) -> bool {
    let ours = file.file();
    // Only those of this name are worth asking the system for.
    ours == path || (ours.file_name() == path.file_name() && ours.canonicalize().is_ok_and(|ours| ours == path))
}

/// True when id, SHA-256 or quick hash begin with these digits.
pub fn begins_with(file: &IndexedFile, hex: &str) -> bool {
    let digests = [file.id.map(|id| id.0), file.sha256.map(|hash| hash.0), file.quick.map(|hash| hash.0)];
    digests.into_iter().flatten().any(|digest| ObjectId(digest).to_hex().starts_with(hex))
}

/// The one model that `word` means, by its id. Errors: it means several, or one whose id is not known yet.
pub fn one_id(inventory: &Inventory, word: &str) -> Result<ObjectId, Failure> {
    // A whole id needs no file: a model that was never here can have sources too.
    if let Ok(id) = word.parse::<ObjectId>() {
        return Ok(id);
    }
    let found = select(inventory, word)?;
    let ids: BTreeSet<ObjectId> = found.iter().filter_map(|file| file.id).collect();
    let unknown = found.iter().find(|file| file.id.is_none());
    match (ids.len(), ids.first(), unknown) {
        (1, Some(id), None) => Ok(*id),
        (_, _, Some(file)) => Err(Failure::new(Exit::NotFound, format!("the id of {} is not known yet", file.place()))
            .hint(format!("`comfrey models show --hash {}` reads the file for it", file.place()))),
        _ => {
            let places: Vec<String> = found.iter().take(6).map(|file| file.place()).collect();
            Err(Failure::new(Exit::Conflict, format!("`{word}` means {} models: {}", ids.len(), places.join(", ")))
                .hint("name one by its place, or by the first digits of its id"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::inventory::tests::file;

    #[test]
    fn a_word_is_a_place_before_a_name_before_digits() {
        let inventory = Inventory::new(vec![file("loras/a.pt", "1"), file("vae/a.pt", "2"), file("vae/beef.pt", "3")]);
        let places = |word: &str| -> Vec<String> {
            select(&inventory, word).unwrap().into_iter().map(|file| file.place()).collect()
        };
        assert_eq!(places("vae/a.pt"), ["vae/a.pt"]);
        assert_eq!(places("vae\\a.pt"), ["vae/a.pt"]);
        assert_eq!(places("A.PT"), ["loras/a.pt", "vae/a.pt"]);
        let digits = ObjectId::of_blob(b"3").to_hex()[..8].to_owned();
        assert_eq!(places(&digits), ["vae/beef.pt"]);
        assert!(select(&inventory, "beff.pt").unwrap_err().hint.unwrap().contains("`beef.pt`"));
    }

    #[test]
    fn one_model_is_meant_or_it_is_an_error() {
        let unknown = IndexedFile { id: None, ..file("loras/new.pt", "4") };
        let inventory =
            Inventory::new(vec![file("loras/a.pt", "1"), file("vae/a.pt", "2"), file("vae/b.pt", "2"), unknown]);
        assert_eq!(one_id(&inventory, "vae/a.pt"), Ok(ObjectId::of_blob(b"2")));
        assert_eq!(one_id(&inventory, "a.pt").unwrap_err().exit, Exit::Conflict);
        assert!(one_id(&inventory, "new.pt").unwrap_err().hint.unwrap().contains("--hash"));
        let whole = ObjectId::of_blob(b"never here");
        assert_eq!(one_id(&inventory, &whole.to_hex()), Ok(whole));
    }
}

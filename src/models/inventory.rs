//! The known model files as a value to look things up in.

use std::collections::HashMap;

use crate::digest::QuickHash;
use crate::object::ObjectId;

use super::record::IndexedFile;

/// Model files by place, name and id. Built once, in time linear in the number of files, and not changed.
#[derive(Debug, Default)]
pub struct Inventory {
    files: Vec<IndexedFile>,
    /// By place in lower case, those of earlier roots first.
    places: HashMap<String, Vec<u32>>,
    /// By name in lower case.
    names: HashMap<String, Vec<u32>>,
    ids: HashMap<ObjectId, Vec<u32>>,
}

impl Inventory {
    /// `files` in the order of their roots: where two stand at one place, ComfyUI takes the first.
    pub fn new(files: Vec<IndexedFile>) -> Self {
        let mut inventory = Inventory::default();
        for (number, file) in files.iter().enumerate() {
            let number = number as u32;
            if let Some(id) = file.id {
                inventory.ids.entry(id).or_default().push(number);
            }
            if file.is_present() {
                inventory.places.entry(file.place().to_lowercase()).or_default().push(number);
                inventory.names.entry(file.name().to_lowercase()).or_default().push(number);
            }
        }
        inventory.files = files;
        inventory
    }

    /// Every file, those included that are known but absent.
    pub fn files(&self) -> &[IndexedFile] {
        &self.files
    }

    pub fn into_files(self) -> Vec<IndexedFile> {
        self.files
    }

    fn numbered<'a>(
        &'a self,
        numbers: Option<&'a Vec<u32>>,
        also: impl Fn(&IndexedFile) -> bool,
    ) -> Vec<&'a IndexedFile> {
        let files = numbers.into_iter().flatten().map(|number| &self.files[*number as usize]);
        files.filter(|file| also(file)).collect()
    }

    /// Present files that ComfyUI sees at `place` (`directory/below/name`), the one it takes first.
    pub fn at_place(&self, place: &str) -> Vec<&IndexedFile> {
        self.numbered(self.places.get(&place.to_lowercase()), |file| file.place() == place)
    }

    /// The same whatever the case of letters.
    pub fn at_place_ignoring_case(&self, place: &str) -> Vec<&IndexedFile> {
        self.numbered(self.places.get(&place.to_lowercase()), |_| true)
    }

    /// Present files with this name, in any folder.
    pub fn named(&self, name: &str) -> Vec<&IndexedFile> {
        self.numbered(self.names.get(&name.to_lowercase()), |file| file.name() == name)
    }

    /// The same whatever the case of letters.
    pub fn named_ignoring_case(&self, name: &str) -> Vec<&IndexedFile> {
        self.numbered(self.names.get(&name.to_lowercase()), |_| true)
    }

    /// Present files that are known to have these bytes.
    pub fn with_id(&self, id: &ObjectId) -> Vec<&IndexedFile> {
        self.numbered(self.ids.get(id), IndexedFile::is_present)
    }

    /// Files that are known to have had these bytes, absent ones included.
    pub fn ever_with_id(&self, id: &ObjectId) -> Vec<&IndexedFile> {
        self.numbered(self.ids.get(id), |_| true)
    }

    /// Present files that may have these bytes: of this size, with this quick hash where both are known, and of unknown id.
    /// Only their ids can prove it.
    pub fn perhaps(&self, size: u64, quick: Option<QuickHash>) -> Vec<&IndexedFile> {
        let may = |file: &&IndexedFile| {
            let alike = file.quick.zip(quick).is_none_or(|(ours, theirs)| ours == theirs);
            file.is_present() && file.id.is_none() && file.size() == size && alike
        };
        self.files.iter().filter(may).collect()
    }

    /// Present files with this quick hash.
    pub fn with_quick_hash(&self, quick: &QuickHash) -> Vec<&IndexedFile> {
        self.files.iter().filter(|file| file.is_present() && file.quick == Some(*quick)).collect()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::record::FileState;
    use super::super::roots::ModelRoot;
    use super::*;
    use crate::platform::identity::FileStamp;
    use std::path::Path;
    use std::sync::Arc;

    /// A file at `path` below the root `/models`, with bytes that `content` stands for.
    pub(crate) fn file(path: &str, content: &str) -> IndexedFile {
        let id = ObjectId::of_blob(content.as_bytes());
        let inode = path.bytes().fold(1, |number: u64, byte| number.wrapping_mul(31).wrapping_add(byte.into()));
        IndexedFile {
            root: Arc::new(ModelRoot::models(Path::new("/models"))),
            path: path.to_owned(),
            stamp: FileStamp { device: 1, inode, size: content.len() as u64, modified: 0, changed: 0 },
            quick: Some(QuickHash(id.0)),
            id: Some(id),
            sha256: None,
            state: FileState::Unchanged,
        }
    }

    #[test]
    fn files_are_found_by_place_name_and_id() {
        let gone = IndexedFile { state: FileState::Removed, ..file("loras/gone.pt", "x") };
        let guess = IndexedFile { id: None, ..file("vae/y.pt", "y") };
        let inventory = Inventory::new(vec![file("loras/A/x.pt", "x"), file("vae/X.pt", "x"), gone, guess]);
        let paths = |files: Vec<&IndexedFile>| files.into_iter().map(|f| f.path.clone()).collect::<Vec<_>>();
        assert_eq!(paths(inventory.at_place("loras/A/x.pt")), ["loras/A/x.pt"]);
        assert!(inventory.at_place("loras/a/x.pt").is_empty());
        assert_eq!(paths(inventory.at_place_ignoring_case("loras/a/X.PT")), ["loras/A/x.pt"]);
        assert_eq!(paths(inventory.named("x.pt")), ["loras/A/x.pt"]);
        assert_eq!(paths(inventory.named_ignoring_case("x.pt")), ["loras/A/x.pt", "vae/X.pt"]);
        let x = ObjectId::of_blob(b"x");
        assert_eq!(inventory.with_id(&x).len(), 2);
        assert_eq!(inventory.ever_with_id(&x).len(), 3);
        assert!(inventory.at_place("loras/gone.pt").is_empty());
        let y = QuickHash(ObjectId::of_blob(b"y").0);
        assert_eq!(paths(inventory.perhaps(1, Some(y))), ["vae/y.pt"]);
        assert_eq!(paths(inventory.perhaps(1, None)), ["vae/y.pt"]);
        assert!(inventory.perhaps(2, Some(y)).is_empty());
    }
}

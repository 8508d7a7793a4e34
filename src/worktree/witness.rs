//! What a folder looked like when its tree was last made: enough to see at once that nothing has changed since.
//!
//! For each folder below the root its path, the names of its files, and a digest over the stamps of the folder and of those
//! files. If every stamp is still the same, the tree is still the same: no name was added or removed, since that changes the folder's
//! stamp, and no file or rule of what to ignore was changed, since that changes its own. One `stat` a file and folder, nothing listed,
//! nothing looked up. Anything else, and the folder is walked as if there were no witness.
//!
//! It lies in the store's folder `worktree/`, a file for each root and set of options, and may be deleted at any time:
//!
//! ```text
//! 32 bytes    BLAKE3 of the rest
//! rest        postcard of `Testimony`, its first field a version
//! ```
//!
//! None is written when a stamp is too young to be trusted (invariant S5), when anything was reported, or on a file system whose folders
//! are not known to keep their times exactly.

use std::io::Write;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::Error;
use super::walk::Walked;
use super::written::{Counts, WriteOptions, Written};
use crate::object::ObjectId;
use crate::observer::Observer;
use crate::platform::folder::Folder;
use crate::platform::identity::FileStamp;

const VERSION: u8 = 1;

/// Where the witness of one root lies.
pub struct Witness {
    file: PathBuf,
}

#[derive(Serialize, Deserialize)]
struct Testimony<'a> {
    version: u8,
    id: ObjectId,
    size: u64,
    counts: [u64; 4],
    #[serde(borrow)]
    folders: Vec<Seen<'a>>,
}

/// A folder as it was seen.
#[derive(Serialize, Deserialize)]
struct Seen<'a> {
    /// Below the root, with `/` between names.
    path: &'a str,
    /// Those of its files, each followed by `/`.
    names: &'a str,
    stamps: [u8; 32],
}

/// A path that is longer is not looked up in one call everywhere.
const LONGEST: usize = 900;

impl Witness {
    /// The witness for trees made of `root` with these options; nothing on a file system whose folders are not trusted.
    pub fn of(store: &Path, root: &Folder, options: &WriteOptions) -> Option<Witness> {
        if !root.keeps_exact_times() {
            return None;
        }
        let stamp = root.own_status().ok()?.stamp;
        // How large files come into the store does not change the tree.
        let key = format!("{} {} {:?} {:?}", stamp.device, stamp.inode, options.ignore, options.weights);
        let name = blake3::hash(key.as_bytes()).to_hex();
        Some(Witness { file: store.join("worktree").join(&name[..32]) })
    }

    /// What was written then, if everything is still as it was.
    pub fn still_holds(&self, root: &Folder, observer: &dyn Observer) -> Result<Option<Written>, Error> {
        let Ok(bytes) = std::fs::read(&self.file) else { return Ok(None) };
        let Some((digest, rest)) = bytes.split_first_chunk::<32>() else { return Ok(None) };
        if blake3::hash(rest) != *digest {
            return Ok(None);
        }
        let Ok(testimony) = postcard::from_bytes::<Testimony>(rest) else { return Ok(None) };
        if testimony.version != VERSION {
            return Ok(None);
        }
        let is_same = |seen: &Seen| !observer.interrupted() && seen.is_same(root);
        let holds = testimony.folders.par_iter().with_min_len(32).all(is_same);
        if observer.interrupted() {
            return Err(Error::Interrupted);
        }
        let [files, models, links, folders] = testimony.counts;
        let counts = Counts { files, models, links, folders, read: 0 };
        Ok(holds.then_some(Written { id: testimony.id, size: testimony.size, counts, problems: Vec::new() }))
    }

    /// Writes down what was seen in a walk that began at `began` (nanoseconds since 1970), or removes what was written
    /// before. Failing is no error: the witness only saves time.
    pub fn testify(&self, walked: &Walked, written: &Written, began: i64) {
        if !written.problems.is_empty() || self.write(walked, written, began).is_none() {
            drop(std::fs::remove_file(&self.file));
        }
    }

    fn write(&self, walked: &Walked, written: &Written, began: i64) -> Option<()> {
        let mut texts = Vec::with_capacity(walked.folders.len());
        let device = walked.folders.first()?.stamp.device;
        for (number, folder) in walked.folders.iter().enumerate() {
            let path = walked.path_of(number as u32);
            let files = folder.files.iter();
            let names = files.clone().fold(String::new(), |names, file| names + file.name.as_str() + "/");
            let mut digest = Stamps::new(&folder.stamp);
            files.clone().for_each(|file| digest.add(&file.stamp));
            let is_at_rest = |stamp: &FileStamp| !stamp.is_racy(began);
            let longest = files.clone().map(|file| file.name.as_str().len()).max().unwrap_or(0);
            let holds = folder.is_witness
                && folder.stamp.device == device
                && is_at_rest(&folder.stamp)
                && files.clone().all(|file| is_at_rest(&file.stamp))
                && path.as_os_str().len() + longest < LONGEST;
            if !holds {
                return None;
            }
            texts.push((path.to_str()?.to_owned(), names, digest.finish()));
        }
        for (path, stamp) in &walked.watched {
            if stamp.is_racy(began) || path.as_os_str().len() > LONGEST {
                return None;
            }
            texts.push((path.to_str()?.to_owned(), String::new(), Stamps::new(stamp).finish()));
        }
        let folders = texts.iter().map(|(path, names, stamps)| Seen { path, names, stamps: *stamps }).collect();
        let Counts { files, models, links, folders: below, .. } = written.counts;
        let counts = [files, models, links, below];
        let testimony = Testimony { version: VERSION, id: written.id, size: written.size, counts, folders };
        let rest = postcard::to_stdvec(&testimony).ok()?;
        let folder = self.file.parent()?;
        std::fs::create_dir_all(folder).ok()?;
        let mut aside = tempfile::NamedTempFile::new_in(folder).ok()?;
        aside.write_all(blake3::hash(&rest).as_bytes()).ok()?;
        aside.write_all(&rest).ok()?;
        aside.persist(&self.file).ok()?;
        Some(())
    }
}

impl Seen<'_> {
    fn is_same(&self, root: &Folder) -> bool {
        let mut stamps = Stamps(Vec::with_capacity(1024));
        let told = root.stamps_below(self.path, self.names.split_terminator('/'), |stamp| stamps.add(&stamp));
        told.is_ok() && stamps.finish() == self.stamps
    }
}

/// A digest over stamps.
struct Stamps(Vec<u8>);

impl Stamps {
    fn new(folder: &FileStamp) -> Self {
        let mut stamps = Stamps(Vec::with_capacity(1024));
        stamps.add(folder);
        stamps
    }

    fn add(&mut self, stamp: &FileStamp) {
        let FileStamp { device, inode, size, modified, changed } = *stamp;
        for number in [device, inode, size, modified as u64, changed as u64] {
            self.0.extend_from_slice(&number.to_le_bytes());
        }
    }

    fn finish(self) -> [u8; 32] {
        *blake3::hash(&self.0).as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observer::Silent;
    use crate::store::Store;
    use crate::worktree::{Mode, write_tree};
    use std::fs;
    use std::time::Duration;

    struct Place {
        folder: tempfile::TempDir,
        store: Store,
    }

    impl Place {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let store = Store::create(&folder.path().join(".comfrey")).unwrap();
            Place { folder, store }
        }

        fn path(&self, below: &str) -> PathBuf {
            self.folder.path().join("root").join(below)
        }

        fn write(&self, below: &str, text: &str) {
            fs::create_dir_all(self.path(below).parent().unwrap()).unwrap();
            fs::write(self.path(below), text).unwrap();
        }

        fn hash(&self) -> Written {
            let root = self.folder.path().join("root");
            write_tree(&self.store, Mode::HashOnly, &root, &WriteOptions::default(), &Silent).unwrap()
        }

        /// The same by a store that knows nothing.
        fn hash_afresh(&self) -> ObjectId {
            let nowhere = tempfile::tempdir().unwrap();
            let store = Store::create(&nowhere.path().join(".comfrey")).unwrap();
            let root = self.folder.path().join("root");
            write_tree(&store, Mode::HashOnly, &root, &WriteOptions::default(), &Silent).unwrap().id
        }

        fn witnesses(&self) -> Vec<PathBuf> {
            let files = fs::read_dir(self.store.dir().join("worktree"));
            files.map(|files| files.map(|file| file.unwrap().path()).collect()).unwrap_or_default()
        }

        /// Lets the stamps grow old enough, and testifies.
        fn settle(&self) {
            std::thread::sleep(Duration::from_millis(60));
            self.hash();
            assert_eq!(self.witnesses().len(), 1);
        }
    }

    // Not on Windows: its folders are not trusted to keep their times, and no witness is written.
    // Instead: `what_did_not_change_is_not_read_again` in `write_tree`.
    #[test]
    #[cfg(target_os = "linux")]
    fn every_change_is_seen_past_the_witness() {
        let place = Place::new();
        if !Folder::open(place.folder.path()).unwrap().keeps_exact_times() {
            return; // on this file system there are no witnesses
        }
        for path in ["a", "d/b", "d/c", "d/log", "e/.comfreyignore", "e/x", "env/pyvenv.cfg", "env/lib"] {
            place.write(path, "text");
        }
        std::os::unix::fs::symlink("a", place.path("link")).unwrap();
        type Change = (&'static str, fn(&Place));
        let changes: [Change; 12] = [
            ("nothing", |_| {}),
            ("a file is edited and keeps its size", |p| p.write("d/b", "TEXT")),
            ("a file comes", |p| p.write("d/new", "")),
            ("a file goes", |p| fs::remove_file(p.path("d/c")).unwrap()),
            ("a file is renamed", |p| fs::rename(p.path("a"), p.path("A")).unwrap()),
            ("a file is replaced by another of its size", |p| {
                p.write("other", "Text");
                fs::rename(p.path("other"), p.path("d/b")).unwrap();
            }),
            ("an empty folder comes", |p| fs::create_dir(p.path("d/empty")).unwrap()),
            ("a link leads elsewhere", |p| {
                fs::remove_file(p.path("link")).unwrap();
                std::os::unix::fs::symlink("b", p.path("link")).unwrap();
            }),
            ("a file becomes executable", |p| {
                use std::os::unix::fs::PermissionsExt;
                fs::set_permissions(p.path("d/b"), PermissionsExt::from_mode(0o755)).unwrap();
            }),
            ("a rule comes", |p| p.write("e/.comfreyignore", "x\n")),
            ("a folder is no virtual environment any more", |p| fs::remove_file(p.path("env/pyvenv.cfg")).unwrap()),
            ("a file of rules comes", |p| p.write("d/.comfydock_ignore", "log\n")),
        ];
        for (what, change) in changes {
            place.settle();
            change(&place);
            assert_eq!(place.hash().id, place.hash_afresh(), "{what}");
        }
    }

    // Not on Windows: its folders are not trusted to keep their times, and no witness is written.
    // Instead: `what_did_not_change_is_not_read_again` in `write_tree`.
    #[test]
    #[cfg(target_os = "linux")]
    fn a_damaged_witness_is_not_heard_and_young_files_and_problems_have_none() {
        let place = Place::new();
        if !Folder::open(place.folder.path()).unwrap().keeps_exact_times() {
            return; // on this file system there are no witnesses
        }
        place.write("a", "text");
        place.hash();
        assert!(place.witnesses().is_empty(), "the file is too young");
        place.settle();
        let (id, witness) = (place.hash().id, place.witnesses().remove(0));
        let whole = fs::read(&witness).unwrap();
        for at in [0, 32, 40, whole.len() - 1] {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            fs::write(&witness, &bytes).unwrap();
            assert_eq!(place.hash().id, id);
        }
        fs::write(&witness, &whole[..10]).unwrap();
        assert_eq!(place.hash().id, id);
        place.settle();
        // A warning must be said every time.
        place.write("aux.txt", "text");
        std::thread::sleep(Duration::from_millis(60));
        assert_eq!((place.hash().problems.len(), place.hash().problems.len()), (1, 1));
        assert!(place.witnesses().is_empty());
    }
}

//! A folder becomes a tree: list, look up what is known, read the rest, put the trees together from the bottom up.
//!
//! A file whose stamp is known is not read. Where nothing changed, the work is one `stat` a file.

use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use rayon::prelude::*;

use super::Error;
use super::problem::{Problem, Reason};
use super::tree_at::Trees;
use super::walk::{FoundFile, FoundFolder, Walked, walk};
use super::weights::Weights;
use super::witness::Witness;
use super::written::{Counts, Mode, WriteOptions, Written};
use crate::digest::{self, Threads, Wanted};
use crate::object::{Encoded, Entry, EntryKind, Kind, ObjectId, Tree};
use crate::observer::{Observer, Unit};
use crate::platform::folder::Folder;
use crate::platform::identity::FileStamp;
use crate::store::known_files::{self, Known};
use crate::store::large::LARGE;
use crate::store::{self, Store, Writer};

/// Makes a tree of the folder `root`.
///
/// Links are kept as links and never followed, save those in `root` itself. What cannot be taken in is a [`Problem`] in the answer,
/// and the rest goes on. Errors: `root` cannot be listed, the store fails, the observer asked to stop.
pub fn write_tree(
    store: &Store,
    mode: Mode<'_>,
    root: &Path,
    options: &WriteOptions,
    observer: &dyn Observer,
) -> Result<Written, Error> {
    // What it has seen says nothing of another tree.
    let opened = Folder::open(root).ok().filter(|_| options.executable_as_in.is_none());
    let witness = opened.and_then(|folder| Some((Witness::of(store.dir(), &folder, options)?, folder)));
    if let (Mode::HashOnly, Some((witness, folder))) = (mode, &witness)
        && let Some(written) = witness.still_holds(folder, observer)?
    {
        return Ok(written);
    }
    let began = known_files::now();
    observer.started("listing", Unit::Items, None);
    let mut walked = walk(root, &options.ignore, observer)?;
    observer.finished();
    if let Some(tree) = &options.executable_as_in {
        mark_executable(store, tree, &mut walked);
    }
    let mut problems = std::mem::take(&mut walked.problems);
    let mut contents = Contents::known(store, mode, &walked)?;
    let read =
        Reading { store, mode, root, walked: &walked, options, observer }.read_unknown(&mut contents, &mut problems)?;
    let (id, size) = Assembly { mode, walked: &walked, contents: &contents, weights: options.weights }.assemble()?;
    problems.sort_by(|a, b| a.path.cmp(&b.path));
    let links = walked.folders.iter().map(|folder| folder.links.len() as u64).sum();
    let mut counts = Counts { links, folders: walked.folders.len() as u64 - 1, read, ..Counts::default() };
    for (file, content) in contents.of_files(&walked) {
        if let Some(content) = content {
            counts.files += 1;
            counts.models += u64::from(options.weights.is_model(file.name.as_str(), content.size));
        }
    }
    let written = Written { id, size, counts, problems };
    if let Some((witness, _)) = witness {
        witness.testify(&walked, &written, began);
    }
    Ok(written)
}

/// Marks those files as executable that are so in a tree. What the store does not hold of it says nothing.
fn mark_executable(store: &Store, tree: &ObjectId, walked: &mut Walked) {
    let mut order: Vec<usize> = (0..walked.folders.len()).collect();
    order.sort_by_key(|&number| walked.folders[number].depth);
    let mut trees: Vec<Option<Tree>> = Vec::new();
    trees.resize_with(walked.folders.len(), || None);
    for number in order {
        let folder = &mut walked.folders[number];
        let id = match &folder.name {
            None => Some(*tree),
            Some(name) => trees[folder.parent as usize]
                .as_ref()
                .and_then(|above| above.get(name.as_str()))
                .filter(|entry| entry.kind == EntryKind::Tree)
                .map(|entry| entry.id),
        };
        trees[number] = id.and_then(|id| store.tree(&id).ok());
        let Some(was) = &trees[number] else { continue };
        for file in &mut folder.files {
            file.executable |= was.get(file.name.as_str()).is_some_and(|entry| entry.kind == EntryKind::Executable);
        }
    }
}

/// A file's bytes, as far as a tree knows them.
#[derive(Debug, Clone, Copy)]
struct Content {
    id: ObjectId,
    size: u64,
}

/// The contents of all files, in the order of the walk; nothing for a file that is not known (yet).
struct Contents {
    of: Vec<Option<Content>>,
    /// By folder, where its files begin.
    first: Vec<usize>,
}

impl Contents {
    /// What is known without reading. In store mode only what the store has counts.
    fn known(store: &Store, mode: Mode<'_>, walked: &Walked) -> Result<Contents, Error> {
        let mut first = Vec::with_capacity(walked.folders.len() + 1);
        let mut total = 0;
        for folder in &walked.folders {
            first.push(total);
            total += folder.files.len();
        }
        first.push(total);
        let stamps: Vec<FileStamp> =
            walked.folders.iter().flat_map(|folder| folder.files.iter().map(|file| file.stamp)).collect();
        let known = store.known_files().lookup_all(&stamps)?;
        let content = |(known, stamp): (Option<Known>, &FileStamp)| {
            let id = known.and_then(|known| known.id)?;
            Some(Content { id, size: stamp.size })
        };
        let mut of: Vec<Option<Content>> = known.into_iter().zip(&stamps).map(content).collect();
        if let Mode::Store(writer) = mode {
            // A large file goes through the ladder again, which looks whether its place still holds.
            of.iter_mut()
                .filter(|content| content.is_some_and(|content| content.size >= LARGE))
                .for_each(|c| *c = None);
            let ids: Vec<ObjectId> = of.iter().flatten().map(|content| content.id).collect();
            let mut held = writer.retain(&ids)?.into_iter();
            for content in &mut of {
                if content.is_some() && held.next() != Some(true) {
                    *content = None;
                }
            }
        }
        Ok(Contents { of, first })
    }

    fn in_folder(&self, folder: usize) -> Range<usize> {
        self.first[folder]..self.first[folder + 1]
    }

    fn of_files<'a>(&'a self, walked: &'a Walked) -> impl Iterator<Item = (&'a FoundFile, Option<Content>)> {
        walked.folders.iter().flat_map(|folder| &folder.files).zip(self.of.iter().copied())
    }
}

/// Reading the files that are not known.
struct Reading<'a> {
    store: &'a Store,
    mode: Mode<'a>,
    root: &'a Path,
    walked: &'a Walked,
    options: &'a WriteOptions,
    observer: &'a dyn Observer,
}

/// So many files of one folder are a task; a folder is opened once a task.
const TASK: usize = 64;

/// Why one file has no content.
enum Unread {
    Problem(Reason),
    Fatal(Error),
}

impl From<store::Error> for Unread {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::ChangedWhileRead(_) | store::Error::NotAFile(_) => Unread::Problem(Reason::ChangedWhileRead),
            store::Error::Interrupted => Unread::Fatal(Error::Interrupted),
            error => Unread::Fatal(error.into()),
        }
    }
}

impl From<io::Error> for Unread {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            // It was there when the folder was listed.
            io::ErrorKind::NotFound => Unread::Problem(Reason::ChangedWhileRead),
            _ => Unread::Problem(Reason::Unreadable(error)),
        }
    }
}

impl From<digest::Error> for Unread {
    fn from(error: digest::Error) -> Self {
        match error {
            digest::Error::Io { source, .. } => source.into(),
            digest::Error::Interrupted => Unread::Fatal(Error::Interrupted),
            _ => Unread::Problem(Reason::ChangedWhileRead),
        }
    }
}

impl Reading<'_> {
    /// Fills in what `contents` lacks; answers how many files were read.
    fn read_unknown(&self, contents: &mut Contents, problems: &mut Vec<Problem>) -> Result<u64, Error> {
        let mut tasks: Vec<(usize, Vec<usize>)> = Vec::new();
        let mut total = 0;
        for folder in 0..self.walked.folders.len() {
            let range = contents.in_folder(folder);
            let unknown: Vec<usize> =
                range.clone().filter(|at| contents.of[*at].is_none()).map(|at| at - range.start).collect();
            total += unknown.iter().map(|file| self.walked.folders[folder].files[*file].stamp.size).sum::<u64>();
            tasks.extend(unknown.chunks(TASK).map(|files| (folder, files.to_vec())));
        }
        if tasks.is_empty() {
            return Ok(0);
        }
        self.observer.started("reading", Unit::Bytes, Some(total));
        let known_files = self.store.known_files();
        let found = Mutex::new(problems);
        let read: Vec<Vec<ReadFile>> =
            tasks.par_iter().map(|(folder, files)| self.read_some(*folder, files, &found)).collect::<Result<_, _>>()?;
        self.observer.finished();
        let mut remembered = Vec::new();
        let mut count = 0;
        for file in read.into_iter().flatten() {
            count += 1;
            contents.of[contents.first[file.folder] + file.file] = Some(file.content);
            // What the writer took in from a path, it remembers itself.
            if let Some(stamp) = file.stamp {
                remembered.push((stamp, Known { id: Some(file.content.id), ..Known::default() }));
            }
        }
        // A status can be asked of a store that cannot be written to; it is only slower.
        if let (Err(error), Mode::Store(_)) = (known_files.remember(remembered), self.mode) {
            return Err(error.into());
        }
        Ok(count)
    }

    fn read_some(
        &self,
        folder: usize,
        files: &[usize],
        problems: &Mutex<&mut Vec<Problem>>,
    ) -> Result<Vec<ReadFile>, Error> {
        let below = self.walked.path_of(folder as u32);
        let mut read = Vec::with_capacity(files.len());
        let opened = self.walked.root.open_below(&below);
        for &file in files {
            if self.observer.interrupted() {
                return Err(Error::Interrupted);
            }
            let found = &self.walked.folders[folder].files[file];
            let got = match &opened {
                Ok(opened) => self.read_one(opened, &below, found),
                Err(error) => Err(io::Error::from(error.kind()).into()),
            };
            match got {
                Ok((content, stamp)) => read.push(ReadFile { folder, file, content, stamp }),
                Err(Unread::Fatal(error)) => return Err(error),
                Err(Unread::Problem(reason)) => {
                    let path = self.root.join(&below).join(&found.name);
                    problems.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(Problem { path, reason });
                }
            }
        }
        Ok(read)
    }

    /// One file's content, and its stamp if it is to be remembered.
    fn read_one(
        &self,
        folder: &Folder,
        below: &Path,
        found: &FoundFile,
    ) -> Result<(Content, Option<FileStamp>), Unread> {
        let name = found.name.as_str().as_ref();
        let path = self.root.join(below).join(&found.name);
        let file = folder.open_file(name)?;
        let stamp = FileStamp::of_file(&file)?;
        if !file.metadata()?.is_file() {
            return Err(Unread::Problem(Reason::ChangedWhileRead));
        }
        match self.mode {
            Mode::Store(writer) if stamp.size >= LARGE => self.store_large(writer, file, &path, stamp, found),
            Mode::Store(writer) => {
                let bytes = read_small(file, &stamp)?;
                self.observer.advanced(stamp.size);
                Ok((Content { id: writer.put(Kind::Blob, &bytes)?, size: stamp.size }, Some(stamp)))
            }
            Mode::HashOnly | Mode::Trees(_) if stamp.size < LARGE => {
                let bytes = read_small(file, &stamp)?;
                self.observer.advanced(stamp.size);
                Ok((Content { id: ObjectId::of_blob(&bytes), size: stamp.size }, Some(stamp)))
            }
            Mode::HashOnly | Mode::Trees(_) => {
                let digests = digest::open_file(&file, &path, Wanted::ID, Threads::All, self.observer)?;
                let id = digests.id.ok_or(Unread::Problem(Reason::ChangedWhileRead))?;
                Ok((Content { id, size: digests.size }, Some(digests.stamp)))
            }
        }
    }

    /// By the ladder of links, which wants a path; by its bytes where the path is longer than the system takes.
    fn store_large(
        &self,
        writer: &Writer,
        mut file: File,
        path: &Path,
        stamp: FileStamp,
        found: &FoundFile,
    ) -> Result<(Content, Option<FileStamp>), Unread> {
        let policy = match self.options.weights.is_model(found.name.as_str(), stamp.size) {
            true => self.options.models,
            false => self.options.files,
        };
        match writer.put_file(path, policy, self.observer) {
            Ok(stored) => {
                // The path is looked up anew: what it led to must be the file that was found, not one behind a link.
                let same =
                    |now: FileStamp| (now.device, now.inode, now.size) == (stamp.device, stamp.inode, stamp.size);
                match stored.stamp {
                    Some(now) if same(now) => Ok((Content { id: stored.id, size: stored.size }, None)),
                    _ => Err(Unread::Problem(Reason::ChangedWhileRead)),
                }
            }
            Err(store::Error::Io { source, .. }) if source.kind() == io::ErrorKind::InvalidFilename => {
                let stored = writer.put_stream(&mut file, self.observer)?;
                if FileStamp::of_file(&file)? != stamp || stored.size != stamp.size {
                    return Err(Unread::Problem(Reason::ChangedWhileRead));
                }
                Ok((Content { id: stored.id, size: stored.size }, Some(stamp)))
            }
            Err(store::Error::Io { path: at, source }) if at == path => Err(source.into()),
            Err(error) => Err(error.into()),
        }
    }
}

/// A file that was read.
struct ReadFile {
    folder: usize,
    file: usize,
    content: Content,
    stamp: Option<FileStamp>,
}

/// The bytes of a file of less than a mebibyte that does not change meanwhile.
fn read_small(file: File, stamp: &FileStamp) -> Result<Vec<u8>, Unread> {
    /// What fits in one read is as good as read in one moment.
    const ONE_READ: u64 = 64 << 10;
    if stamp.size > ONE_READ && stamp.is_racy(known_files::now()) {
        // Written a moment ago: within one tick of the clock a second write would not show.
        std::thread::sleep(Duration::from_millis(20));
    }
    let mut bytes = Vec::with_capacity(stamp.size as usize + 1);
    Read::take(&file, stamp.size + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 != stamp.size || FileStamp::of_file(&file)? != *stamp {
        return Err(Unread::Problem(Reason::ChangedWhileRead));
    }
    Ok(bytes)
}

/// Putting the trees together.
struct Assembly<'a> {
    mode: Mode<'a>,
    walked: &'a Walked,
    contents: &'a Contents,
    weights: Weights,
}

impl Assembly<'_> {
    /// The root tree's id and size: the innermost folders first, all of one depth side by side.
    fn assemble(&self) -> Result<(ObjectId, u64), Error> {
        let folders = &self.walked.folders;
        let mut by_depth: Vec<Vec<usize>> = Vec::new();
        for (number, folder) in folders.iter().enumerate() {
            let depth = folder.depth as usize;
            if by_depth.len() <= depth {
                by_depth.resize_with(depth + 1, Vec::new);
            }
            by_depth[depth].push(number);
        }
        let mut entries: Vec<Mutex<Vec<Entry>>> = Vec::new();
        entries.resize_with(folders.len(), Mutex::default);
        let mut root = (Tree::default().id(), 0);
        /// Fewer folders than this are not worth handing to other threads.
        const FEW: usize = 8;
        for level in by_depth.iter().rev() {
            let one = |&number: &usize| -> Result<(usize, (ObjectId, u64)), Error> {
                let below = entries[number].lock().map(|mut below| std::mem::take(&mut *below)).unwrap_or_default();
                Ok((number, self.one_folder(number, below)?))
            };
            let done: Vec<(usize, (ObjectId, u64))> = if level.len() <= FEW {
                level.iter().map(one).collect::<Result<_, _>>()?
            } else {
                level.par_iter().with_min_len(FEW).map(one).collect::<Result<_, _>>()?
            };
            for (number, (id, size)) in done {
                match &folders[number].name {
                    None => root = (id, size),
                    Some(name) => {
                        let entry = Entry { name: name.clone(), kind: EntryKind::Tree, id, size };
                        if let Ok(above) = entries[folders[number].parent as usize].get_mut() {
                            above.push(entry);
                        }
                    }
                }
            }
        }
        Ok(root)
    }

    fn one_folder(&self, number: usize, mut entries: Vec<Entry>) -> Result<(ObjectId, u64), Error> {
        let FoundFolder { files, links, .. } = &self.walked.folders[number];
        entries.reserve(files.len() + links.len());
        for (file, content) in files.iter().zip(&self.contents.of[self.contents.in_folder(number)]) {
            let Some(Content { id, size }) = *content else { continue };
            let kind = match file.executable {
                _ if self.weights.is_model(file.name.as_str(), size) => EntryKind::Model,
                true => EntryKind::Executable,
                false => EntryKind::File,
            };
            entries.push(Entry { name: file.name.clone(), kind, id, size });
        }
        for link in links {
            let bytes = link.target.as_bytes();
            let id = match self.mode {
                Mode::Store(writer) => writer.put(Kind::Blob, bytes)?,
                Mode::HashOnly | Mode::Trees(_) => ObjectId::of_blob(bytes),
            };
            entries.push(Entry { name: link.name.clone(), kind: EntryKind::Symlink, id, size: bytes.len() as u64 });
        }
        let path = || crate::object::RelativePath::from_path(&self.walked.path_of(number as u32)).unwrap_or_default();
        let tree = Tree::new(entries).map_err(|source| Error::Tree { path: path(), source })?;
        let id = match self.mode {
            Mode::Store(writer) => writer.put_value(&tree)?,
            Mode::HashOnly => tree.id(),
            Mode::Trees(keep) => keep.keep(&tree)?,
        };
        Ok((id, tree.size()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observer::Silent;
    use crate::platform::trial::Closed;
    use crate::worktree::tree_at::walk_tree;

    fn sandbox() -> (tempfile::TempDir, Store) {
        let place = tempfile::tempdir().unwrap();
        let store = Store::create(&place.path().join(".comfrey")).unwrap();
        std::fs::create_dir(place.path().join("root")).unwrap();
        (place, store)
    }

    fn write(place: &tempfile::TempDir, path: &str, bytes: impl AsRef<[u8]>) {
        let path = place.path().join("root").join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    fn stored(place: &tempfile::TempDir, store: &Store, options: &WriteOptions) -> Written {
        let writer = store.writer().unwrap();
        let written = write_tree(store, Mode::Store(&writer), &place.path().join("root"), options, &Silent).unwrap();
        writer.publish().unwrap();
        written
    }

    fn lines(store: &Store, root: &ObjectId) -> Vec<String> {
        let all = walk_tree(store, root).map(Result::unwrap);
        all.map(|(path, entry)| format!("{} {path} {}", entry.kind, entry.size)).collect()
    }

    #[test]
    fn a_folder_becomes_a_tree_with_everything_in_it() {
        let (place, store) = sandbox();
        write(&place, "b/c.txt", "hello");
        write(&place, "a.py", "x");
        write(&place, "big", vec![7; 3 << 20]);
        write(&place, "m.safetensors", "weights");
        std::fs::create_dir(place.path().join("root/empty")).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            std::os::unix::fs::symlink("../x", place.path().join("root/link")).unwrap();
            let run = place.path().join("root/b/run.sh");
            std::fs::write(&run, "#!").unwrap();
            std::fs::set_permissions(run, PermissionsExt::from_mode(0o755)).unwrap();
        }
        let options = WriteOptions { weights: Weights::IN_NODES, ..WriteOptions::default() };
        let written = stored(&place, &store, &options);
        assert!(written.problems.is_empty(), "{:?}", written.problems);
        let found = lines(&store, &written.id);
        let mut wanted = vec!["file a.py 1", "tree b 7", "file b/c.txt 5", "executable b/run.sh 2", "file big 3145728"];
        wanted.extend(["tree empty 0", "symlink link 4", "model m.safetensors 7"]);
        if cfg!(unix) {
            assert_eq!(found, wanted);
            assert_eq!(written.counts, Counts { files: 5, models: 1, links: 1, folders: 2, read: 5 });
        }
        let only = write_tree(&store, Mode::HashOnly, &place.path().join("root"), &options, &Silent).unwrap();
        assert_eq!((only.id, only.size), (written.id, written.size));
    }

    #[test]
    fn what_was_executable_stays_so_where_the_system_does_not_tell() {
        let (place, store) = sandbox();
        write(&place, "b/run.sh", "#!");
        write(&place, "b/c.txt", "hello");
        write(&place, "a", "x");
        let plain = stored(&place, &store, &WriteOptions::default());
        let writer = store.writer().unwrap();
        let tree = |id: &ObjectId| store.tree(id).unwrap();
        let mut inner = tree(&tree(&plain.id).get("b").unwrap().id).into_entries();
        inner.iter_mut().filter(|entry| entry.name.as_str() == "run.sh").for_each(|e| e.kind = EntryKind::Executable);
        let inner = writer.put_value(&Tree::new(inner).unwrap()).unwrap();
        let mut outer = tree(&plain.id).into_entries();
        outer.iter_mut().filter(|entry| entry.name.as_str() == "b").for_each(|entry| entry.id = inner);
        let elsewhere = writer.put_value(&Tree::new(outer).unwrap()).unwrap();
        writer.publish().unwrap();
        let options = WriteOptions { executable_as_in: Some(elsewhere), ..WriteOptions::default() };
        assert_eq!(stored(&place, &store, &options).id, elsewhere);
        // Edited, it is executable all the same.
        write(&place, "b/run.sh", "#!/bin/sh");
        let edited = stored(&place, &store, &options);
        assert!(lines(&store, &edited.id).contains(&"executable b/run.sh 9".to_owned()));
    }

    #[test]
    fn hashing_only_stores_nothing() {
        let (place, store) = sandbox();
        write(&place, "a", "text");
        write_tree(&store, Mode::HashOnly, &place.path().join("root"), &WriteOptions::default(), &Silent).unwrap();
        assert_eq!(store.contains(&[ObjectId::of_blob(b"text")]).unwrap(), [false]);
        let later = stored(&place, &store, &WriteOptions::default());
        assert_eq!(lines(&store, &later.id), ["file a 4"]);
        assert_eq!(store.read(&ObjectId::of_blob(b"text")).unwrap().1, b"text");
    }

    #[test]
    fn what_did_not_change_is_not_read_again() {
        let (place, store) = sandbox();
        write(&place, "a", "text");
        write(&place, "b/c", "more");
        // Younger files are not trusted.
        std::thread::sleep(Duration::from_millis(60));
        let first = stored(&place, &store, &WriteOptions::default());
        let second = stored(&place, &store, &WriteOptions::default());
        assert_eq!((first.counts.read, second.counts.read), (2, 0));
        assert_eq!(first.id, second.id);
        write(&place, "a", "tex2");
        let third = stored(&place, &store, &WriteOptions::default());
        assert_eq!(third.counts.read, 1);
        assert_ne!(first.id, third.id);
    }

    #[test]
    fn a_file_and_a_folder_that_may_not_be_read_are_named_and_the_rest_goes_on() {
        let (place, store) = sandbox();
        write(&place, "a", "text");
        write(&place, "closed/x", "text");
        write(&place, "secret", "text");
        let test = "a_file_and_a_folder_that_may_not_be_read_are_named";
        let closed = ["closed", "secret"].map(|path| Closed::new(test, place.path().join("root").join(path)));
        if closed.iter().any(Option::is_none) {
            return;
        }
        let written = stored(&place, &store, &WriteOptions::default());
        let named: Vec<_> = written.problems.iter().map(|p| p.path.file_name().unwrap().to_owned()).collect();
        assert_eq!(named, ["closed", "secret"]);
        assert!(written.is_incomplete());
        assert_eq!(lines(&store, &written.id), ["file a 4"]);
    }

    #[test]
    fn a_file_that_changes_while_it_is_read_is_named() {
        use std::sync::atomic::{AtomicBool, Ordering};
        let (place, store) = sandbox();
        write(&place, "big", vec![1; 2 << 20]);
        write(&place, "small", "text");
        let big = place.path().join("root/big");
        let stop = AtomicBool::new(false);
        let written = std::thread::scope(|scope| {
            scope.spawn(|| {
                use std::io::Write;
                let mut file = std::fs::OpenOptions::new().append(true).open(&big).unwrap();
                while !stop.load(Ordering::Relaxed) {
                    file.write_all(b"more").unwrap();
                }
            });
            let written =
                write_tree(&store, Mode::HashOnly, &place.path().join("root"), &WriteOptions::default(), &Silent);
            stop.store(true, Ordering::Relaxed);
            written.unwrap()
        });
        assert!(matches!(&written.problems[..], [Problem { path, reason: Reason::ChangedWhileRead }] if *path == big));
        assert_eq!(written.counts.files, 1);
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error() {
        let (place, store) = sandbox();
        let absent = place.path().join("absent");
        let error = write_tree(&store, Mode::HashOnly, &absent, &WriteOptions::default(), &Silent).unwrap_err();
        assert!(matches!(error, Error::Io { path, .. } if path == absent));
    }
}

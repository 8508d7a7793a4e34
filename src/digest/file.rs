//! A file's hashes, in one read, over as many threads as are given.

use std::fs::File;
use std::path::Path;
use std::thread;
use std::time::{Duration, SystemTime};

use crate::observer::Observer;
use crate::platform::identity::FileStamp;
use crate::platform::reading::Reader;

use super::source::{BUFFER, Source};
use super::{Digests, Error, Threads, Wanted, both, quick, stream, subtree};

/// Below this a file is hashed by the calling thread: starting another takes longer.
const WORTH_THREADS: u64 = 1024 * 1024;

/// The hashes of the file at `path`.
///
/// The file must be the same before and after: a file that is written to meanwhile is [`Error::ChangedWhileRead`], one
/// that became shorter [`Error::CutShort`]. What is no regular file (a pipe, a terminal) is read to its end; a
/// directory is an error. Progress is told in bytes.
pub fn file(path: &Path, wanted: Wanted, threads: Threads, observer: &dyn Observer) -> Result<Digests, Error> {
    let file = File::open(path).map_err(|e| Error::io(path, e))?;
    open_file(&file, path, wanted, threads, observer)
}

/// The same for a file that is open; `path` is for messages.
pub fn open_file(
    file: &File,
    path: &Path,
    wanted: Wanted,
    threads: Threads,
    observer: &dyn Observer,
) -> Result<Digests, Error> {
    /// How often a file is read again because its metadata, and only they, changed meanwhile: a hard link
    /// made, a permission set.
    const ATTEMPTS: usize = 3;
    let mut before = stamp(file, path)?;
    for attempt in 1.. {
        let digests = read_once(file, path, before, wanted, threads, observer)?;
        let after = stamp(file, path)?;
        if after == before {
            return Ok(digests);
        }
        let same_bytes = FileStamp { changed: before.changed, ..after } == before;
        if !same_bytes || attempt == ATTEMPTS {
            break;
        }
        before = after;
    }
    Err(Error::ChangedWhileRead { path: path.to_owned() })
}

fn stamp(file: &File, path: &Path) -> Result<FileStamp, Error> {
    FileStamp::of_file(file).map_err(|e| Error::io(path, e))
}

fn read_once(
    file: &File,
    path: &Path,
    stamp: FileStamp,
    wanted: Wanted,
    threads: Threads,
    observer: &dyn Observer,
) -> Result<Digests, Error> {
    let mut digests = Digests { size: stamp.size, id: None, sha256: None, quick: None, stamp };
    // Only what is no regular file, or is one that the kernel makes up (/proc), has bytes and no size.
    if stamp.size == 0 {
        let streamed = stream(&mut &*file, wanted, Threads::One, observer).map_err(|e| Error::io(path, e))?;
        digests = Digests { size: streamed.size, id: streamed.id, sha256: streamed.sha256, ..digests };
        if wanted.quick && streamed.size == 0 {
            digests.quick = Some(quick::of_reader(&Reader::new(file, &stamp), 0).map_err(|e| Error::io(path, e))?);
        }
        return Ok(digests);
    }
    if stamp.size > BUFFER as u64 {
        outwait_the_clock(&stamp);
    }
    let reader = Reader::new(file, &stamp);
    let source = Source { reader: &reader, path, size: stamp.size, observer };
    let threads = if stamp.size < WORTH_THREADS { 1 } else { threads.count() };
    if wanted.sha256 {
        let (id, sha256) = both::of_source(&source, threads)?;
        digests.id = wanted.id.then_some(id);
        digests.sha256 = Some(sha256);
    } else if wanted.id {
        digests.id = Some(subtree::together(&source, threads)?);
    }
    if wanted.quick {
        let quick = quick::of_reader(&reader, stamp.size).map_err(|error| match error.kind() {
            std::io::ErrorKind::UnexpectedEof => Error::ChangedWhileRead { path: path.to_owned() },
            _ => Error::io(path, error),
        })?;
        digests.quick = Some(quick);
    }
    Ok(digests)
}

/// A file written within the clock's current tick could be written again and keep its stamp, so that stamps before and
/// after a longer read would agree wrongly. Wait until the tick (10 ms) is over. A file read at once needs
/// no such care, and no file that lay still for a moment waits.
fn outwait_the_clock(stamp: &FileStamp) {
    let Ok(now) = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH) else { return };
    let now = i64::try_from(now.as_nanos()).unwrap_or(i64::MAX);
    let age = now.saturating_sub(stamp.modified.max(stamp.changed));
    if (0..20_000_000).contains(&age) {
        thread::sleep(Duration::from_nanos(20_000_000 - age as u64));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::ObjectId;
    use crate::observer::Silent;
    use std::io::Write;
    use std::sync::atomic::{AtomicBool, Ordering};

    /// Does something once, after the first bytes were read.
    struct Meddler<F: Fn() + Send + Sync>(AtomicBool, F);

    impl<F: Fn() + Send + Sync> Observer for Meddler<F> {
        fn advanced(&self, _: u64) {
            if !self.0.swap(true, Ordering::SeqCst) {
                (self.1)();
            }
        }
    }

    fn of_bytes(bytes: &[u8]) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        file
    }

    #[test]
    fn a_file_has_the_hashes_of_its_bytes_on_any_number_of_threads() {
        use sha2::Digest as _;
        for size in [0, 1, 1024, 65536, 65537, (1 << 20) - 1, 1 << 20, (3 << 20) + 5] {
            let bytes: Vec<u8> = (0..size).map(|i: u32| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
            let file = of_bytes(&bytes);
            for threads in [Threads::One, Threads::All, Threads::Exactly(5.try_into().unwrap())] {
                for sha256 in [false, true] {
                    let wanted = Wanted { sha256, quick: true, id: true };
                    let digests = super::file(file.path(), wanted, threads, &Silent).unwrap();
                    assert_eq!(digests.id, Some(ObjectId::of_blob(&bytes)), "{size}");
                    let expected = sha256.then(|| super::super::Sha256(sha2::Sha256::digest(&bytes).into()));
                    assert_eq!(digests.sha256, expected, "{size}");
                    assert_eq!(digests.quick, Some(quick::quick_hash(file.as_file(), u64::from(size)).unwrap()));
                    assert_eq!(digests.size, u64::from(size));
                }
            }
        }
    }

    /// Files that are read and files that are hashed where they lie, by one thread and by two, with and without SHA-256.
    fn each_way(check: impl Fn(usize, Wanted, Threads)) {
        for size in [100_000, 300_000, 3_000_000] {
            for sha256 in [false, true] {
                for threads in [Threads::One, Threads::Exactly(2.try_into().unwrap())] {
                    check(size, Wanted { sha256, ..Wanted::ID }, threads);
                }
            }
        }
    }

    #[test]
    fn a_file_that_changes_while_it_is_read_has_no_hash() {
        each_way(|size, wanted, threads| {
            let file = of_bytes(&vec![1; size]);
            let meddler = Meddler(AtomicBool::new(false), || {
                let mut again = std::fs::OpenOptions::new().write(true).open(file.path()).unwrap();
                again.write_all(b"x").unwrap();
            });
            let result = super::file(file.path(), wanted, threads, &meddler);
            assert!(matches!(result, Err(Error::ChangedWhileRead { .. })), "{size} {wanted:?}: {result:?}");
        });
    }

    #[test]
    fn a_file_cut_short_while_it_is_read_has_no_hash() {
        each_way(|size, wanted, threads| {
            let file = of_bytes(&vec![1; size]);
            let meddler = Meddler(AtomicBool::new(false), || file.as_file().set_len(50_000).unwrap());
            let result = super::file(file.path(), wanted, threads, &meddler);
            // What was read at one go before the cut is whole, and only the stamp betrays it.
            let named = matches!(result, Err(Error::CutShort { expected, .. }) if expected == size as u64)
                || matches!(result, Err(Error::ChangedWhileRead { .. }));
            assert!(named, "{size} {wanted:?}: {result:?}");
        });
    }

    #[test]
    fn a_file_that_is_cut_and_written_again_and_again_never_gets_a_wrong_hash() {
        let whole = vec![1; 4 << 20];
        let file = of_bytes(&whole);
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    file.as_file().set_len(1000).unwrap();
                    std::fs::write(file.path(), &whole).unwrap();
                }
            });
            for _ in 0..40 {
                let threads = Threads::Exactly(2.try_into().unwrap());
                if let Ok(digests) = super::file(file.path(), Wanted::ID, threads, &Silent) {
                    assert_eq!(digests.id, Some(ObjectId::of_blob(&whole[..digests.size as usize])));
                }
            }
            over.store(true, Ordering::Relaxed);
        });
    }

    #[test]
    fn a_hard_link_made_while_a_file_is_read_does_no_harm() {
        let file = of_bytes(&[1; 300_000]);
        let link = file.path().with_extension("link");
        let meddler = Meddler(AtomicBool::new(false), || std::fs::hard_link(file.path(), &link).unwrap());
        let result = super::file(file.path(), Wanted::ID, Threads::One, &meddler);
        std::fs::remove_file(&link).unwrap();
        assert_eq!(result.unwrap().id, Some(ObjectId::of_blob(&[1; 300_000])));
    }

    #[test]
    fn a_directory_and_an_absent_file_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let absent = folder.path().join("absent");
        let error = super::file(&absent, Wanted::ID, Threads::One, &Silent).unwrap_err();
        assert!(error.to_string().starts_with(&absent.display().to_string()), "{error}");
        assert!(super::file(folder.path(), Wanted::ID, Threads::One, &Silent).is_err());
    }

    #[test]
    fn a_wish_to_stop_is_heard() {
        struct Stop;
        impl Observer for Stop {
            fn interrupted(&self) -> bool {
                true
            }
        }
        let file = of_bytes(&vec![1; 2 << 20]);
        for threads in [Threads::One, Threads::All] {
            let result = super::file(file.path(), Wanted::ID, threads, &Stop);
            assert!(matches!(result, Err(Error::Interrupted)), "{result:?}");
        }
    }
}

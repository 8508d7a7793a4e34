//! Reading at a position, and how many readers a file's disk likes.
//!
//! Solid-state disks want many requests at once; a spinning disk or a network file system wants one
//! reader that goes forward. Bytes that already lie in memory want neither rule. So a [`Reader`] on a
//! disk of the second sort asks for what is cached without waiting, and takes its turn only for what
//! must come from the disk.
//!
//! Bytes that lie in memory need not be copied either: [`Reader::in_place`] lends those of a large file where they are. What must
//! come from a disk is read, because a mapping would fetch it a few pages at a time; and what comes over a
//! network is never mapped.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::identity::FileStamp;
use super::mapping::Mapping;

/// How many readers a device is given at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readers {
    /// One, going forward.
    One,
    /// As many as there are threads.
    Many,
}

/// What `COMFREY_READERS` (`1` or `one`, `many` or `all`) says, if it says anything.
fn wished() -> Option<Readers> {
    match std::env::var("COMFREY_READERS").ok()?.as_str() {
        "1" | "one" => Some(Readers::One),
        "many" | "all" => Some(Readers::Many),
        _ => None,
    }
}

/// One turn a device, shared by all threads of this process.
type Turn = Arc<Mutex<()>>;

/// How a device wants to be read. Asked once a device.
#[derive(Debug, Clone)]
struct Manner {
    /// The turn to take, or none where many readers are welcome.
    turn: Option<Turn>,
    /// Its bytes come over a network or through another process.
    remote: bool,
}

impl Manner {
    fn of(file: &File, device: u64) -> Manner {
        static MANNERS: OnceLock<Mutex<HashMap<u64, Manner>>> = OnceLock::new();
        let mut manners = MANNERS.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
        let asked = || {
            let remote = system::is_remote(file);
            let likes_one = remote || system::spins(device);
            let readers = wished().unwrap_or(if likes_one { Readers::One } else { Readers::Many });
            Manner { turn: (readers == Readers::One).then(Turn::default), remote }
        };
        manners.entry(device).or_insert_with(asked).clone()
    }
}

/// Reads one file at given positions, from many threads, in the way that its disk likes.
pub struct Reader<'a> {
    file: &'a File,
    turn: Option<Turn>,
    mapping: Option<Mapping>,
}

impl<'a> Reader<'a> {
    /// `stamp` is the file's own.
    pub fn new(file: &'a File, stamp: &FileStamp) -> Self {
        /// Below this a mapping costs more than the copy that it spares.
        const WORTH_A_MAPPING: u64 = 256 * 1024;
        let Manner { turn, remote } = Manner::of(file, stamp.device);
        let map = stamp.size >= WORTH_A_MAPPING && !remote;
        Reader { file, turn, mapping: map.then(|| Mapping::of(file, stamp.size)).flatten() }
    }

    /// True where [`Reader::in_place`] has a chance.
    pub fn may_lend(&self) -> bool {
        self.mapping.is_some()
    }

    /// What `work` makes of the bytes in `range`, lent where they lie in memory. None where they do not lie there, or
    /// turned out not to be the file's while `work` looked at them: they must be read then, which also tells why.
    /// Somebody who writes to the file meanwhile changes what `work` sees.
    pub fn in_place<R>(&self, range: Range<u64>, work: impl FnOnce(&[u8]) -> R) -> Option<R> {
        let mapping = self.mapping.as_ref()?;
        if range.is_empty() || !mapping.is_whole() || !self.lies_in_memory(&range) {
            return None;
        }
        let bytes = mapping.bytes().get(usize::try_from(range.start).ok()?..usize::try_from(range.end).ok()?)?;
        let made = work(bytes);
        mapping.is_whole().then_some(made)
    }

    /// True when `range` can be looked at without waiting. Where the system does not tell of a range, both ends are tried, and what is
    /// missing between them is fetched when it is touched: slower, and not wrong.
    fn lies_in_memory(&self, range: &Range<u64>) -> bool {
        system::is_cached(self.file, range).unwrap_or_else(|| {
            [range.start, range.end - 1].iter().all(|&offset| system::read_cached(self.file, &mut [0], offset) == 1)
        })
    }

    /// Fills `buffer` from `offset` on. Returns the bytes read, fewer than wanted only at the end of the file.
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let Some(turn) = &self.turn else { return fill(self.file, buffer, offset) };
        let cached = system::read_cached(self.file, buffer, offset).min(buffer.len());
        if cached == buffer.len() {
            return Ok(cached);
        }
        let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(cached + fill(self.file, &mut buffer[cached..], offset + cached as u64)?)
    }
}

/// Reads until `buffer` is full or the file ends.
fn fill(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match system::read_at(file, &mut buffer[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(unix)]
mod system {
    use super::*;
    pub use std::os::unix::fs::FileExt;

    pub fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        FileExt::read_at(file, buffer, offset)
    }

    /// Bytes that are in the page cache, from `offset` on; 0 where the system cannot say.
    #[cfg(target_os = "linux")]
    pub fn read_cached(file: &File, buffer: &mut [u8], offset: u64) -> usize {
        let mut vectors = [io::IoSliceMut::new(buffer)];
        rustix::io::preadv2(file, &mut vectors, offset, rustix::io::ReadWriteFlags::NOWAIT).unwrap_or(0)
    }

    /// Whether all pages of `range` are in the page cache; None where the system does not say. Unlike trying to read, asking does not
    /// disturb what the system fetches ahead.
    #[cfg(target_os = "linux")]
    pub fn is_cached(file: &File, range: &Range<u64>) -> Option<bool> {
        use std::os::fd::AsRawFd;
        /// Its number on every processor that Rust knows under Linux.
        const CACHESTAT: libc::c_long = 451;
        /// `struct cachestat` of cachestat(2), Linux 6.5: five counts of pages.
        #[repr(C)]
        #[derive(Default)]
        struct Pages {
            cached: u64,
            dirty: u64,
            writeback: u64,
            evicted: u64,
            recently_evicted: u64,
        }
        let of = [range.start, range.end - range.start];
        let mut pages = Pages::default();
        // SAFETY: the call reads two numbers and writes five, for which both pointers have room.
        let done = unsafe { libc::syscall(CACHESTAT, file.as_raw_fd(), of.as_ptr(), &raw mut pages, 0) };
        let page = rustix::param::page_size() as u64;
        let wanted = range.end.div_ceil(page) - range.start / page;
        // Not there, or not allowed for a file that is another's.
        (done == 0).then_some(pages.cached >= wanted)
    }

    #[cfg(not(target_os = "linux"))]
    pub fn is_cached(_: &File, _: &Range<u64>) -> Option<bool> {
        None
    }

    #[cfg(not(target_os = "linux"))]
    pub fn read_cached(_: &File, _: &mut [u8], _: u64) -> usize {
        0
    }

    /// True for a file system whose bytes come over a network or through one other process.
    #[cfg(target_os = "linux")]
    pub fn is_remote(file: &File) -> bool {
        /// Magic numbers of statfs(2): NFS, SMB, CIFS, SMB2, Ceph, AFS, 9P, Coda, FUSE.
        const REMOTE: [u64; 9] =
            [0x6969, 0x517b, 0xff53_4d42, 0xfe53_4d42, 0x00c3_6400, 0x5346_414f, 0x0102_1997, 0x7375_7245, 0x6573_5546];
        rustix::fs::fstatfs(file).is_ok_and(|about| REMOTE.contains(&(about.f_type as u64 & 0xffff_ffff)))
    }

    #[cfg(target_os = "linux")]
    pub fn spins(device: u64) -> bool {
        let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
        // A partition has no queue of its own; its disk is the folder above.
        let spins = ["queue/rotational", "../queue/rotational"]
            .iter()
            .find_map(|below| std::fs::read_to_string(format!("/sys/dev/block/{major}:{minor}/{below}")).ok());
        spins.is_some_and(|answer| answer.trim() == "1")
    }

    #[cfg(not(target_os = "linux"))]
    pub fn is_remote(_: &File) -> bool {
        false
    }

    #[cfg(not(target_os = "linux"))]
    pub fn spins(_: u64) -> bool {
        false
    }
}

#[cfg(windows)]
mod system {
    use super::*;
    use std::os::windows::fs::FileExt;

    pub fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        file.seek_read(buffer, offset)
    }

    pub fn is_cached(_: &File, _: &Range<u64>) -> Option<bool> {
        None
    }

    pub fn read_cached(_: &File, _: &mut [u8], _: u64) -> usize {
        0
    }

    pub fn is_remote(_: &File) -> bool {
        false
    }

    pub fn spins(_: u64) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn one_reader_and_many_read_the_same_bytes() {
        let mut file = tempfile::tempfile().unwrap();
        let bytes: Vec<u8> = (0..100_000u32).map(|i| ((i * 7) >> 3) as u8).collect();
        file.write_all(&bytes).unwrap();
        for turn in [None, Some(Turn::default())] {
            let reader = Reader { file: &file, turn, mapping: None };
            let mut buffer = vec![0; 70_000];
            assert_eq!(reader.read_at(&mut buffer, 10).unwrap(), 70_000);
            assert_eq!(buffer, bytes[10..70_010]);
            assert_eq!(reader.read_at(&mut buffer, 60_000).unwrap(), 40_000);
            assert_eq!(buffer[..40_000], bytes[60_000..]);
            assert_eq!(reader.read_at(&mut buffer, 200_000).unwrap(), 0);
        }
    }

    fn large(bytes: u8, length: usize) -> (File, FileStamp) {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&vec![bytes; length]).unwrap();
        let stamp = FileStamp::of_file(&file).unwrap();
        (file, stamp)
    }

    #[test]
    fn what_lies_in_memory_is_lent_and_what_is_cut_off_is_not() {
        let (file, stamp) = large(7, 1 << 20);
        let reader = Reader::new(&file, &stamp);
        // Where the system maps nothing (a network file system, say), nothing is lent, and there is nothing to test.
        let Some(sum) = reader.in_place(10..1_000_010, |bytes| bytes.iter().map(|&b| u64::from(b)).sum::<u64>()) else {
            return;
        };
        assert_eq!(sum, 7_000_000);
        assert_eq!(reader.in_place(0..0, |_| ()), None);
        assert_eq!(reader.in_place(0..(1 << 20) + 1, |_| ()), None, "beyond the end");

        // Cut short before it is lent, and while it is.
        let cut_meanwhile = |bytes: &[u8]| {
            file.set_len(500_000).unwrap();
            bytes[bytes.len() - 1]
        };
        assert_eq!(reader.in_place(0..1 << 20, cut_meanwhile), None);
        assert_eq!(reader.in_place(0..1000, |bytes| bytes[0]), None, "what is torn is not lent again");
        let reader = Reader::new(&file, &stamp);
        let last = |bytes: &[u8]| bytes[bytes.len() - 1];
        assert_eq!(reader.in_place(0..1 << 20, last), None);
        let mut buffer = vec![0; 1 << 20];
        assert_eq!(reader.read_at(&mut buffer, 0).unwrap(), 500_000, "reading tells how much there is");
    }
}

//! Reading at a position, and how many readers a file's disk likes.
//!
//! Solid-state disks want many requests at once; a spinning disk or a network file system wants one
//! reader that goes forward. Bytes that already lie in memory want neither rule. So a [`Reader`] on a
//! disk of the second sort asks for what is cached without waiting, and takes its turn only for what
//! must come from the disk.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::identity::FileStamp;

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

/// The turn to take for reads from `device`, or none where many readers are welcome. Asked once a device.
fn turn_for(file: &File, device: u64) -> Option<Turn> {
    static TURNS: OnceLock<Mutex<HashMap<u64, Option<Turn>>>> = OnceLock::new();
    let mut turns = TURNS.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
    let turn = turns.entry(device).or_insert_with(|| {
        let readers = wished().unwrap_or_else(|| system::readers(file, device));
        (readers == Readers::One).then(Turn::default)
    });
    turn.clone()
}

/// Reads one file at given positions, from many threads, in the way that its disk likes.
pub struct Reader<'a> {
    file: &'a File,
    turn: Option<Turn>,
}

impl<'a> Reader<'a> {
    /// `stamp` is the file's own.
    pub fn new(file: &'a File, stamp: &FileStamp) -> Self {
        Reader { file, turn: turn_for(file, stamp.device) }
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

    #[cfg(not(target_os = "linux"))]
    pub fn read_cached(_: &File, _: &mut [u8], _: u64) -> usize {
        0
    }

    #[cfg(target_os = "linux")]
    pub fn readers(file: &File, device: u64) -> Readers {
        /// File systems whose bytes come over a network or through one other process; magic numbers of
        /// statfs(2): NFS, SMB, CIFS, SMB2, Ceph, AFS, 9P, Coda, FUSE.
        const REMOTE: [u64; 9] =
            [0x6969, 0x517b, 0xff53_4d42, 0xfe53_4d42, 0x00c3_6400, 0x5346_414f, 0x0102_1997, 0x7375_7245, 0x6573_5546];
        if rustix::fs::fstatfs(file).is_ok_and(|about| REMOTE.contains(&(about.f_type as u64 & 0xffff_ffff))) {
            return Readers::One;
        }
        let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
        // A partition has no queue of its own; its disk is the folder above.
        let spins = ["queue/rotational", "../queue/rotational"]
            .iter()
            .find_map(|below| std::fs::read_to_string(format!("/sys/dev/block/{major}:{minor}/{below}")).ok());
        if spins.is_some_and(|answer| answer.trim() == "1") { Readers::One } else { Readers::Many }
    }

    #[cfg(not(target_os = "linux"))]
    pub fn readers(_: &File, _: u64) -> Readers {
        Readers::Many
    }
}

#[cfg(windows)]
mod system {
    use super::*;
    use std::os::windows::fs::FileExt;

    pub fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        file.seek_read(buffer, offset)
    }

    pub fn read_cached(_: &File, _: &mut [u8], _: u64) -> usize {
        0
    }

    pub fn readers(_: &File, _: u64) -> Readers {
        Readers::Many
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
            let reader = Reader { file: &file, turn };
            let mut buffer = vec![0; 70_000];
            assert_eq!(reader.read_at(&mut buffer, 10).unwrap(), 70_000);
            assert_eq!(buffer, bytes[10..70_010]);
            assert_eq!(reader.read_at(&mut buffer, 60_000).unwrap(), 40_000);
            assert_eq!(buffer[..40_000], bytes[60_000..]);
            assert_eq!(reader.read_at(&mut buffer, 200_000).unwrap(), 0);
        }
    }
}

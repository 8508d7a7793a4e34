//! An archive as a new folder.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::guard::{Admitted, Limits};
use super::tar::{Archive, ArchiveError, Entry};
use super::zip::{Zip, is_zip};
use crate::observer::{Observer, Unit};
use crate::platform::file_system;
use crate::platform::folder::Folder;

/// Why an archive did not become a folder. What was unpacked until then is still there.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    #[error("no archive: neither zip, tar, tar.gz nor tar.zst")]
    NotAnArchive,
    #[error(transparent)]
    Archive(ArchiveError),
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("interrupted")]
    Interrupted,
}

impl From<ArchiveError> for UnpackError {
    fn from(error: ArchiveError) -> Self {
        match error {
            ArchiveError::NotAnArchive => UnpackError::NotAnArchive,
            other => UnpackError::Archive(other),
        }
    }
}

/// What came out of an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Unpacked {
    pub files: u64,
    /// Bytes of all files.
    pub bytes: u64,
}

/// Unpacks the archive at `from` (`.zip`, `.tar`, `.tar.gz` or `.tar.zst`, told by its bytes) into the folder `to`, which is made and
/// should be one of our own: on an error it is left half-filled.
pub fn unpack(from: &Path, to: &Path, limits: Limits, observer: &dyn Observer) -> Result<Unpacked, UnpackError> {
    let mut file = File::open(from).map_err(io_error(from))?;
    let mut start = Vec::new();
    (&mut file).take(4).read_to_end(&mut start).map_err(io_error(from))?;
    file.seek(SeekFrom::Start(0)).map_err(io_error(from))?;
    std::fs::create_dir(to).map_err(io_error(to))?;
    let mut unpacking = Unpacking { to, observer, unpacked: Unpacked::default(), failed: None };
    observer.started("unpacking", Unit::Items, None);
    if is_zip(&start) {
        let packed = file.metadata().map_err(io_error(from))?.len();
        let mut zip = Zip::open(io::BufReader::new(file), packed, limits)?;
        loop {
            let next = zip.next_entry(|entry, content| unpacking.entry(&entry, content));
            if unpacking.told(next)?.is_none() {
                break;
            }
        }
    } else {
        let mut tar = Archive::open(file, limits)?;
        while let Some(entry) = tar.next_entry()? {
            let done = unpacking.entry(&entry, &mut tar).map_err(super::tar::unwrap_read);
            unpacking.told(done)?;
        }
    }
    observer.finished();
    Ok(unpacking.unpacked)
}

/// The one folder in which everything lies, as archives of releases and of hosts have it; `folder` itself where there is no such.
pub fn only_folder(folder: &Path) -> PathBuf {
    let mut entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    match (entries.next(), entries.next()) {
        (Some(only), None) if only.file_type().is_ok_and(|kind| kind.is_dir()) => only.path(),
        _ => folder.to_owned(),
    }
}

struct Unpacking<'a> {
    to: &'a Path,
    observer: &'a dyn Observer,
    unpacked: Unpacked,
    /// Why the last entry was not written, where that was not for the archive.
    failed: Option<UnpackError>,
}

impl Unpacking<'_> {
    /// Prefers our own reason to what went through a reader.
    fn told<T>(&mut self, done: Result<T, ArchiveError>) -> Result<T, UnpackError> {
        match self.failed.take() {
            Some(failed) => Err(failed),
            None => Ok(done?),
        }
    }

    fn entry(&mut self, entry: &Entry, content: &mut dyn Read) -> io::Result<()> {
        if self.observer.interrupted() {
            self.failed = Some(UnpackError::Interrupted);
            return Err(io::ErrorKind::Interrupted.into());
        }
        let place = entry.path.below(self.to);
        let written = match self.write(entry, &place, content) {
            Ok(()) => Ok(()),
            Err(Side::Archive(error)) => Err(error),
            Err(Side::Place(source)) => {
                let told = io::Error::from(source.kind());
                self.failed = Some(UnpackError::Io { path: place, source });
                Err(told)
            }
        };
        self.observer.advanced(1);
        written
    }

    fn write(&mut self, entry: &Entry, place: &Path, content: &mut dyn Read) -> Result<(), Side> {
        let above = place.parent().unwrap_or(self.to);
        match &entry.what {
            Admitted::Folder => return std::fs::create_dir_all(place).map_err(Side::Place),
            _ => std::fs::create_dir_all(above).map_err(Side::Place)?,
        }
        match &entry.what {
            Admitted::Folder => {}
            Admitted::File => {
                let mut file = OpenOptions::new().write(true).create_new(true).open(place).map_err(Side::Place)?;
                self.unpacked.bytes += copy(content, &mut file)?;
                self.unpacked.files += 1;
                if entry.executable {
                    file_system::make_executable(place).map_err(Side::Place)?;
                }
            }
            Admitted::Symlink(target) => {
                let name = place.file_name().unwrap_or_default();
                let made = Folder::open(above).and_then(|above| above.create_symlink(name, Path::new(target)));
                made.map_err(Side::Place)?;
            }
            Admitted::HardLink(first) => {
                self.unpacked.bytes += std::fs::copy(first.below(self.to), place).map_err(Side::Place)?;
                self.unpacked.files += 1;
            }
        }
        Ok(())
    }
}

/// Where it failed.
enum Side {
    Archive(io::Error),
    Place(io::Error),
}

fn copy(from: &mut dyn Read, to: &mut File) -> Result<u64, Side> {
    let mut buffer = vec![0; 1 << 16];
    let mut copied = 0;
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(copied),
            Ok(read) => {
                to.write_all(&buffer[..read]).map_err(Side::Place)?;
                copied += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Side::Archive(error)),
        }
    }
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> UnpackError + use<> {
    let path = path.to_owned();
    move |source| UnpackError::Io { path, source }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::super::guard::Rule;
    use super::*;
    use crate::observer::Silent;

    fn zipped(files: &[(&str, &str, u32)]) -> Vec<u8> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, text, mode) in files {
            writer.start_file(*name, SimpleFileOptions::default().unix_permissions(*mode)).unwrap();
            writer.write_all(text.as_bytes()).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    fn tarred(files: &[(&str, &str, u32)]) -> Vec<u8> {
        let mut builder = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
        for (name, text, mode) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(text.len() as u64);
            header.set_mode(*mode);
            header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
            header.set_cksum();
            builder.append(&header, text.as_bytes()).unwrap();
        }
        builder.into_inner().unwrap().finish().unwrap()
    }

    #[test]
    fn both_kinds_become_the_same_files() {
        let files = [("top/a.py", "a = 1", 0o644), ("top/sub/run.sh", "#!/bin/sh", 0o755)];
        for bytes in [zipped(&files), tarred(&files)] {
            let dir = tempfile::tempdir().unwrap();
            let (from, to) = (dir.path().join("archive"), dir.path().join("to"));
            std::fs::write(&from, bytes).unwrap();
            assert_eq!(unpack(&from, &to, Limits::default(), &Silent).unwrap(), Unpacked { files: 2, bytes: 14 });
            assert_eq!(only_folder(&to), to.join("top"));
            assert_eq!(only_folder(&to.join("top")), to.join("top"));
            assert_eq!(std::fs::read_to_string(to.join("top/a.py")).unwrap(), "a = 1");
            #[cfg(unix)]
            {
                use std::os::unix::fs::PermissionsExt;
                let mode = |name: &str| std::fs::metadata(to.join(name)).unwrap().permissions().mode() & 0o100;
                assert_eq!((mode("top/a.py"), mode("top/sub/run.sh")), (0, 0o100));
            }
        }
    }

    #[test]
    fn an_archive_that_climbs_out_of_its_folder_is_refused_and_writes_nothing_there() {
        for bytes in [zipped(&[("../evil.py", "x", 0o644)]), tarred(&[("../evil.py", "x", 0o644)])] {
            let dir = tempfile::tempdir().unwrap();
            let (from, to) = (dir.path().join("archive"), dir.path().join("to"));
            std::fs::write(&from, bytes).unwrap();
            let refused = unpack(&from, &to, Limits::default(), &Silent).unwrap_err();
            assert!(
                matches!(&refused, UnpackError::Archive(ArchiveError::Refused(r)) if r.rule == Rule::Dots),
                "{refused}"
            );
            assert!(!dir.path().join("evil.py").exists());
        }
    }

    #[test]
    fn what_is_no_archive_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("archive"), dir.path().join("to"));
        std::fs::write(&from, "<!DOCTYPE html>").unwrap();
        let refused = unpack(&from, &to, Limits::default(), &Silent).unwrap_err();
        assert!(matches!(refused, UnpackError::NotAnArchive), "{refused}");
    }
}

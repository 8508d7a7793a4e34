//! Files with the same bytes, and the room on disk that they waste.

use std::collections::{BTreeMap, HashMap};

use crate::digest::QuickHash;
use crate::object::ObjectId;
use crate::observer::Observer;
use crate::platform::identity::FileStamp;
use crate::store::Store;

use super::error::{Error, Problem};
use super::index::{Depth, ModelIndex};
use super::linking::LinkLog;
use super::linking::linker::same_bytes;
use super::record::IndexedFile;

/// Files of one id, two or more of them with room of their own on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    pub id: ObjectId,
    /// Of each, in bytes.
    pub size: u64,
    /// The one to keep is the first.
    pub copies: Vec<OnDisk>,
}

/// One file on disk, with all the names that were found for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnDisk {
    /// At least one.
    pub files: Vec<IndexedFile>,
    /// It shares its room with another of the group, since Comfrey made it a reflink of that.
    pub is_reflink: bool,
}

impl OnDisk {
    /// Its stamp as of the last look at it.
    pub fn stamp(&self) -> FileStamp {
        self.files
            .first()
            .map_or(FileStamp { device: 0, inode: 0, size: 0, modified: 0, changed: 0 }, |file| file.stamp)
    }
}

impl Group {
    /// Bytes that would be free if all had the room of one.
    pub fn wasted(&self) -> u64 {
        let rooms = self.copies.iter().filter(|copy| !copy.is_reflink).count() as u64;
        self.size.saturating_mul(rooms.saturating_sub(1))
    }
}

/// What was found.
#[derive(Debug, Default)]
pub struct Duplicates {
    /// Those that waste most first.
    pub groups: Vec<Group>,
    /// Files that could not be read to be compared.
    pub problems: Vec<Problem>,
}

type Inode = (u64, u64);

/// Finds the duplicates among `files`, which were just brought up to date. Files that may be equal (size and quick hash are) are read
/// whole first: only ids prove it (invariant R6). Hard links to one file are one copy.
///
/// # Errors
/// The store; a wish to stop.
pub fn find(store: &Store, files: Vec<IndexedFile>, observer: &dyn Observer) -> Result<Duplicates, Error> {
    let mut alike: HashMap<(u64, Option<QuickHash>), Vec<IndexedFile>> = HashMap::new();
    for file in files {
        // Empty files take no room.
        if file.is_present() && file.size() > 0 {
            alike.entry((file.size(), file.quick)).or_default().push(file);
        }
    }
    alike.retain(|_, files| files.iter().any(|file| inode(file) != inode(&files[0])));
    let mut candidates: Vec<IndexedFile> = alike.into_values().flatten().collect();
    candidates.sort_by(|a, b| (&a.root, &a.path).cmp(&(&b.root, &b.path)));
    let depth = Depth::Full { sha256: false };
    let (files, problems) = ModelIndex::new(store).read(&candidates, depth, observer)?;
    let mut by_id: BTreeMap<ObjectId, BTreeMap<Inode, Vec<IndexedFile>>> = BTreeMap::new();
    for file in files {
        let Some(id) = file.id else { continue };
        let names = by_id.entry(id).or_default().entry(inode(&file)).or_default();
        // Two roots may lead to one folder.
        if names.iter().all(|other| other.file() != file.file()) {
            names.push(file);
        }
    }
    let log = LinkLog::new(store).reflinks()?;
    let mut groups = Vec::new();
    for (id, copies) in by_id {
        let present: Vec<FileStamp> = copies.values().map(|files| files[0].stamp).collect();
        let is_reflink = |files: &[IndexedFile]| {
            log.iter().any(|record| {
                record.id == id
                    && record.now.is_some_and(|now| now == files[0].stamp)
                    && present.iter().any(|stamp| same_bytes(stamp, &record.kept_was))
            })
        };
        let size = present.first().map_or(0, |stamp| stamp.size);
        let mut copies: Vec<OnDisk> =
            copies.into_values().map(|files| OnDisk { is_reflink: is_reflink(&files), files }).collect();
        // The one that already has most names gives most room back.
        copies.sort_by_key(|copy| (copy.is_reflink, std::cmp::Reverse(names_on_disk(copy)), copy.files[0].place()));
        let group = Group { id, size, copies };
        if group.wasted() > 0 {
            groups.push(group);
        }
    }
    groups.sort_by(|a, b| b.wasted().cmp(&a.wasted()).then_with(|| a.id.cmp(&b.id)));
    Ok(Duplicates { groups, problems })
}

fn inode(file: &IndexedFile) -> Inode {
    (file.stamp.device, file.stamp.inode)
}

/// How many names it has in all, those outside the models folders included.
fn names_on_disk(copy: &OnDisk) -> u64 {
    let metadata = std::fs::metadata(copy.files[0].file());
    metadata.ok().and_then(|metadata| crate::platform::links::names_of(&metadata)).unwrap_or(1)
}

//! [`Store`]: create and open.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::faults::Faults;
use super::index::Index;
use super::known_files::{self, KnownFiles};
use super::large::Large;
use super::options::StoreOptions;
use super::records::Records;
use super::segment::Segments;
use super::tables::RecordTable;
use super::{Error, Result, format, staging};
use crate::object::ObjectId;
use crate::platform::durable;
use crate::platform::identity::FileStamp;
use crate::platform::lock::{Access, LockFile, Patience};

/// A store. Cheap to open and to clone; may be used from many threads.
#[derive(Clone)]
pub struct Store {
    pub(super) shared: Arc<Shared>,
}

/// What a store and its writers have in common.
pub struct Shared {
    pub(super) folder: PathBuf,
    pub(super) options: StoreOptions,
    pub(super) faults: Arc<Faults>,
    pub(super) index: Index,
    pub(super) segments: Segments,
    pub(super) large: Large,
    /// See [`Store::settle_links`].
    pub(super) links: Mutex<HashMap<ObjectId, FileStamp>>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.settle_links();
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Store({})", self.dir().display())
    }
}

impl Store {
    /// Makes a store in `folder` (a workspace's `.comfrey`), making the folder too. What an interrupted attempt left is
    /// taken up. Errors: [`Error::AlreadyThere`].
    pub fn create(folder: &Path) -> Result<Store> {
        if folder.join(format::NAME).exists() {
            return Err(Error::AlreadyThere(folder.to_owned()));
        }
        for folder in ["", "segments", "large", "staging", "logs"].map(|name| folder.join(name)) {
            std::fs::create_dir_all(&folder).map_err(Error::io(&folder))?;
        }
        let store = Store::assemble(folder, &StoreOptions::default(), Faults::of_environment());
        store.shared.index.create()?;
        format::create(folder)?;
        if let Some(above) = folder.parent().filter(|above| !above.as_os_str().is_empty()) {
            durable::sync_folder(above).map_err(Error::io(above))?;
        }
        Ok(store)
    }

    /// Opens the store in `folder`. Reads nothing but `format`. Errors: [`Error::NotAStore`], [`Error::Format`].
    pub fn open(folder: &Path, options: &StoreOptions) -> Result<Store> {
        Store::open_with_faults(folder, options, Faults::of_environment())
    }

    /// The same, with effects on the disk that fail as told. For tests.
    pub fn open_with_faults(folder: &Path, options: &StoreOptions, faults: Faults) -> Result<Store> {
        format::check(folder)?;
        Ok(Store::assemble(folder, options, faults))
    }

    pub(super) fn assemble(folder: &Path, options: &StoreOptions, faults: Faults) -> Store {
        let faults = Arc::new(faults);
        Store {
            shared: Arc::new(Shared {
                folder: folder.to_owned(),
                options: options.clone(),
                index: Index::new(folder, options.clone(), Arc::clone(&faults)),
                segments: Segments::new(folder, Arc::clone(&faults)),
                large: Large::new(folder, Arc::clone(&faults)),
                links: Mutex::default(),
                faults,
            }),
        }
    }

    /// The store's folder.
    pub fn dir(&self) -> &Path {
        &self.shared.folder
    }

    pub fn options(&self) -> &StoreOptions {
        &self.shared.options
    }

    /// The index, for `fsck` and `gc`.
    pub fn index(&self) -> &Index {
        &self.shared.index
    }

    /// The segments, for `fsck` and `gc`.
    pub fn segments(&self) -> &Segments {
        &self.shared.segments
    }

    /// The large blobs, for `fsck` and `gc`.
    pub fn large(&self) -> &Large {
        &self.shared.large
    }

    /// The seam through which effects on the disk go.
    pub fn faults(&self) -> &Faults {
        &self.shared.faults
    }

    /// The newest operation.
    pub fn head_operation(&self) -> Result<Option<ObjectId>> {
        self.shared.index.head_operation()
    }

    /// Makes `new`, which must be published, the newest operation if `expected` is it. False: someone was faster.
    pub fn advance_operation(&self, expected: Option<ObjectId>, new: ObjectId) -> Result<bool> {
        self.shared.index.advance_operation(expected, new)
    }

    /// Held by who makes an operation, from reading the newest to being it, so that no operation is stored that never becomes the
    /// newest: `fsck --rebuild-index` knows the newest only by its place in the chain.
    pub fn lock_operations(&self) -> Result<LockFile> {
        let path = self.shared.folder.join("operations.lock");
        let options = &self.shared.options;
        let patience = Patience {
            timeout: options.lock_timeout,
            observer: options.observer.as_ref(),
            what: "a change of refs by another program",
        };
        LockFile::take(&path, Access::Exclusive, patience).map_err(|e| Error::lock(&path, e))
    }

    /// A small table of the floors above.
    pub fn records(&self, table: RecordTable) -> Records<'_> {
        Records { index: &self.shared.index, table }
    }

    /// What is known of files on disk. What is remembered through this handle must be read after this call.
    pub fn known_files(&self) -> KnownFiles<'_> {
        KnownFiles { index: &self.shared.index, since: known_files::now() }
    }

    /// Keeps writers out, for who deletes objects; waits for those at work.
    pub fn lock_for_deleting(&self) -> Result<LockFile> {
        self.shared.lock_for(Access::Exclusive)
    }

    /// Removes what dead programs have left in `staging/`.
    pub fn sweep_staging(&self) {
        staging::sweep(&self.shared.folder);
    }
}

impl Shared {
    pub(super) fn lock_for(&self, access: Access) -> Result<LockFile> {
        let path = self.folder.join("gc.lock");
        let what = match access {
            Access::Exclusive => "programs that write to the store",
            Access::Shared => "the store, while objects are being deleted",
        };
        let patience = Patience { timeout: self.options.lock_timeout, observer: self.options.observer.as_ref(), what };
        LockFile::take(&path, access, patience).map_err(|e| Error::lock(&path, e))
    }
}

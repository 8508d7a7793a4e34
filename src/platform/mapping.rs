//! A file as memory, which survives that the file is cut short meanwhile.
//!
//! Reading memory that is mapped from a file spares the copy out of the page cache. But where such a file becomes shorter, or
//! its disk fails, touching what is no longer there kills the process with `SIGBUS`. So every [`Mapping`] is written down
//! in a table, and a handler, installed with the first of them, looks the address up: for one of ours it marks the
//! mapping as torn, puts zeroes where the bytes are missing, and lets the reader go on. The reader asks
//! [`Mapping::is_whole`] after it has used the bytes, and throws away what it made of them when the answer is no
//! (invariant D4). A fault anywhere else goes to the handler that was there before.
//!
//! Only Linux maps; elsewhere there is never a [`Mapping`], and files are read.

#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
pub use guarded::Mapping;

/// A mapping that cannot be had on this system.
#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
pub enum Mapping {}

#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
impl Mapping {
    pub fn of(_: &std::fs::File, _: u64) -> Option<Self> {
        None
    }

    pub fn bytes(&self) -> &[u8] {
        match *self {}
    }

    pub fn is_whole(&self) -> bool {
        match *self {}
    }
}

#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
mod guarded {
    use std::cell::UnsafeCell;
    use std::fs::File;
    use std::mem::MaybeUninit;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use libc::{c_int, c_void, siginfo_t};

    /// The first bytes of a file, mapped read-only.
    pub struct Mapping {
        place: &'static Place,
        // The field after `place`: unmapped last, see `Drop`.
        map: memmap2::Mmap,
    }

    impl Mapping {
        /// Maps the first `size` bytes of `file`. None where the system cannot, or so many files are mapped already that
        /// one more could not be guarded: the file must be read then.
        pub fn of(file: &File, size: u64) -> Option<Self> {
            let length = usize::try_from(size).ok().filter(|&length| length > 0)?;
            if !install() {
                return None;
            }
            let place = Place::claim()?;
            // SAFETY: the mapping is read-only and private to this value. Its bytes may change while they are looked at when
            // someone writes to the file, as with every mapped file; readers compare the file's stamp before and
            // after and use nothing of what they read when it changed. Pages that vanish are the guard's concern.
            match unsafe { memmap2::MmapOptions::new().len(length).map(file) } {
                Ok(map) => {
                    place.guard(map.as_ptr() as usize, length);
                    Some(Mapping { place, map })
                }
                Err(_) => {
                    place.free();
                    None
                }
            }
        }

        /// All bytes. Zeroes stand where the file was cut short or could not be read, see [`Mapping::is_whole`].
        pub fn bytes(&self) -> &[u8] {
            &self.map
        }

        /// True when everything that was read from [`Mapping::bytes`] so far were bytes of the file.
        pub fn is_whole(&self) -> bool {
            // The handler marks before it puts zeroes, so whoever saw a zero of its making sees the mark.
            std::sync::atomic::fence(Ordering::SeqCst);
            !self.place.torn.load(Ordering::SeqCst)
        }
    }

    impl Drop for Mapping {
        fn drop(&mut self) {
            // Before the memory is given back, so that the table never names memory that became another's.
            self.place.free();
        }
    }

    /// One mapping in the table. `version` is even while the place is free or being written, odd while `start` and `length` hold.
    struct Place {
        taken: AtomicBool,
        version: AtomicUsize,
        start: AtomicUsize,
        length: AtomicUsize,
        torn: AtomicBool,
    }

    /// Threads map one file each at most, and far fewer of them run than this.
    static PLACES: [Place; 128] = [const {
        Place {
            taken: AtomicBool::new(false),
            version: AtomicUsize::new(0),
            start: AtomicUsize::new(0),
            length: AtomicUsize::new(0),
            torn: AtomicBool::new(false),
        }
    }; 128];

    impl Place {
        fn claim() -> Option<&'static Place> {
            let free =
                |place: &&Place| place.taken.compare_exchange(false, true, Ordering::SeqCst, Ordering::Relaxed).is_ok();
            PLACES.iter().find(free)
        }

        fn guard(&self, start: usize, length: usize) {
            self.start.store(start, Ordering::SeqCst);
            self.length.store(length, Ordering::SeqCst);
            self.torn.store(false, Ordering::SeqCst);
            self.version.fetch_add(1, Ordering::SeqCst);
        }

        /// Gives the place back, guarded or not.
        fn free(&self) {
            let version = self.version.load(Ordering::SeqCst);
            self.version.store((version + 1) & !1, Ordering::SeqCst);
            self.taken.store(false, Ordering::SeqCst);
        }

        /// Start and length, if this place guards `address`. The mapping that is being read cannot be freed, so what is read
        /// between two equal versions is one mapping's.
        fn guarding(&self, address: usize) -> Option<(usize, usize)> {
            let version = self.version.load(Ordering::SeqCst);
            let (start, length) = (self.start.load(Ordering::SeqCst), self.length.load(Ordering::SeqCst));
            let steady = version % 2 == 1 && version == self.version.load(Ordering::SeqCst);
            (steady && (start..start + length).contains(&address)).then_some((start, length))
        }
    }

    /// The handler that was there before ours. Written once, before ours is installed.
    struct Before(UnsafeCell<MaybeUninit<libc::sigaction>>);

    // SAFETY: written by one thread under `INSTALLED`'s lock before the handler that reads it can run.
    unsafe impl Sync for Before {}

    static BEFORE: Before = Before(UnsafeCell::new(MaybeUninit::uninit()));
    static INSTALLED: OnceLock<bool> = OnceLock::new();
    static PAGE: AtomicUsize = AtomicUsize::new(4096);

    /// Installs the handler, once. False when the system refuses.
    fn install() -> bool {
        *INSTALLED.get_or_init(|| {
            PAGE.store(rustix::param::page_size(), Ordering::SeqCst);
            // SAFETY: plain calls with valid pointers; the handler keeps to what is allowed in a handler.
            unsafe {
                if libc::sigaction(libc::SIGBUS, std::ptr::null(), BEFORE.0.get().cast()) != 0 {
                    return false;
                }
                let mut ours: libc::sigaction = std::mem::zeroed();
                ours.sa_sigaction = on_fault as *const () as usize;
                ours.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
                libc::sigemptyset(&raw mut ours.sa_mask);
                libc::sigaction(libc::SIGBUS, &raw const ours, std::ptr::null_mut()) == 0
            }
        })
    }

    /// Runs in the thread that touched what is not there. Only atomics and system calls.
    unsafe extern "C" fn on_fault(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
        // SAFETY: the kernel gives a valid `info`; a positive code says that it is about a fault and holds an address.
        let fault = unsafe { ((*info).si_code > 0).then(|| (*info).si_addr() as usize) };
        if let Some(address) = fault {
            for place in &PLACES {
                let Some((start, length)) = place.guarding(address) else { continue };
                place.torn.store(true, Ordering::SeqCst);
                let page = address & !(PAGE.load(Ordering::Relaxed) - 1);
                // SAFETY: from the page of the fault to the end of a mapping of ours, which is being read and so stays;
                // it is replaced by zeroes, read-only like what was there.
                let zeroes = unsafe {
                    libc::mmap(
                        page as *mut c_void,
                        start + length - page,
                        libc::PROT_READ,
                        libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED,
                        -1,
                        0,
                    )
                };
                if zeroes != libc::MAP_FAILED {
                    return;
                }
            }
        }
        // SAFETY: `BEFORE` was filled before this handler was installed.
        unsafe { go_on(signal, info, context) }
    }

    /// Does what would have been done without us.
    unsafe fn go_on(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
        // SAFETY: as above; what `sigaction` gave as a handler is a function of the sort that its flags say.
        unsafe {
            let before = (*BEFORE.0.get()).assume_init_ref();
            match before.sa_sigaction {
                libc::SIG_DFL | libc::SIG_IGN => {
                    let mut default: libc::sigaction = std::mem::zeroed();
                    default.sa_sigaction = libc::SIG_DFL;
                    libc::sigaction(signal, &raw const default, std::ptr::null_mut());
                    // A fault happens again when the handler returns; a signal that was sent does not.
                    if (*info).si_code <= 0 {
                        libc::raise(signal);
                    }
                }
                handler if before.sa_flags & libc::SA_SIGINFO != 0 => {
                    let handler: extern "C" fn(c_int, *mut siginfo_t, *mut c_void) = std::mem::transmute(handler);
                    handler(signal, info, context);
                }
                handler => {
                    let handler: extern "C" fn(c_int) = std::mem::transmute(handler);
                    handler(signal);
                }
            }
        }
    }
}

// Not on Windows: only Linux maps files into memory, so that nothing can be torn.
// Instead: the tests of `reading` read the same files elsewhere.
#[cfg(all(test, target_os = "linux", target_pointer_width = "64"))]
mod tests {
    use super::*;
    use std::fs::File;
    use std::io::Write;

    fn file_of(length: usize) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&vec![7; length]).unwrap();
        file
    }

    #[test]
    fn a_mapping_holds_the_bytes_of_the_file() {
        let mapping = Mapping::of(&file_of(10_000), 10_000).unwrap();
        assert_eq!(mapping.bytes(), vec![7; 10_000]);
        assert!(mapping.is_whole());
    }

    #[test]
    fn reading_what_was_cut_off_tears_the_mapping_and_no_other() {
        let (cut, other) = (file_of(1 << 20), file_of(1 << 20));
        let (torn, whole) = (Mapping::of(&cut, 1 << 20).unwrap(), Mapping::of(&other, 1 << 20).unwrap());
        cut.set_len(100_000).unwrap();
        assert_eq!(torn.bytes()[99_999], 7);
        assert!(torn.is_whole(), "what is still there may be read");
        assert_eq!(torn.bytes()[(1 << 20) - 1], 0);
        assert!(!torn.is_whole());
        assert_eq!(torn.bytes()[200_000], 0);
        assert_eq!(whole.bytes()[(1 << 20) - 1], 7);
        assert!(whole.is_whole());
        drop(torn);
        assert!(Mapping::of(&other, 1 << 20).unwrap().is_whole(), "a place that is used again begins whole");
    }

    #[test]
    fn many_threads_may_read_what_is_cut_off() {
        let file = file_of(1 << 20);
        let mapping = Mapping::of(&file, 1 << 20).unwrap();
        file.set_len(0).unwrap();
        std::thread::scope(|scope| {
            for n in 0..8 {
                let mapping = &mapping;
                scope.spawn(move || {
                    let read = mapping.bytes()[n << 17];
                    assert_eq!((read, mapping.is_whole()), (0, false));
                });
            }
        });
    }

    #[test]
    fn nothing_is_mapped_of_an_empty_file() {
        assert!(Mapping::of(&file_of(0), 0).is_none());
    }

    const CHILD: &str = "COMFREY_TEST_FAULT_ELSEWHERE";

    /// Not a test of its own: what `a_fault_that_is_not_ours_still_kills` runs as a process.
    #[test]
    fn child_that_faults_elsewhere() {
        if std::env::var_os(CHILD).is_none() {
            return;
        }
        let (ours, other) = (file_of(8192), file_of(8192));
        let mapping = Mapping::of(&ours, 8192).unwrap();
        // SAFETY: read-only; it is the purpose of this process to die of it.
        let foreign = unsafe { memmap2::Mmap::map(&other).unwrap() };
        other.set_len(0).unwrap();
        let many: Vec<_> = (0..1000).map_while(|_| Mapping::of(&ours, 8192)).collect();
        assert!(many.len() < 1000, "no more than can be guarded");
        drop(many);
        assert!(mapping.is_whole() && Mapping::of(&ours, 8192).is_some());
        println!("{}", std::hint::black_box(&foreign)[5000]);
    }

    #[test]
    fn a_fault_that_is_not_ours_still_kills() {
        use std::os::unix::process::ExitStatusExt;
        let done = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "platform::mapping::tests::child_that_faults_elsewhere"])
            .env(CHILD, "1")
            .output()
            .unwrap();
        assert_eq!(done.status.signal(), Some(libc::SIGBUS), "{done:?}");
    }
}

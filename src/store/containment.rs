//! Keeps a panic inside: redb panics on some damaged files (`unreachable!` on a byte that can only be 0 or 1, indices out of a page),
//! and a damaged index must be an error that says what to do.

use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    static CONTAINED: Cell<bool> = const { Cell::new(false) };
    static LAST: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Runs `work`; a panic in it becomes its text and place, and is not printed. What `work` was changing must not be used after
/// that.
pub fn contain<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |about| {
            if CONTAINED.get() {
                LAST.set(about.to_string().replace('\n', " "));
            } else {
                usual(about);
            }
        }));
    });
    let outer = CONTAINED.replace(true);
    let done = panic::catch_unwind(AssertUnwindSafe(work));
    CONTAINED.set(outer);
    done.map_err(|_| LAST.take())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_its_text() {
        assert_eq!(contain(|| 1), Ok(1));
        let text = contain(|| panic!("on purpose")).unwrap_err();
        assert!(text.contains("on purpose") && text.contains("containment.rs"), "{text}");
    }
}

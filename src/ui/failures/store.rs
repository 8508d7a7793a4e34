//! The store's errors as a person reads them.

use crate::store::Error;
use crate::ui::report::Bytes;
use crate::ui::{Exit, Failure};

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        let message = error.to_string();
        match &error {
            Error::Io { path, source } => Failure::io(path.display(), source),
            Error::NotAStore(_) => Failure::new(Exit::NotFound, message).hint("`comfrey init` makes one"),
            Error::AlreadyThere(_) => Failure::new(Exit::Conflict, message),
            Error::Format { .. } => {
                Failure::new(Exit::Damaged, message).hint("a newer Comfrey may have made it; use that one")
            }
            Error::FormatDamaged(_) => Failure::new(Exit::Damaged, message)
                .hint("`comfrey fsck --repair` writes it again if the rest of the store shows what it was"),
            Error::NotFound(_) => Failure::new(Exit::NotFound, message),
            Error::WrongKind { .. } => Failure::new(Exit::Usage, message),
            Error::Damaged { .. } | Error::Malformed { .. } => {
                Failure::new(Exit::Damaged, message).hint("`comfrey fsck` lists what else is damaged and who needs it")
            }
            Error::Changed { .. } => Failure::new(Exit::Damaged, message)
                .hint("put the file back as it was, or `comfrey fsck --repair` to look for its bytes elsewhere"),
            Error::TooLarge { .. } | Error::NotAFile(_) => Failure::new(Exit::Usage, message),
            Error::ChangedWhileRead(_) => {
                Failure::new(Exit::Conflict, message).hint("run it again once nothing writes to the file")
            }
            Error::CannotLink { .. } => {
                Failure::new(Exit::Conflict, message).hint("`store.models = auto` takes what the file system can do")
            }
            Error::Index { .. } => Failure::new(Exit::Damaged, message)
                .hint("`comfrey fsck --rebuild-index` makes it again from the objects"),
            Error::NoRoom { folder, wanted, free } => Failure::new(
                Exit::NotFound,
                format!("{}: {} are to come, and {} are free", folder.display(), Bytes(*wanted), Bytes(*free)),
            )
            .hint("free some space on that disk and run it again"),
            Error::Locked { .. } => {
                Failure::new(Exit::Conflict, message).hint("wait for it, or give `--lock-timeout` more seconds")
            }
            Error::Abandoned => Failure::new(Exit::Conflict, message).hint("run the command again"),
            Error::Interrupted => Failure::new(Exit::Interrupted, message),
        }
    }
}

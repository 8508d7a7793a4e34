//! An archive that could not be unpacked.

use crate::archive::{ArchiveError, UnpackError};
use crate::ui::{Exit, Failure};

impl From<UnpackError> for Failure {
    fn from(error: UnpackError) -> Self {
        let message = error.to_string();
        match error {
            UnpackError::Io { path, source } => Failure::io(path.display(), &source),
            UnpackError::Archive(ArchiveError::Io(error)) => Failure::io("reading the archive", &error),
            UnpackError::NotAnArchive => Failure::new(Exit::Damaged, message).hint("name an archive, or a folder"),
            UnpackError::Archive(ArchiveError::Refused(refusal)) => {
                Failure::new(Exit::Damaged, format!("the archive is refused: {refusal}"))
                    .hint("nothing was changed; an archive must stay in its own folder and be of a sane size")
            }
            UnpackError::Archive(_) => Failure::new(Exit::Damaged, format!("the archive is damaged: {message}"))
                .hint("nothing was changed; fetch it again"),
            UnpackError::Interrupted => Failure::new(Exit::Interrupted, message),
        }
    }
}

//! The bundle floor's errors as a person reads them.

use std::io;

use crate::archive::ArchiveError;
use crate::archive::guard::Rule;
use crate::bundle::export::ExportError;
use crate::bundle::import::ImportError;
use crate::bundle::opened::OpenError;
use crate::bundle::pack::PackError;
use crate::bundle::receive::ReceiveError;
use crate::bundle::send::SendError;
use crate::bundle::unpack::UnpackError;
use crate::ui::{Exit, Failure};

impl From<SendError> for Failure {
    fn from(error: SendError) -> Failure {
        let message = error.to_string();
        match error {
            SendError::Absent(_) => Failure::new(Exit::NotFound, message)
                .hint("models that are not here have sources; leave them out, or bring them in first"),
            SendError::Store(error) => error.into(),
            SendError::Pack(error) => error.into(),
        }
    }
}

impl From<PackError> for Failure {
    fn from(error: PackError) -> Failure {
        let message = error.to_string();
        match error {
            PackError::Write(error) if error.kind() == io::ErrorKind::BrokenPipe => error.into(),
            PackError::Write(error) => Failure::io("writing the pack", &error),
            PackError::Read { id, error } => Failure::io(format_args!("object {id}"), &error),
            PackError::Size { .. } | PackError::Decode { .. } => {
                Failure::new(Exit::Damaged, message).hint("`comfrey fsck` lists what else is damaged and who needs it")
            }
            PackError::TooLarge { .. } => Failure::new(Exit::Usage, message),
            PackError::Interrupted => Failure::new(Exit::Interrupted, message),
        }
    }
}

impl From<ReceiveError> for Failure {
    fn from(error: ReceiveError) -> Failure {
        let message = error.to_string();
        match error {
            ReceiveError::Refused(UnpackError::Read(error)) => Failure::io("standard input", &error),
            ReceiveError::Refused(UnpackError::Limit(Rule::Ratio { .. })) => Failure::new(Exit::Damaged, message)
                .hint("nothing was stored. Where you trust who made it, `--max-ratio N` allows more"),
            ReceiveError::Refused(UnpackError::Version(_)) => Failure::new(Exit::Damaged, message)
                .hint("nothing was stored. A newer Comfrey may have made it; use that one"),
            ReceiveError::Refused(_) => {
                Failure::new(Exit::Damaged, message).hint("nothing was stored. Have it made or sent again")
            }
            ReceiveError::Store(error) => error.into(),
            ReceiveError::Interrupted => Failure::new(Exit::Interrupted, message),
        }
    }
}

impl From<ExportError> for Failure {
    fn from(error: ExportError) -> Failure {
        let message = error.to_string();
        match error {
            ExportError::Io { path, source } => Failure::io(path.display(), &source),
            ExportError::Suffix(path) => Failure::new(Exit::Usage, message).hint(format!(
                "`{}.tar.zst` is the smallest; .tar.gz, .tgz and .tar work too",
                path.with_extension("").display()
            )),
            ExportError::Manifest(_) | ExportError::ManifestNotText => {
                Failure::new(Exit::Damaged, message).hint("put pyproject.toml right, and commit")
            }
            ExportError::Store(error) => error.into(),
            ExportError::Worktree(error) => error.into(),
            ExportError::Models(error) => error.into(),
            ExportError::Changed { .. } => {
                Failure::new(Exit::Damaged, message).hint("`comfrey models index` takes note of the change")
            }
            ExportError::Interrupted => Failure::new(Exit::Interrupted, message),
        }
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Failure {
        let message = format!("the bundle is refused: {error}");
        match error {
            OpenError::Archive(ArchiveError::Io(error)) => Failure::io("reading the bundle", &error),
            OpenError::Archive(ArchiveError::Refused(refusal)) if matches!(refusal.rule, Rule::Ratio { .. }) => {
                Failure::new(Exit::Damaged, message)
                    .hint("nothing was changed. Where you trust who made it, `--max-ratio N` allows more")
            }
            OpenError::Store(error) => error.into(),
            OpenError::Worktree(error) => error.into(),
            OpenError::Interrupted => Failure::new(Exit::Interrupted, "interrupted"),
            _ => Failure::new(Exit::Damaged, message).hint("nothing was changed. Have it exported or sent again"),
        }
    }
}

impl From<ImportError> for Failure {
    fn from(error: ImportError) -> Failure {
        let message = error.to_string();
        match error {
            ImportError::Manifest(_) | ImportError::Rewrite { .. } | ImportError::Name(_) => {
                Failure::new(Exit::Damaged, message).hint("nothing was changed. Have the bundle exported again")
            }
            ImportError::Conflicts(_) => Failure::new(Exit::Conflict, message)
                .hint("nothing was changed. Rename or move away what is there, or import into another ComfyUI"),
            ImportError::Io { path, source } => Failure::io(path.display(), &source),
            ImportError::Store(error) => error.into(),
            ImportError::Worktree(error) => error.into(),
            ImportError::Models(error) => error.into(),
            ImportError::State(error) => error.into(),
            ImportError::History(error) => error.into(),
            ImportError::Transaction(error) => error.into(),
            ImportError::Commit(error) => error.into(),
            ImportError::Interrupted => Failure::new(Exit::Interrupted, message),
        }
    }
}

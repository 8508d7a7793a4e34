//! Errors of custom nodes as a person reads them.

use crate::environment::nodes::NodeError;
use crate::environment::nodes::request::NotARequest;
use crate::ui::{Exit, Failure};

const UNTOUCHED: &str = "nothing was changed";

impl From<NotARequest> for Failure {
    fn from(error: NotARequest) -> Self {
        let message = error.to_string();
        match error {
            NotARequest::Unclear(_) => {
                Failure::new(Exit::Usage, message).hint("`comfrey node search TEXT` finds packages by what they are")
            }
            NotARequest::NoPath(_) => {
                Failure::new(Exit::NotFound, message).hint("a registry id has no `/` in it: `comfrey node add NAME`")
            }
            NotARequest::HalfVersion(_) => {
                Failure::new(Exit::Usage, message).hint("write NAME, NAME@VERSION, URL or URL@REF")
            }
        }
    }
}

impl From<NodeError> for Failure {
    fn from(error: NodeError) -> Self {
        let message = error.to_string();
        match error {
            NodeError::Request(error) => error.into(),
            NodeError::Registry(error) => (*error).into(),
            NodeError::Fetch(error) => error.into(),
            NodeError::Git(error) => (*error).into(),
            NodeError::Unpack { from, error } => {
                let failure = Failure::from(*error);
                Failure { message: format!("{from}: {}", failure.message), ..failure }
            }
            NodeError::Digest { .. } => Failure::new(Exit::Damaged, message)
                .hint(format!("{UNTOUCHED}; what lies there now is not what the digest was made of")),
            NodeError::NeverFetched(_) => {
                Failure::new(Exit::Network, message).hint("leave out --offline, or name an archive or a folder")
            }
            NodeError::NotANode { .. } => Failure::new(Exit::Damaged, message).hint(UNTOUCHED),
            NodeError::Unusable { .. } => Failure::new(Exit::Damaged, message).hint(UNTOUCHED),
            NodeError::NoSuchNode { near, .. } => {
                let failure = Failure::new(Exit::NotFound, message);
                match near {
                    Some(near) => failure.hint(format!("did you mean `{near}`?")),
                    None => failure.hint("`comfrey node list` shows those that are there"),
                }
            }
            NodeError::Ambiguous { .. } => Failure::new(Exit::Usage, message).hint("name one of these"),
            NodeError::AlreadyThere { key, disabled, reference, .. } => {
                let failure = Failure::new(Exit::Conflict, message);
                let wanted = reference.map_or_else(|| key.clone(), |reference| format!("{key}@{reference}"));
                match disabled {
                    true => failure.hint(format!(
                        "`comfrey node enable {key}` switches it on; `comfrey node update {wanted}` brings what was asked for"
                    )),
                    false => failure.hint(format!("`comfrey node update {wanted}` brings what was asked for")),
                }
            }
            NodeError::FolderTaken { .. } => Failure::new(Exit::Conflict, message)
                .hint(format!("{UNTOUCHED}; `--name FOLDER` gives it another folder, `comfrey node remove` makes room")),
            NodeError::BadFolder(_) => Failure::new(Exit::Usage, message).hint(format!(
                "{UNTOUCHED}; a name without separators that does not begin with a dot or end with .disabled will do"
            )),
            NodeError::InTheWay(_) => Failure::new(Exit::Conflict, message)
                .hint(format!("{UNTOUCHED}; move it elsewhere, or give the node another folder with `--name FOLDER`")),
            NodeError::Edited { .. } => Failure::new(Exit::Conflict, message).hint(
                "--keep-edits puts the edited files over the new ones; --discard-edits lets them go (undo brings them back)",
            ),
            NodeError::UnknownEdits(_) => Failure::new(Exit::Conflict, message).hint(
                "`comfrey commit` takes it in as it is; --discard-edits lets what is there go (undo brings it back)",
            ),
            NodeError::OwnCommits { .. } => Failure::new(Exit::Conflict, message).hint(format!(
                "{UNTOUCHED}; `git pull --rebase` in its folder puts them on top of what is new; --discard-edits leaves them on their branch and checks out the new version beside it"
            )),
            NodeError::NoSource { .. } => Failure::new(Exit::Conflict, message)
                .hint("`comfrey node remove` and `comfrey node add` replace it by one with a source"),
            NodeError::Lost { .. } => {
                Failure::new(Exit::NotFound, message).hint("`comfrey node update` brings a version that can be had")
            }
            NodeError::NotKept { .. } => Failure::new(Exit::Conflict, message)
                .hint(format!("{UNTOUCHED}; without --delete it is only switched off, with --force all of it is deleted")),
            NodeError::Script { .. } => {
                Failure::new(Exit::Outside, message).hint("everything was put back; its log has the rest")
            }
            NodeError::NoScript { .. } => {
                Failure::new(Exit::Outside, message).hint("everything was put back; leave out --allow-scripts")
            }
            NodeError::Io { path, source } => Failure::io(path.display(), &source),
            NodeError::Python(error) => (*error).into(),
            NodeError::Packages(error) => (*error).into(),
            NodeError::State(error) => error.into(),
            NodeError::Draft(error) => (*error).into(),
            NodeError::Rollback(error) => (*error).into(),
            NodeError::Store(error) => error.into(),
            NodeError::Worktree(error) => error.into(),
            NodeError::History(error) => error.into(),
            NodeError::Name(_) => Failure::new(Exit::Usage, message),
            NodeError::Interrupted => Failure::new(Exit::Interrupted, format!("interrupted; {UNTOUCHED}")),
        }
    }
}

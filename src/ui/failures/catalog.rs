//! A catalog that could not be read or brought up to date.

use crate::catalog::container::ContainerError;
use crate::catalog::learned::NotObjectInfo;
use crate::catalog::update::{FailedSource, UpdateError};
use crate::net::address::is_url;
use crate::ui::{Exit, Failure};

const MADE_ANEW: &str = "`comfrey catalog update` makes it anew";

impl From<UpdateError> for Failure {
    fn from(error: UpdateError) -> Self {
        match error {
            UpdateError::Io { path, source } => Failure::io(path.display(), &source),
            UpdateError::Fetch(error) => error.into(),
            UpdateError::Container(error) => error.into(),
            UpdateError::Interrupted => Failure::new(Exit::Interrupted, "interrupted").hint("run it again"),
            UpdateError::NoCopy { .. } => {
                Failure::new(Exit::Network, error.to_string()).hint("leave out --offline, or name files with --from")
            }
            UpdateError::List { from, error } => FailedSource::List { from, error }.into(),
        }
    }
}

impl From<FailedSource> for Failure {
    fn from(error: FailedSource) -> Self {
        match error {
            FailedSource::Fetch(error) => error.into(),
            FailedSource::List { ref from, .. } => {
                let exit = if is_url(from) { Exit::Network } else { Exit::Damaged };
                Failure::new(exit, error.to_string())
                    .hint("ComfyUI-Manager's lists and comfygit's node_mappings.json are understood")
            }
        }
    }
}

impl From<NotObjectInfo> for Failure {
    fn from(error: NotObjectInfo) -> Self {
        Failure::new(Exit::Damaged, error.to_string()).hint(
            "save what a running ComfyUI answers at /object_info, or name its address, such as http://127.0.0.1:8188",
        )
    }
}

impl From<ContainerError> for Failure {
    fn from(error: ContainerError) -> Self {
        match error {
            ContainerError::Io { path, source } => Failure::io(path.display(), &source),
            ContainerError::Damaged { .. } | ContainerError::Version { .. } => {
                Failure::new(Exit::Damaged, error.to_string()).hint(MADE_ANEW)
            }
        }
    }
}

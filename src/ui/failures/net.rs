//! What could not be fetched.

use crate::net::client::ClientError;
use crate::net::comfy_registry::RegistryError;
use crate::net::{Cause, FetchError};
use crate::ui::{Exit, Failure};

impl From<FetchError> for Failure {
    fn from(error: FetchError) -> Self {
        let failure = Failure::new(Exit::Network, error.to_string());
        match error.cause {
            Cause::Interrupted => Failure::new(Exit::Interrupted, "interrupted").hint("run it again"),
            Cause::Unreachable(_) | Cause::TimedOut | Cause::Cut(_) => failure.hint(
                "check the network and, behind a proxy, HTTPS_PROXY and NO_PROXY; what was fetched before still counts",
            ),
            Cause::Untrusted(_) => failure.hint(
                "where a proxy of your network signs for others, its certificate belongs into the system's, or into the file that SSL_CERT_FILE names",
            ),
            Cause::NotFound(_) => failure.hint("the address may have moved; name another one"),
            Cause::Refused(_) => failure.hint("the host may want a token, or not serve this place"),
            Cause::TooMany { .. } => failure.hint("wait, then run it again"),
            Cause::WebPage | Cause::PageForFile => {
                failure.hint("a login page or the page of a network's portal answers in its place")
            }
            Cause::Status(_) => failure.hint("the trouble is the host's; run it again later"),
            Cause::Offline => failure.hint("leave out --offline"),
            Cause::Unwritten(_) => Failure::new(Exit::NotFound, failure.message)
                .hint("nothing was changed; look whether the disk is full or may not be written to"),
            Cause::TooLarge(_) | Cause::Address(_) => failure.hint("check the address"),
        }
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        Failure::new(Exit::Network, error.to_string())
    }
}

impl From<RegistryError> for Failure {
    fn from(error: RegistryError) -> Self {
        let message = error.to_string();
        match error {
            RegistryError::Fetch(error) => error.into(),
            RegistryError::Nonsense { .. } => Failure::new(Exit::Network, message)
                .hint("run it again later; COMFREY_REGISTRY or the setting registry.url may name another registry"),
            RegistryError::BadBase(_) => Failure::new(Exit::Usage, message)
                .hint("correct COMFREY_REGISTRY or the setting registry.url; https://api.comfy.org is the usual one"),
            RegistryError::NoNode(_) => {
                Failure::new(Exit::NotFound, message).hint("`comfrey node search TEXT` finds packages by what they are")
            }
            RegistryError::NoVersion { known, .. } => {
                let failure = Failure::new(Exit::NotFound, message);
                match known.len() {
                    0 => failure,
                    _ => failure.hint(format!("it has {}", known[..known.len().min(8)].join(", "))),
                }
            }
            RegistryError::Withdrawn { .. } => Failure::new(Exit::Conflict, message)
                .hint("name another version, or its git repository if you know what you do"),
            RegistryError::NoDownload { .. } => {
                Failure::new(Exit::NotFound, message).hint("name its git repository instead")
            }
        }
    }
}

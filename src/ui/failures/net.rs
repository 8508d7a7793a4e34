//! What could not be fetched.

use std::io;

use crate::digest::ContentHash;
use crate::net::address::shown;
use crate::net::blob::{BlobError, Token};
use crate::net::client::ClientError;
use crate::net::comfy_registry::RegistryError;
use crate::net::{Cause, FetchError};
use crate::store::Error;
use crate::ui::report::Bytes;
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

impl From<BlobError> for Failure {
    fn from(error: BlobError) -> Self {
        match error {
            BlobError::Fetch { fetch, token, kept } => {
                let may_be_a_token = matches!(fetch.cause, Cause::Refused(_) | Cause::PageForFile);
                let is_a_page_of_the_file = fetch.cause == Cause::PageForFile && fetch.url.contains("/blob/");
                let failure = Failure::from(fetch);
                match token {
                    _ if is_a_page_of_the_file => {
                        failure.hint("this is the page about the file; with /resolve/ in place of /blob/ it is the file itself")
                    }
                    Token::Absent(hub) if may_be_a_token => failure.hint(format!(
                        "the host may want a token: set {}, which {} makes",
                        hub.variable(),
                        hub.page()
                    )),
                    Token::Sent(hub) if may_be_a_token => failure.hint(format!(
                        "the token in {} was sent and does not open this: agree to the model's terms on its page, or look at what the token may do at {}",
                        hub.variable(),
                        hub.page()
                    )),
                    Token::Withheld(hub) if may_be_a_token => failure.hint(format!(
                        "{} is not sent without encryption: begin the address with https://",
                        hub.variable()
                    )),
                    _ if kept > 0 => failure.hint(format!(
                        "{} have come and are kept: run it again, and it goes on from there",
                        Bytes(kept)
                    )),
                    _ => failure,
                }
            }
            BlobError::WrongHash { url, wanted, found } => {
                let failure = Failure::new(
                    Exit::Damaged,
                    format!(
                        "{}: these are not the bytes that were asked for\n  wanted {wanted}\n  found  {found}",
                        shown(&url)
                    ),
                );
                failure.hint(match wanted {
                    ContentHash::Blake3(_) => "nothing was stored; where the hash is a SHA-256, as model hosts give it, write sha256: before it",
                    ContentHash::Sha256(_) => "nothing was stored; the host has another file there now, or it was changed on the way",
                })
            }
            BlobError::Store(error) => {
                let is_full = matches!(&error, Error::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull);
                let failure = Failure::from(error);
                if is_full {
                    failure.hint(
                        "the disk is full. What has come is kept: free some space and run it again, or give it up with `comfrey gc --now`",
                    )
                } else {
                    failure
                }
            }
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

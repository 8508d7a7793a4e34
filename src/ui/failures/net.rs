//! What could not be fetched.

use crate::net::client::ClientError;
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
            Cause::NotFound(_) => failure.hint("the address may have moved; name another one"),
            Cause::Refused(_) => failure.hint("the host may want a token, or not serve this place"),
            Cause::TooMany { .. } => failure.hint("wait, then run it again"),
            Cause::WebPage => failure.hint("a login page or the page of a network's portal answers in its place"),
            Cause::Status(_) => failure.hint("the trouble is the host's; run it again later"),
            Cause::Offline => failure.hint("leave out --offline"),
            Cause::TooLarge(_) | Cause::Address(_) => failure.hint("check the address"),
        }
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        Failure::new(Exit::Network, error.to_string())
    }
}

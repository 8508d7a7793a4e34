//! A port of its own for each environment: ComfyUI's usual one, or one above it.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::Duration;

use super::super::Workspace;
use super::super::environment::Environment;
use super::super::name::EnvironmentName;

/// ComfyUI's own default.
pub const FIRST: u16 = 8188;

/// No environment is given a port this far above the first.
const MOST: u16 = 1000;

/// True when a program can listen at this port of the machine now.
pub fn is_free(port: u16) -> bool {
    if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_err() {
        return false;
    }
    // Who listens everywhere is not always in the way of who listens here only.
    match cfg!(windows) {
        // Listening everywhere would make its firewall ask the user. A port that nobody listens at does not refuse at once.
        true => TcpStream::connect_timeout(&(Ipv4Addr::LOCALHOST, port).into(), Duration::from_millis(50)).is_err(),
        false => TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok(),
    }
}

/// All ports that an environment may be given are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no port from {FIRST} to {} is free", FIRST + MOST - 1)]
pub struct NoFreePort;

/// The first port that is free on the machine and that nobody has been given.
pub fn choose(given: &[u16]) -> Result<u16, NoFreePort> {
    (FIRST..FIRST + MOST).find(|port| !given.contains(port) && is_free(*port)).ok_or(NoFreePort)
}

/// The ports that environments of the workspace have been given.
pub fn given(workspace: &Workspace) -> Vec<u16> {
    given_but(workspace, |_| true)
}

/// The ports that the other environments of the workspace have been given.
pub fn of_others(workspace: &Workspace, environment: &Environment) -> Vec<u16> {
    given_but(workspace, |name| name != environment.name())
}

fn given_but(workspace: &Workspace, counts: impl Fn(&EnvironmentName) -> bool) -> Vec<u16> {
    let names = workspace.environment_names().unwrap_or_default();
    // One that cannot be read has no claim.
    let port = |name: &EnvironmentName| workspace.environment(name.as_str()).ok()?.facts().port;
    names.iter().filter(|name| counts(name)).filter_map(port).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_is_listened_at_is_not_free() {
        for address in [Ipv4Addr::LOCALHOST, Ipv4Addr::UNSPECIFIED] {
            let listener = TcpListener::bind((address, 0)).unwrap();
            let port = listener.local_addr().unwrap().port();
            assert!(!is_free(port));
        }
    }

    #[test]
    fn a_port_that_another_environment_was_given_is_not_chosen() {
        let first = choose(&[]).unwrap();
        let next = choose(&[first]).unwrap();
        assert!(first >= FIRST && next > first);
    }
}

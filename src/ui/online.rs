//! The network as commands use it: the registry's address, its token, the copies of its answers.

use crate::environment::Workspace;
use crate::environment::nodes::Sources;
use crate::net::comfy_registry::shelf::Shelf;
use crate::net::comfy_registry::{DEFAULT_BASE, Registry, Settings};
use crate::net::{Client, Fetch, Offline, client};
use crate::observer::Observer;
use crate::platform::git_program::{Git, Questions};
use crate::store::LinkPolicy;

use super::{Failure, Session, catalog};

/// Where answers of the registry are kept, in the catalog's folder.
const ANSWERS: &str = "registry";

/// Whether hosts may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    Allowed,
    /// `--offline`
    Refused,
}

/// What is needed to ask hosts.
pub struct Online {
    http: Box<dyn Fetch>,
    settings: Settings,
    shelf: Shelf,
    /// Milliseconds since 1970.
    now: i64,
    network: Network,
    questions: Questions,
    policy: LinkPolicy,
}

impl Session<'_> {
    /// The network, for one command.
    pub fn online(&mut self, workspace: &Workspace, network: Network) -> Result<Online, Failure> {
        let named = |variable| std::env::var(variable).ok().filter(|text| !text.is_empty());
        let set = || workspace.config().settings().registry_url.clone();
        let base = named("COMFREY_REGISTRY").or_else(set).unwrap_or_else(|| DEFAULT_BASE.to_owned());
        let settings = Settings { base, token: named("COMFREY_REGISTRY_TOKEN"), ..Settings::default() };
        let http: Box<dyn Fetch> = match network {
            Network::Allowed => Box::new(Client::new(client::Options::default())?),
            Network::Refused => Box::new(Offline),
        };
        Ok(Online {
            http,
            settings,
            shelf: Shelf::new(catalog::folder(workspace).join(ANSWERS)),
            now: self.now()?.milliseconds,
            network,
            questions: if self.can_ask { Questions::Allowed } else { Questions::Never },
            policy: workspace.config().settings().store_models.unwrap_or(LinkPolicy::Auto),
        })
    }
}

impl Online {
    /// The registry of custom nodes.
    pub fn registry<'a>(&'a self, observer: &'a dyn Observer) -> Registry<'a> {
        Registry::new(self.settings.clone(), &*self.http, self.shelf.clone(), self.now, observer)
    }

    /// Whoever can give nodes.
    pub fn sources<'a>(
        &'a self,
        workspace: &'a Workspace,
        registry: &'a Registry<'a>,
        observer: &'a dyn Observer,
    ) -> Sources<'a> {
        Sources {
            store: workspace.store(),
            http: &*self.http,
            registry,
            git: Git { questions: self.questions, observer },
            offline: self.network == Network::Refused,
            policy: self.policy,
            observer,
        }
    }
}

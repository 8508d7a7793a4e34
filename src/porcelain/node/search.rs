//! `node search`: packages of custom nodes that could be had.

use serde::Serialize;

use crate::catalog::Matched;
use crate::environment::nodes::placed::placed;
use crate::net::comfy_registry::client::same_id;
use crate::ui::online::Network;
use crate::ui::program::Command;
use crate::ui::report::{Align, Table, grouped};
use crate::ui::{Exit, Failure, Session};

/// Searches for packages of custom nodes: in the registry, and without a network in the catalog.
#[derive(Debug, clap::Args)]
pub struct Search {
    /// What to look for
    #[arg(required = true, value_name = "TEXT")]
    text: Vec<String>,
    /// Show at most this many
    #[arg(short = 'n', long, value_name = "NUMBER", default_value_t = 20)]
    number: usize,
    /// Ask no host: search the catalog
    #[arg(long)]
    offline: bool,
}

/// A package that was found, in JSON.
#[derive(Debug, Serialize)]
struct Row {
    /// What `node add` takes.
    package: String,
    title: Option<String>,
    author: Option<String>,
    description: Option<String>,
    repository: Option<String>,
    /// The newest.
    version: Option<String>,
    downloads: Option<u64>,
    stars: Option<u64>,
    installed: bool,
    /// `registry` or `catalog`.
    from: &'static str,
    /// The node class that the text was found in.
    class: Option<String>,
}

impl Command for Search {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        let workspace = session.workspace()?;
        let text = self.text.join(" ");
        let network = if self.offline { Network::Refused } else { Network::Allowed };
        let online = session.online(&workspace, network)?;
        let asked = match self.offline {
            true => None,
            false => Some(online.registry(session.observer).search(&text, self.number)),
        };
        let rows = match asked {
            Some(Ok(heard)) => {
                if let Some(instead) = &heard.instead {
                    session.warn(format_args!("the registry's answer is an older copy: {instead}"))?;
                }
                heard.value.nodes.into_iter().map(of_registry).collect()
            }
            other => {
                if let Some(Err(error)) = other {
                    session.warn(format_args!("{error}; the catalog is searched instead"))?;
                }
                let known = session.catalog(&workspace)?;
                if known.registry().is_none() {
                    session.note("the registries' lists were never fetched; `comfrey catalog update` does that")?;
                }
                known.search(&text).into_iter().take(self.number).map(of_catalog).collect::<Vec<_>>()
            }
        };
        let there = match session.environment_of(&workspace) {
            Ok(environment) => placed(&environment.custom_nodes_dir()),
            Err(_) => Vec::new(),
        };
        let mut table = Table::new([Align::Left, Align::Left, Align::Right, Align::Left, Align::Left]);
        let paint = session.paint;
        for mut row in rows.iter().map(|row: &Row| Row { installed: false, ..row.copy() }) {
            row.installed = there.iter().any(|node| {
                node.origin.id().is_some_and(|id| same_id(id, &row.package))
                    || node.origin.repository().zip(row.repository.as_deref()).is_some_and(|(a, b)| {
                        let name = |url: &str| crate::catalog::package::repository_name(url);
                        name(a).zip(name(b)).is_some_and(|(a, b)| a.eq_ignore_ascii_case(&b))
                    })
            });
            if session.globals.json {
                session.print_json(&row)?;
                continue;
            }
            let stars = row.stars.map_or_else(String::new, |stars| format!("{} ★", grouped(stars)));
            let mark = if row.installed { paint.good("installed") } else { String::new() };
            let title = row.title.clone().unwrap_or_default();
            table.row([row.package, row.version.unwrap_or_default(), stars, title, mark]);
        }
        table.write(session.out)?;
        if rows.is_empty() {
            session.note("nothing found")?;
            return Ok(Exit::Negative);
        }
        Ok(Exit::Done)
    }
}

impl Row {
    fn copy(&self) -> Row {
        Row {
            package: self.package.clone(),
            title: self.title.clone(),
            author: self.author.clone(),
            description: self.description.clone(),
            repository: self.repository.clone(),
            version: self.version.clone(),
            class: self.class.clone(),
            ..*self
        }
    }
}

fn of_registry(node: crate::net::comfy_registry::Node) -> Row {
    let some = |text: String| Some(text).filter(|text| !text.is_empty());
    Row {
        package: node.id,
        title: some(node.name),
        author: some(node.author),
        description: some(node.description),
        repository: some(node.repository),
        version: node.latest_version.map(|version| version.version),
        downloads: Some(node.downloads),
        stars: Some(node.github_stars),
        installed: false,
        from: "registry",
        class: None,
    }
}

fn of_catalog(found: crate::catalog::Found) -> Row {
    let package = found.package;
    Row {
        package: package.id.to_string(),
        title: package.title,
        author: package.author,
        description: package.description,
        repository: package.repository,
        version: package.versions.first().map(|version| version.version.clone()),
        downloads: None,
        stars: package.stars,
        installed: false,
        from: "catalog",
        class: match found.matched {
            Matched::Class(class) => Some(class),
            _ => None,
        },
    }
}

//! What `comfrey --help` shows: the commands by what they are for, daily ones first, plumbing apart.

use std::fmt::Write;

/// Topics and their commands, in the order in which they are shown. A command that is in none stands under `More`.
const TOPICS: [(&str, &[&str]); 8] = [
    ("Begin", &["demo", "init", "create", "clone", "adopt", "list", "use", "run", "stop", "ps", "delete", "config"]),
    ("Every day", &["status", "commit", "log", "show", "diff", "tag", "branch", "switch", "merge", "revert"]),
    ("Go back", &["rollback", "undo", "redo", "operations"]),
    ("Workflows, models, nodes", &["workflow", "models", "node", "sync", "py", "constraint", "catalog"]),
    ("Share", &["export", "import"]),
    ("Keep sound", &["fsck", "gc", "doctor"]),
    ("Shell", &["completions", "man", "help"]),
    (
        "Plumbing: one job each, to be piped; each is a program comfrey-NAME, too",
        &[
            "hash-object",
            "cat-object",
            "index-dir",
            "write-tree",
            "make-tree",
            "ls-tree",
            "checkout-tree",
            "diff-tree",
            "commit-tree",
            "rev-parse",
            "rev-list",
            "update-ref",
            "show-ref",
            "parse-workflow",
            "rewrite-workflow",
            "resolve",
            "fetch-blob",
            "pack",
            "unpack",
        ],
    ),
];

/// The command with its help in topics.
pub fn grouped(command: clap::Command) -> clap::Command {
    let template = format!(
        "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{}{{after-help}}\n\n{}\n{{options}}\n",
        topics(&command).trim_end(),
        heading("Options:")
    );
    command.help_template(template)
}

fn topics(command: &clap::Command) -> String {
    let commands: Vec<(&str, String)> = command
        .get_subcommands()
        .filter(|found| !found.is_hide_set())
        .map(|found| (found.get_name(), found.get_about().map(ToString::to_string).unwrap_or_default()))
        .collect();
    let width = commands.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let known = |name: &str| TOPICS.iter().any(|(_, names)| names.contains(&name));
    let more: Vec<&str> = commands.iter().map(|(name, _)| *name).filter(|name| !known(name)).collect();
    let mut text = String::new();
    for (title, names) in TOPICS.iter().copied().chain([("More", more.as_slice())]) {
        let found: Vec<_> = names.iter().filter_map(|name| commands.iter().find(|(known, _)| known == name)).collect();
        if found.is_empty() {
            continue;
        }
        text += &format!("{}\n", heading(&format!("{title}:")));
        for (name, about) in found {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "  {}  {about}", literal(name, width));
        }
        text.push('\n');
    }
    text
}

/// As clap shows its own headings; without colour where there is none.
fn heading(text: &str) -> String {
    let style = clap::builder::Styles::styled();
    let style = style.get_header();
    format!("{}{text}{}", style.render(), style.render_reset())
}

fn literal(name: &str, width: usize) -> String {
    let style = clap::builder::Styles::styled();
    let style = style.get_literal();
    format!("{}{name}{}{}", style.render(), style.render_reset(), " ".repeat(width - name.len()))
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_command_stands_in_the_help_once() {
        let text = super::topics(&super::super::dispatch::command());
        for command in super::super::dispatch::command().get_subcommands().filter(|command| !command.is_hide_set()) {
            let name = command.get_name();
            let lines = text.lines().filter(|line| {
                let mut words = line.split_whitespace();
                line.starts_with("  ") && words.next().is_some_and(|word| plain(word) == name)
            });
            assert_eq!(lines.count(), 1, "{name} in\n{text}");
        }
    }

    /// Without colours.
    fn plain(word: &str) -> String {
        let mut parts = word.split('\u{1b}');
        let first = parts.next().unwrap_or_default().to_owned();
        parts.fold(first, |text, part| text + part.split_once('m').map_or("", |(_, rest)| rest))
    }
}

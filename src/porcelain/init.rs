//! `comfrey init`: make a workspace, and on a terminal ask what it should hold.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::environment::config::Key;
use crate::environment::discover::{self, Found, Places};
use crate::environment::workspace::{is_half_made, is_workspace};
use crate::environment::{EnvironmentName, Search, Workspace, adopt, layout};
use crate::platform::paths::{plain_path, same_place};
use crate::platform::shell;
use crate::ui::program::Command;
use crate::ui::prompt::Prompt;
use crate::ui::report::{Align, Bytes, Table, count};
use crate::ui::{Exit, Failure, Session, json};

/// Make a workspace
///
/// That is the folder that holds the store, the settings and the environments. On a terminal it asks for the models folder
/// and offers to adopt the ComfyUI installations found in the usual places.
/// With --no-input, --yes or --models it asks nothing.
#[derive(clap::Args)]
pub struct Init {
    /// Where to make it [default: --workspace, COMFREY_HOME, ~/comfrey]
    dir: Option<PathBuf>,
    /// A folder that holds model files; may be given several times
    #[arg(long, value_name = "DIR")]
    models: Vec<PathBuf>,
    /// Show what would be made and make nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
}

/// What is to be made: a value that can be shown first.
struct Plan {
    root: PathBuf,
    models: Vec<PathBuf>,
    adopt: Vec<(EnvironmentName, PathBuf)>,
}

#[derive(Serialize)]
struct Answer<'a> {
    workspace: String,
    created: bool,
    dry_run: bool,
    model_folders: Vec<String>,
    adopted: Vec<Adopted<'a>>,
}

#[derive(Serialize)]
struct Adopted<'a> {
    name: &'a EnvironmentName,
    comfyui: String,
}

impl Command for Init {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        let search = Search::from_here(session.globals.workspace.as_deref());
        // Without a folder named, the workspace that every command would find is the one meant.
        let there = match &self.dir {
            Some(dir) => Some(plain_path(dir)).filter(|dir| is_workspace(dir)),
            None => search.find().ok(),
        };
        if let Some(root) = there.filter(|root| !is_half_made(root)) {
            return already(&root, &self.models, session);
        }
        let models = self.models.iter().map(|folder| existing(folder)).collect::<Result<Vec<_>, _>>()?;
        let asks = self.models.is_empty() && session.can_ask && !session.globals.yes && !session.globals.json;
        let chosen = self.dir.is_some() || search.explicit.is_some() || search.variable.is_some();
        let root = self.dir.as_deref().map_or_else(|| search.target(), plain_path);
        let mut plan = Plan { root, models, adopt: Vec::new() };
        if asks {
            ask(&mut plan, chosen, session)?;
        }
        if self.dry_run {
            return dry_run(&plan, session);
        }
        carry_out(&plan, session)
    }
}

/// A folder that the user named, which must be there.
fn existing(folder: &Path) -> Result<PathBuf, Failure> {
    let folder = plain_path(folder);
    if folder.is_dir() {
        return Ok(folder);
    }
    Err(Failure::new(Exit::NotFound, format!("{}: there is no such folder", folder.display()))
        .hint("name the folder that holds checkpoints/, loras/ and so on"))
}

/// Running it again changes nothing.
fn already(root: &Path, models: &[PathBuf], session: &mut Session<'_>) -> Result<Exit, Failure> {
    let workspace = Workspace::open(root, &session.store_options())?;
    if session.globals.json {
        let model_folders = workspace.model_folders().iter().map(|folder| json::path(folder)).collect();
        let workspace = json::path(root);
        let answer = Answer { workspace, created: false, dry_run: false, model_folders, adopted: Vec::new() };
        session.print_json(&answer)?;
        return Ok(Exit::Done);
    }
    writeln!(session.out, "{} is a workspace already; nothing was changed.", root.display())?;
    let known = workspace.model_folders();
    for folder in models.iter().map(|folder| plain_path(folder)) {
        if !known.iter().any(|listed| same_place(listed, &folder)) {
            session.note(format_args!("hint: `comfrey config --add models.folders {}` adds it", folder.display()))?;
        }
    }
    next_steps(&workspace, session)
}

/// Asks what a new workspace should hold.
fn ask(plan: &mut Plan, chosen: bool, session: &mut Session<'_>) -> Result<(), Failure> {
    let observer = session.observer;
    let Some(mut prompt) = session.prompt() else { return Ok(()) };
    prompt.say("A workspace holds the store, the settings and the environments. Your ComfyUI stays where it is.")?;
    if chosen {
        prompt.say(&format!("It will be made in {}.", plan.root.display()))?;
    } else {
        let answer = prompt.line("Folder of the workspace", &plan.root.display().to_string())?;
        plan.root = typed_path(&answer);
    }
    prompt.say("\nLooking for ComfyUI in the usual places …")?;
    let found = discover::find(&Places::usual(std::env::home_dir().as_deref()), observer);
    if found.is_empty() {
        prompt.say("None was found; `comfrey adopt NAME PATH` adopts one that lies elsewhere.")?;
    } else {
        prompt.say(&format!("Found {}:", count(found.len(), "installation")))?;
        prompt.say(&listing(&found))?;
        choose(plan, &found, &mut prompt)?;
    }
    prompt.say("")?;
    if plan.adopt.is_empty() {
        let largest =
            found.iter().max_by_key(|found| found.size.models).map(|found| found.installation.base.join("models"));
        ask_models(plan, largest, &mut prompt)?;
    } else {
        prompt.say("The models of what is adopted will be used.")?;
        ask_models(plan, None, &mut prompt)?;
    }
    prompt.say("")
}

/// One line an installation: number, path, what it is, how large.
fn listing(found: &[Found]) -> String {
    let mut table = Table::new([Align::Right]).indent(2);
    for (number, one) in found.iter().enumerate() {
        let more = if one.size.complete { "" } else { "more than " };
        table.row([
            format!("{}.", number + 1),
            one.installation.base.display().to_string(),
            format!("{} {}", one.installation.kind.about(), one.version.summary().unwrap_or_default())
                .trim()
                .to_owned(),
            format!("models {more}{}, the rest {more}{}", Bytes(one.size.models), Bytes(one.size.other)),
        ]);
    }
    let mut text = Vec::new();
    // Writing to memory cannot fail.
    drop(table.write(&mut text));
    String::from_utf8_lossy(&text).trim_end_matches('\n').to_owned()
}

/// Asks which of the installations to adopt, and under what names.
fn choose(plan: &mut Plan, found: &[Found], prompt: &mut Prompt<'_>) -> Result<(), Failure> {
    let chosen = if found.len() == 1 {
        let yes = prompt.confirm("Adopt it? Nothing in it is changed", true)?;
        if yes { vec![0] } else { Vec::new() }
    } else {
        ask_numbers(found.len(), prompt)?
    };
    for number in chosen {
        let base = &found[number].installation.base;
        let name = ask_name(plan, base, prompt)?;
        plan.adopt.push((name, base.clone()));
    }
    Ok(())
}

/// Asks for some of `count` numbered installations; the answer counts from 0.
fn ask_numbers(count: usize, prompt: &mut Prompt<'_>) -> Result<Vec<usize>, Failure> {
    loop {
        let question = "Adopt which? Numbers such as 1 2, all, or none; nothing in them is changed";
        let answer = prompt.line(question, "all")?;
        match numbers(&answer, count) {
            Some(numbers) => return Ok(numbers),
            None => prompt.say(&format!("Please type numbers from 1 to {count}, all, or none."))?,
        }
    }
}

fn ask_name(plan: &Plan, base: &Path, prompt: &mut Prompt<'_>) -> Result<EnvironmentName, Failure> {
    let taken = |name: &EnvironmentName| plan.adopt.iter().any(|(other, _)| other.collides_with(name));
    let folder = base.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let suggested = EnvironmentName::suggest(&folder).map_or_else(|| "main".to_owned(), |name| name.to_string());
    let free = (1..).map(|n| if n == 1 { suggested.clone() } else { format!("{suggested}-{n}") });
    let free = free.filter_map(|name| EnvironmentName::new(name).ok()).find(|name| !taken(name));
    let default = free.map(|name| name.to_string()).unwrap_or_default();
    loop {
        let answer = prompt.line(&format!("Name for {}", base.display()), &default)?;
        match EnvironmentName::new(answer) {
            Ok(name) if taken(&name) => prompt.say(&format!("The name `{name}` is given already."))?,
            Ok(name) => return Ok(name),
            Err(error) => prompt.say(&format!("Not a name: {error}."))?,
        }
    }
}

/// The places named by `1 3`, `1,3`, `all` or `none`, counting from 0; nothing if it is none of these.
fn numbers(answer: &str, count: usize) -> Option<Vec<usize>> {
    match answer.to_ascii_lowercase().as_str() {
        "all" | "a" | "y" | "yes" => return Some((0..count).collect()),
        "none" | "n" | "no" | "0" => return Some(Vec::new()),
        _ => {}
    }
    let mut chosen = Vec::new();
    for word in answer.split([' ', ',']).filter(|word| !word.is_empty()) {
        let number = word.parse::<usize>().ok().filter(|number| (1..=count).contains(number))?;
        if !chosen.contains(&(number - 1)) {
            chosen.push(number - 1);
        }
    }
    Some(chosen)
}

fn ask_models(plan: &mut Plan, default: Option<PathBuf>, prompt: &mut Prompt<'_>) -> Result<(), Failure> {
    let mut default = default.map(|path| path.display().to_string()).unwrap_or_default();
    let mut question = if plan.adopt.is_empty() {
        "Folder with your models (checkpoints/, loras/ …)".to_owned()
    } else {
        "A further folder with models".to_owned()
    };
    loop {
        let hint = if default.is_empty() { ", or Enter for none" } else { "" };
        let answer = prompt.line(&format!("{question}{hint}"), &default)?;
        if answer.is_empty() || answer.eq_ignore_ascii_case("none") {
            return Ok(());
        }
        match existing(&typed_path(&answer)) {
            Ok(folder) => {
                plan.models.push(folder);
                default.clear();
                question = "A further folder with models".to_owned();
            }
            Err(failure) => prompt.say(&failure.message)?,
        }
    }
}

/// A path as typed at a question: `~` is the home folder, quotes around it are dropped.
fn typed_path(text: &str) -> PathBuf {
    let text = text.trim_matches(['"', '\'']);
    match (text.strip_prefix("~/").or(if text == "~" { Some("") } else { None }), std::env::home_dir()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => plain_path(Path::new(text)),
    }
}

fn dry_run(plan: &Plan, session: &mut Session<'_>) -> Result<Exit, Failure> {
    if session.globals.json {
        return print_json(plan, &plan.models, true, session);
    }
    writeln!(session.out, "would make a workspace in {}", plan.root.display())?;
    for folder in &plan.models {
        writeln!(session.out, "would use the models in {}", folder.display())?;
    }
    for (name, base) in &plan.adopt {
        writeln!(session.out, "would adopt {} as `{name}`", base.display())?;
    }
    Ok(Exit::Done)
}

fn print_json(plan: &Plan, folders: &[PathBuf], dry_run: bool, session: &mut Session<'_>) -> Result<Exit, Failure> {
    let adopted = plan.adopt.iter().map(|(name, base)| Adopted { name, comfyui: json::path(base) }).collect();
    let model_folders = folders.iter().map(|folder| json::path(folder)).collect();
    let workspace = json::path(&plan.root);
    session.print_json(&Answer { workspace, created: !dry_run, dry_run, model_folders, adopted })?;
    Ok(Exit::Done)
}

fn carry_out(plan: &Plan, session: &mut Session<'_>) -> Result<Exit, Failure> {
    let mut folders = Vec::new();
    for folder in &plan.models {
        let text = folder.to_str().ok_or_else(|| {
            Failure::new(Exit::Usage, format!("{}: a path that is not UTF-8 cannot be a setting", folder.display()))
        })?;
        if !folders.iter().any(|known| known == text) {
            folders.push(text.to_owned());
        }
    }
    let settings = if folders.is_empty() { vec![] } else { vec![(Key::ModelFolders, folders)] };
    let mut workspace = Workspace::create(&plan.root, &settings, &session.store_options())?;
    for (name, base) in &plan.adopt {
        let adoption = adopt::plan(&workspace, name.clone(), base)?;
        let staged = adoption.stage(&workspace)?;
        staged.publish(&mut workspace, &session.waiting())?;
    }
    if session.globals.json {
        return print_json(plan, &workspace.model_folders(), false, session);
    }
    writeln!(session.out, "Made a workspace in {}", plan.root.display())?;
    for folder in workspace.model_folders() {
        writeln!(session.out, "  models: {}", folder.display())?;
    }
    for (name, base) in &plan.adopt {
        writeln!(session.out, "  adopted as `{name}`: {}", base.display())?;
    }
    if layout::at(&plan.root).is_some() {
        let root = plan.root.display();
        session.warn(format_args!("{root} is a ComfyUI folder too; `comfrey adopt NAME {root}` adopts it"))?;
    }
    next_steps(&workspace, session)
}

/// The last lines: what to type next.
fn next_steps(workspace: &Workspace, session: &mut Session<'_>) -> Result<Exit, Failure> {
    let paint = session.paint;
    let mut steps: Vec<(String, &str)> = Vec::new();
    if workspace.environment_names()?.is_empty() {
        steps.push(("comfrey adopt NAME PATH".into(), "take an existing ComfyUI under Comfrey's care"));
        steps.push(("comfrey create NAME".into(), "or get a new one"));
    }
    if workspace.model_folders().is_empty() && !steps.is_empty() {
        steps.push(("comfrey config --add models.folders DIR".into(), "name a folder with models"));
    } else {
        steps.push(("comfrey models index".into(), "get to know the models"));
    }
    if !workspace.environment_names()?.is_empty() {
        steps.push(("comfrey commit -m \"as it was\"".into(), "take the first snapshot"));
    }
    if Search::from_here(None).find().ok().as_deref() != Some(workspace.root()) {
        let variable = shell::assignment("COMFREY_HOME", &workspace.root().to_string_lossy());
        steps.insert(0, (variable, "so that commands find this workspace from anywhere"));
    }
    let mut table = Table::new([Align::Left]).indent(2);
    for (command, why) in steps {
        table.row([paint.typed(command), paint.faint(why)]);
    }
    writeln!(session.out, "\nNext:")?;
    table.write(session.out)?;
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::numbers;

    #[test]
    fn answers_name_installations_by_number() {
        assert_eq!(numbers("1 3, 3", 3), Some(vec![0, 2]));
        assert_eq!(numbers("all", 2), Some(vec![0, 1]));
        assert_eq!(numbers("None", 2), Some(vec![]));
        assert_eq!(numbers("4", 3), None);
        assert_eq!(numbers("x", 3), None);
    }
}

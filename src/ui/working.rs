//! An environment at work: the workspace, the environment, its lock, and what a killed command left.

use crate::catalog::Catalog;
use crate::environment::commit::Who;
use crate::environment::lock::Lock;
use crate::environment::making::trash;
use crate::environment::python::Uv;
use crate::environment::recovery::{self, Found};
use crate::environment::state::Surroundings;
use crate::environment::transaction::Outcome;
use crate::environment::{Environment, Workspace, model_roots};
use crate::models::ModelRoot;
use crate::observer::Observer;
use crate::store::{LinkPolicy, Store};

use super::{Exit, Failure, Session};

/// A workspace and one of its environments.
pub struct Working {
    pub workspace: Workspace,
    pub environment: Environment,
    /// Where its ComfyUI finds models.
    pub models: Vec<ModelRoot>,
    /// What is known of node classes and packages.
    pub catalog: Catalog,
}

impl Working {
    /// uv, found or installed; what it says goes to the environment's `logs/uv.log`.
    pub fn uv(&self, observer: &dyn Observer) -> Result<Uv, Failure> {
        let log = self.environment.folder().join("logs").join("uv.log");
        Ok(Uv::find(self.workspace.store().dir(), observer)?.with_log(log))
    }

    /// With what its ComfyUI shares with others.
    pub fn around<'a>(&'a self, observer: &'a dyn Observer) -> Surroundings<'a> {
        Surroundings {
            environment: &self.environment,
            store: self.workspace.store(),
            models: self.models.clone(),
            policy: self.workspace.config().settings().store_models.unwrap_or(LinkPolicy::Auto),
            observer,
            catalog: self.catalog.clone(),
        }
    }
}

impl Session<'_> {
    /// The environment to work on, to be read.
    pub fn working(&mut self) -> Result<Working, Failure> {
        let workspace = self.workspace()?;
        let environment = self.environment_of(&workspace)?;
        let models = self.model_roots(&workspace, Some(&environment))?;
        let catalog = self.catalog_of(&workspace, &environment)?;
        Ok(Working { workspace, environment, models, catalog })
    }

    /// Where ComfyUI finds models. What is wrong with the files that say so is a warning.
    pub fn model_roots(
        &mut self,
        workspace: &Workspace,
        environment: Option<&Environment>,
    ) -> Result<Vec<ModelRoot>, Failure> {
        let found = model_roots::of(workspace, environment);
        for problem in found.problems {
            self.warn(problem)?;
        }
        Ok(found.roots)
    }

    /// The environment to work on, to be written to: nobody else writes to it until the lock is dropped.
    pub fn working_alone(&mut self) -> Result<(Working, Lock), Failure> {
        let working = self.working()?;
        let lock = working.environment.lock(&self.waiting())?;
        // Whoever held it until now may have been killed while we waited.
        let store = working.workspace.store().clone();
        if let Some(recovered) = crate::environment::transaction::recover(working.environment.folder(), &store)? {
            let environment = working.environment.name().to_string();
            if recovered.unborn.is_some() {
                drop(lock);
                self.recover(working.workspace.root(), &store)?;
                let message =
                    format!("`{environment}` was being made by a command that was interrupted, and is undone");
                return Err(Failure::new(Exit::NotFound, message).hint("`comfrey list` shows the environments"));
            }
            self.tell(&Found { environment, result: Ok(recovered) })?;
        }
        Ok((working, lock))
    }

    /// Who does what is done now.
    pub fn who(&self) -> Result<Who, Failure> {
        Ok(Who { author: self.author(), time: self.now()?, command: self.command_line.clone() })
    }

    /// Ends what killed commands left half-done, and says so. To be called when a workspace is opened. True when an environment went
    /// that was never finished, and with it what the settings say of it.
    pub(super) fn recover(&mut self, root: &std::path::Path, store: &Store) -> Result<bool, Failure> {
        let pending = recovery::pending(root);
        let mut has_gone = false;
        if trash::is_pending(root) {
            for environment in trash::settle(root, store, &self.waiting())? {
                self.note(format_args!("a deletion of {environment} was interrupted: brought to its end"))?;
            }
        }
        if !pending.is_empty() {
            for found in recovery::recover(root, &pending, store, &self.waiting()) {
                has_gone |= found.result.as_ref().is_ok_and(|recovered| recovered.unborn.is_some());
                self.tell(&found)?;
            }
        }
        Ok(has_gone)
    }

    fn tell(&mut self, found: &Found) -> Result<(), Failure> {
        let environment = &found.environment;
        match &found.result {
            Ok(recovered) => {
                let (command, done) = (&recovered.command, outcome(recovered.outcome));
                self.note(format_args!("`comfrey {command}` was interrupted in {environment}: {done}"))
            }
            Err(error) => self.warn(format_args!("an interrupted command in {environment} cannot be ended: {error}")),
        }
    }
}

fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Finished => "finished now",
        Outcome::Undone => "undone; everything is as it was before",
    }
}

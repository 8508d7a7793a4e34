//! Questions that were not answered, and answers that cannot be read.

use crate::environment::resolving::ResolvingError;
use crate::resolve::ChooseError;
use crate::resolve::answers::AnswersError;
use crate::ui::failure::closest;
use crate::ui::{Exit, Failure};

impl From<ChooseError> for Failure {
    fn from(error: ChooseError) -> Self {
        let message = error.to_string();
        match error {
            ChooseError::Ended => Failure::new(Exit::Interrupted, message).hint("--no-input never asks"),
            ChooseError::Failed(_) => Failure::new(Exit::NotFound, message),
        }
    }
}

impl From<AnswersError> for Failure {
    fn from(error: AnswersError) -> Self {
        Failure::new(Exit::Usage, error.to_string()).hint("nothing was changed; correct the file of answers")
    }
}

impl From<ResolvingError> for Failure {
    fn from(error: ResolvingError) -> Self {
        let message = error.to_string();
        match error {
            ResolvingError::Working(error) => (*error).into(),
            ResolvingError::Rewrite { .. } => Failure::new(Exit::Damaged, message)
                .hint("nothing was changed; the workflow can be resolved without --rewrite"),
            ResolvingError::NoWorkflow { name, known } => {
                let failure = Failure::new(Exit::NotFound, message);
                match closest(&name, known.iter().map(String::as_str)) {
                    Some(meant) => failure.hint(format!("did you mean `{meant}`?")),
                    None => failure.hint("`comfrey workflow list` lists them"),
                }
            }
        }
    }
}

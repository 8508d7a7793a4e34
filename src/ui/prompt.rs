//! Questions to a person: one line each, on standard error, only on a terminal.

use std::io::{BufRead, Write};

use super::progress::Asking;
use super::{Exit, Failure, Session};

/// Asks questions. There is none when nobody can answer (see [`Session::prompt`]).
pub struct Prompt<'a> {
    input: &'a mut dyn BufRead,
    err: &'a mut dyn Write,
}

impl Session<'_> {
    /// The means to ask: nothing without a terminal or with `--no-input`.
    pub fn prompt(&mut self) -> Option<Prompt<'_>> {
        if self.can_ask { Some(Prompt { input: self.input, err: self.err }) } else { None }
    }

    /// Asks for a yes. `--yes` agrees; when nobody can be asked the answer is `otherwise`.
    pub fn agree(&mut self, question: &str, otherwise: bool) -> Result<bool, Failure> {
        if self.globals.yes {
            return Ok(true);
        }
        match self.prompt() {
            Some(mut prompt) => prompt.confirm(question, otherwise),
            None => Ok(otherwise),
        }
    }
}

impl<'a> Prompt<'a> {
    pub fn new(input: &'a mut dyn BufRead, err: &'a mut dyn Write) -> Self {
        Prompt { input, err }
    }

    /// Says something between questions.
    pub fn say(&mut self, text: &str) -> Result<(), Failure> {
        writeln!(self.err, "{text}").map_err(terminal)
    }

    /// One line of text; an empty answer means `default`.
    pub fn line(&mut self, question: &str, default: &str) -> Result<String, Failure> {
        let shown = if default.is_empty() { String::new() } else { format!(" [{default}]") };
        let answer = self.answer(&format!("{question}{shown}: "))?;
        Ok(if answer.is_empty() { default.to_owned() } else { answer })
    }

    /// Yes or no; an empty answer means `default`.
    pub fn confirm(&mut self, question: &str, default: bool) -> Result<bool, Failure> {
        let choices = if default { "[Y/n]" } else { "[y/N]" };
        loop {
            match self.answer(&format!("{question} {choices} "))?.to_ascii_lowercase().as_str() {
                "" => return Ok(default),
                "y" | "yes" => return Ok(true),
                "n" | "no" => return Ok(false),
                _ => self.say("Please answer y or n.")?,
            }
        }
    }

    /// One of `options`, numbered from 1; nothing for `s` (skip) or an empty answer.
    pub fn choose(&mut self, question: &str, options: &[String]) -> Result<Option<usize>, Failure> {
        for (number, option) in options.iter().enumerate() {
            self.say(&format!("  {}. {option}", number + 1))?;
        }
        loop {
            let answer = self.answer(&format!("{question} [1-{}], or s to skip: ", options.len()))?;
            match answer.parse::<usize>() {
                Ok(number) if (1..=options.len()).contains(&number) => return Ok(Some(number - 1)),
                _ if answer.is_empty() || answer.eq_ignore_ascii_case("s") => return Ok(None),
                _ => self.say(&format!("Please type a number from 1 to {}, or s.", options.len()))?,
            }
        }
    }

    /// Prints `question` without a line break and reads the answer, trimmed. The end of the input ends the command.
    fn answer(&mut self, question: &str) -> Result<String, Failure> {
        write!(self.err, "{question}").and_then(|()| self.err.flush()).map_err(terminal)?;
        let mut line = String::new();
        let read = {
            let _asking = Asking::begin();
            self.input.read_line(&mut line)
        };
        match read {
            Ok(0) => {
                self.say("")?;
                Err(Failure::new(Exit::Interrupted, "no answer was given; nothing was changed after the last one")
                    .hint("--no-input never asks"))
            }
            Ok(_) => Ok(line.trim().to_owned()),
            Err(error) => Err(terminal(error)),
        }
    }
}

fn terminal(error: std::io::Error) -> Failure {
    Failure::io("the terminal", &error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask<T>(input: &str, ask: impl FnOnce(&mut Prompt<'_>) -> Result<T, Failure>) -> (Result<T, Failure>, String) {
        let mut reader = input.as_bytes();
        let mut err = Vec::new();
        let answer = ask(&mut Prompt::new(&mut reader, &mut err));
        (answer, String::from_utf8(err).unwrap())
    }

    #[test]
    fn an_empty_answer_means_the_default() {
        assert_eq!(ask("\n", |p| p.line("Where", "~/comfrey")), (Ok("~/comfrey".into()), "Where [~/comfrey]: ".into()));
        assert_eq!(ask("\n", |p| p.confirm("Go on?", true)).0, Ok(true));
        assert_eq!(ask("\n", |p| p.confirm("Go on?", false)).0, Ok(false));
    }

    #[test]
    fn an_answer_that_is_none_is_asked_for_again() {
        let (answer, shown) = ask("maybe\ny\n", |p| p.confirm("Go on?", false));
        assert_eq!(answer, Ok(true));
        assert_eq!(shown, "Go on? [y/N] Please answer y or n.\nGo on? [y/N] ");
        let options = ["a".to_owned(), "b".to_owned()];
        assert_eq!(ask("3\n2\n", |p| p.choose("Which", &options)).0, Ok(Some(1)));
        assert_eq!(ask("s\n", |p| p.choose("Which", &options)).0, Ok(None));
    }

    #[test]
    fn the_end_of_the_input_ends_the_command() {
        let failure = ask("", |p| p.confirm("Go on?", true)).0.unwrap_err();
        assert_eq!(failure.exit, Exit::Interrupted);
    }
}

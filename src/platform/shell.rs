//! What a person types into the system's shell.

/// A word as it is typed: as it is, or in quotation marks where a shell would take it apart.
pub fn typed(word: &str) -> String {
    // What cmd and PowerShell leave alone, and what sh does.
    let others = if cfg!(windows) { "-_./=:+~\\" } else { "-_./=:@%+,^~{}" };
    let plain = |c: char| c.is_alphanumeric() || others.contains(c);
    match word {
        word if !word.is_empty() && word.chars().all(plain) => word.to_owned(),
        // Both hand on what stands between double marks; programs read `\"` as one of the text's own.
        word if cfg!(windows) => format!("\"{}\"", word.replace('"', "\\\"")),
        word if word.contains(['"', '$', '`', '\\', '!']) => format!("'{}'", word.replace('\'', r"'\''")),
        word => format!("\"{word}\""),
    }
}

/// The command that gives a variable to the programs started later: on Windows to those of every new terminal, since its shells have no way
/// in common for one of their own.
pub fn assignment(name: &str, value: &str) -> String {
    let value = typed(value);
    if cfg!(windows) { format!("setx {name} {value}") } else { format!("export {name}={value}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stand_as_a_person_would_type_them() {
        for word in ["commit", "HEAD~1", "ü", "--set=3:4"] {
            assert_eq!(typed(word), word);
        }
        assert_eq!(typed("first try"), "\"first try\"");
        assert_eq!(typed(""), "\"\"");
        let (odd, marks, path) = match cfg!(windows) {
            true => ("\"it's $5\"", r#""say \"so\"""#, r"C:\models"),
            false => (r"'it'\''s $5'", r#"'say "so"'"#, r"'C:\models'"),
        };
        assert_eq!(typed("it's $5"), odd);
        assert_eq!(typed("say \"so\""), marks);
        assert_eq!(typed(r"C:\models"), path);
    }

    #[test]
    fn a_variable_is_set_as_the_system_has_it() {
        let wanted = if cfg!(windows) { "setx HOME_OF \"a b\"" } else { "export HOME_OF=\"a b\"" };
        assert_eq!(assignment("HOME_OF", "a b"), wanted);
    }
}

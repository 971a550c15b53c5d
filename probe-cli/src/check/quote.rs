//! Names in commands: pasting a fix must run what it says, whatever somebody called an interface.

/// The name as one word for a POSIX shell. One with control characters or other than ASCII characters becomes a placeholder
/// that no shell takes for a command: a terminal may not show it as it is.
pub(super) fn quoted(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._:/@%+=-".contains(c);
    if !name.is_empty() && !name.starts_with('-') && name.chars().all(is_plain) {
        name.to_owned()
    } else if name.chars().all(|c| c == ' ' || c.is_ascii_graphic()) {
        format!("'{}'", name.replace('\'', r"'\''"))
    } else {
        "'(name with unprintable characters)'".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn plain_names_stay_as_they_are() {
        for (name, expected) in [
            ("flannel.1", "flannel.1"),
            ("eth0@if2", "eth0@if2"),
            ("-x", "'-x'"),
            ("a b", "'a b'"),
            ("$(reboot)", "'$(reboot)'"),
            ("it's", r"'it'\''s'"),
            ("", "''"),
            ("a\u{1b}[2J", "'(name with unprintable characters)'"),
        ] {
            assert_eq!(quoted(name), expected);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_shell_takes_it_for_one_word(name in "[ -~]{0,15}") {
            let script = format!("printf %s {}", quoted(&name));
            let printed = Command::new("sh").args(["-c", &script]).output().unwrap();
            prop_assert_eq!(String::from_utf8(printed.stdout).unwrap(), name);
        }
    }
}

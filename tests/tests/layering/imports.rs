//! Finds the paths that a source file uses. It knows as much of Rust as that takes: comments, strings, groups in
//! braces, and what is compiled for tests only.

/// Every path of two names or more that the text uses outside of test code, groups taken apart:
/// `use a::{b, c::d}` is `a::b` and `a::c::d`.
pub(crate) fn paths(text: &str) -> Vec<Vec<String>> {
    let tokens = without_tests(&tokens(text));
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let starts = is_name(&tokens[at]) && tokens.get(at + 1).is_some_and(|next| next == "::");
        if starts {
            at = tree(&tokens, at, &[], &mut found);
        } else {
            at += 1;
        }
    }
    found
}

/// The paths that the text hands on to everybody (`pub use`, `pub(crate) use`) outside of test code.
pub(crate) fn handed_on(text: &str) -> Vec<Vec<String>> {
    let tokens = without_tests(&tokens(text));
    let mut found = Vec::new();
    for at in (0..tokens.len()).filter(|&at| tokens[at] == "pub") {
        let rest = &tokens[at + 1..];
        let starts =
            |with: &[&str]| rest.iter().map(String::as_str).take(with.len()).eq(with.iter().copied());
        let written = [&["use"][..], &["(", "crate", ")", "use"]].into_iter().find(|with| starts(with));
        if let Some(with) = written {
            tree(&tokens, at + 1 + with.len(), &[], &mut found);
        }
    }
    found
}

/// Reads a path or a group from `at`, below `prefix`; returns where it ends.
fn tree(tokens: &[String], mut at: usize, prefix: &[String], found: &mut Vec<Vec<String>>) -> usize {
    let mut path = prefix.to_vec();
    while let Some(token) = tokens.get(at) {
        if token == "{" {
            at += 1;
            while tokens.get(at).is_some_and(|token| token != "}") {
                at = if tokens[at] == "," { at + 1 } else { tree(tokens, at, &path, found) };
            }
            return at + 1;
        }
        if !is_name(token) && token != "*" {
            // Not a path after all, such as the `<` of a type's parameters.
            found.push(path);
            return at + 1;
        }
        path.push(token.clone());
        at += 1;
        match tokens.get(at).map(String::as_str) {
            Some("::") => at += 1,
            Some("as") => {
                found.push(path);
                return at + 2;
            }
            _ => {
                found.push(path);
                return at;
            }
        }
    }
    found.push(path);
    at
}

fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Drops each item that follows `#[cfg(test)]`.
fn without_tests(tokens: &[String]) -> Vec<String> {
    const GUARD: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut kept = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if tokens[at..].iter().map(String::as_str).take(GUARD.len()).eq(GUARD) {
            at = item_end(tokens, at + GUARD.len());
        } else {
            kept.push(tokens[at].clone());
            at += 1;
        }
    }
    kept
}

/// Where the item that begins at `at` ends: after its braces, or after the semicolon if it has none.
fn item_end(tokens: &[String], mut at: usize) -> usize {
    let mut depth = 0;
    while let Some(token) = tokens.get(at) {
        at += 1;
        match token.as_str() {
            "{" => depth += 1,
            "}" => {
                depth -= 1;
                // The group of a `use` ends with a semicolon.
                if depth == 0 && tokens.get(at).is_none_or(|next| next != ";") {
                    return at;
                }
            }
            ";" if depth == 0 => return at,
            _ => {}
        }
    }
    at
}

/// Names, `::`, and every other visible character by itself; comments and the contents of strings are left out.
fn tokens(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(&c) = chars.get(at) {
        let next = chars.get(at + 1).copied();
        if c == '/' && next == Some('/') {
            at += until(&chars[at..], |rest| rest[0] == '\n');
        } else if c == '/' && next == Some('*') {
            at += until(&chars[at..], |rest| rest.starts_with(&['*', '/'])) + 2;
        } else if let Some(length) = raw_string(&chars[at..]) {
            at += length;
        } else if c == '"' {
            at += string(&chars[at..]);
        } else if c == '\'' {
            at += quoted(&chars[at..]);
        } else if c.is_alphanumeric() || c == '_' {
            let length = until(&chars[at..], |rest| !rest[0].is_alphanumeric() && rest[0] != '_');
            tokens.push(chars[at..at + length].iter().collect());
            at += length;
        } else if c == ':' && next == Some(':') {
            tokens.push("::".to_owned());
            at += 2;
        } else {
            if !c.is_whitespace() {
                tokens.push(c.to_string());
            }
            at += 1;
        }
    }
    tokens
}

/// How many characters come before `end`, or all of them.
fn until(chars: &[char], end: impl Fn(&[char]) -> bool) -> usize {
    (0..chars.len()).find(|&at| end(&chars[at..])).unwrap_or(chars.len())
}

/// Length of a string from its opening quote.
fn string(chars: &[char]) -> usize {
    let mut at = 1;
    while at < chars.len() && chars[at] != '"' {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

/// Length of a raw string, if one begins here.
fn raw_string(chars: &[char]) -> Option<usize> {
    let hashes = chars.strip_prefix(&['r'])?.iter().take_while(|c| **c == '#').count();
    let body = chars.get(hashes + 1..)?.strip_prefix(&['"'])?;
    let end: Vec<char> = ['"'].into_iter().chain(std::iter::repeat_n('#', hashes)).collect();
    Some(hashes + 2 + until(body, |rest| rest.starts_with(&end)) + end.len())
}

/// Length of a character literal, or of the quote of a lifetime.
fn quoted(chars: &[char]) -> usize {
    match chars {
        ['\'', '\\', _, ..] => 3 + until(&chars[3..], |rest| rest[0] == '\'') + 1,
        ['\'', _, '\'', ..] => 3,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::{handed_on, paths};

    fn joined(text: &str) -> Vec<String> {
        paths(text).iter().map(|path| path.join("::")).collect()
    }

    #[test]
    fn groups_are_taken_apart() {
        assert_eq!(
            joined("use crate::{a, b::{self, C as D}, e::*};\nuse super::x::Y;"),
            ["crate::a", "crate::b::self", "crate::b::C", "crate::e::*", "super::x::Y"]
        );
    }

    #[test]
    fn what_is_handed_on_is_told_from_what_is_used() {
        let text = "use crate::a; pub use crate::b; pub(crate) use crate::{c, d::E};\n\
            pub(super) use crate::f::H; pub fn i() { use crate::j; } pub struct K(u8); use crate::l;\n\
            #[cfg(test)] pub use crate::m;";
        let found: Vec<String> = handed_on(text).iter().map(|path| path.join("::")).collect();
        assert_eq!(found, ["crate::b", "crate::c", "crate::d::E"]);
    }

    #[test]
    fn paths_in_code_count_as_well() {
        assert_eq!(
            joined(
                "fn f(x: &'a crate::m::T<std::fs::File>) -> Vec<u8> { let v = aya::Ebpf::new(); v.collect::<u8>() }"
            ),
            ["crate::m::T", "std::fs::File", "aya::Ebpf::new", "collect"]
        );
    }

    #[test]
    fn comments_and_strings_do_not() {
        let text = r##"
            //! [`crate::a`]
            /* crate::b */ const C: &str = "crate::c \" crate::d"; const E: &str = r#"crate::"e" "#;
            const F: char = '"'; use crate::g;
        "##;
        assert_eq!(joined(text), ["crate::g"]);
    }

    #[test]
    fn test_code_does_not() {
        let text = "#[cfg(test)] mod t { use crate::a; fn f() { crate::b::c() } }\n\
            #[cfg(test)] use crate::{d, e};\n#[cfg(test)] mod tests;\nuse crate::f;";
        assert_eq!(joined(text), ["crate::f"]);
    }
}

//! A JSON document as parts, each a text in which every whole number is a mark, and the numbers: counters change with every frame, and
//! the text around them does not. Joined again they are the document, byte for byte.

/// Stands for a number in a text. JSON has no such byte.
pub(super) const MARK: u8 = 1;

/// One field of the outermost object, with what stands before it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Part {
    /// The text, with [`MARK`] for each of the numbers.
    pub(super) text: Vec<u8>,
    /// The numbers, in the order of their marks.
    pub(super) numbers: Vec<u64>,
}

/// Takes a document of serde_json's apart.
pub(super) fn split(document: &[u8]) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut part = Part::default();
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(&byte) = document.get(at) {
        let length = match byte {
            b'"' => string(&document[at..]),
            b'0'..=b'9' => number(&document[at..]),
            _ => 1,
        };
        let token = &document[at..at + length];
        match (byte, whole(token)) {
            (b'0'..=b'9', Some(value)) => {
                part.text.push(MARK);
                part.numbers.push(value);
            }
            _ => part.text.extend_from_slice(token),
        }
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b',' if depth == 1 => parts.push(std::mem::take(&mut part)),
            _ => {}
        }
        at += length;
    }
    parts.push(part);
    parts
}

/// Bytes of a string from its opening quote.
fn string(bytes: &[u8]) -> usize {
    let mut at = 1;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// Bytes of a number without its sign.
fn number(bytes: &[u8]) -> usize {
    let is_of = |byte: &&u8| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-');
    bytes.iter().take_while(is_of).count()
}

/// The value of a number that is written as we would write it.
fn whole(token: &[u8]) -> Option<u64> {
    let is_plain = token.first().is_some_and(|first| *first != b'0' || token.len() == 1);
    let digits = token.iter().all(u8::is_ascii_digit).then(|| str::from_utf8(token).ok()).flatten();
    digits.filter(|_| is_plain).and_then(|digits| digits.parse().ok())
}

/// The document again; none where marks and numbers do not fit each other, or where it is longer than `longest`.
pub(super) fn join<'a>(parts: impl IntoIterator<Item = &'a Part>, longest: usize) -> Option<Vec<u8>> {
    let mut document = Vec::new();
    for part in parts {
        let mut numbers = part.numbers.iter();
        for (place, text) in part.text.split(|byte| *byte == MARK).enumerate() {
            if place > 0 {
                document.extend_from_slice(numbers.next()?.to_string().as_bytes());
            }
            document.extend_from_slice(text);
            if document.len() > longest {
                return None;
            }
        }
        if numbers.next().is_some() {
            return None;
        }
    }
    Some(document)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{facts::testdata::any, sample::Frame};

    proptest! {
        #[test]
        fn a_document_is_the_same_after(seed: u64) {
            let document = serde_json::to_vec(&any::<Frame>(seed)).unwrap();
            prop_assert_eq!(join(&split(&document), usize::MAX).unwrap(), document);
        }

        #[test]
        fn so_is_any_text_without_marks(text in "[{}\\[\\],:\"\\\\0-9eE.+-]{0,60}") {
            prop_assert_eq!(join(&split(text.as_bytes()), usize::MAX).unwrap(), text.as_bytes());
        }
    }

    #[test]
    fn each_field_is_a_part_and_numbers_are_out_of_it() {
        let document = br#"{"a":12,"b":[-3,4.5,00,1e9,{"c":18446744073709551615}],"d":"7,\"8"}"#;
        let parts = split(document);
        let shown: Vec<_> = parts
            .iter()
            .map(|part| {
                (String::from_utf8(part.text.clone()).unwrap().replace('\u{1}', "#"), part.numbers.clone())
            })
            .collect();
        assert_eq!(
            shown,
            [
                ("{\"a\":#,".to_owned(), vec![12]),
                ("\"b\":[-#,4.5,00,1e9,{\"c\":#}],".to_owned(), vec![3, u64::MAX]),
                ("\"d\":\"7,\\\"8\"}".to_owned(), vec![]),
            ]
        );
    }

    #[test]
    fn what_does_not_fit_together_is_none() {
        let part = |text: &[u8], numbers: &[u64]| Part { text: text.to_vec(), numbers: numbers.to_vec() };
        assert_eq!(join(&[part(b"\x01,", &[5])], 9), Some(b"5,".to_vec()));
        assert_eq!(join(&[part(b"\x01,", &[])], 9), None);
        assert_eq!(join(&[part(b"\x01,", &[5, 6])], 9), None);
        assert_eq!(join(&[part(b"\x01\x01", &[u64::MAX, u64::MAX])], 30), None);
    }
}

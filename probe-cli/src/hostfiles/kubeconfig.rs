//! Kubeconfig files of CNI plugins: how old they are and until when their token holds. The token itself is passed over.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::Deserialize;

use super::{root::Root, tree::At, yaml};
use crate::{facts::files::Kubeconfig, observed::Observed};

/// Most users of one file.
const USERS: usize = 16;

/// What is asked of a token's payload (RFC 7519, 4.1.4): seconds, maybe with a fraction.
#[derive(Deserialize)]
struct Claims {
    exp: f64,
}

/// What a kubeconfig file is like.
pub(super) fn read(root: &Root, path: &str) -> Observed<Kubeconfig> {
    root.text_and_time(path).map(|(text, modified)| {
        let (documents, _) = yaml::documents(&text);
        let users = documents.first().and_then(|document| At::root(path, document).get("users"));
        let tokens = users.into_iter().flat_map(At::items).take(USERS);
        let expires = tokens.filter_map(|user| user.get("user")?.get("token")?.text().and_then(expiry));
        Kubeconfig { file: path.to_owned(), modified, token_expires: expires.min() }
    })
}

pub(super) fn expiry(token: &str) -> Option<i64> {
    let payload = token.trim().split('.').nth(1)?;
    let payload = BASE64_URL_SAFE_NO_PAD.decode(payload).ok()?;
    let claims: Claims = serde_json::from_slice(&payload).ok()?;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a fraction of a second says nothing, and `as` saturates"
    )]
    Some(claims.exp as i64)
}

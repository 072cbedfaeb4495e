//! What is posted about users.

use crate::show::{Problems, Values};
use strowger_access::{Error, password};
use strowger_model::Role;

/// A user as posted.
pub(super) struct Written {
    pub(super) name: String,
    pub(super) email: String,
    pub(super) role: Role,
    pub(super) extension: Option<String>,
    pub(super) password: Option<String>,
}

/// Whether a text can be an address to sign in with.
fn is_email(text: &str) -> bool {
    let mut parts = text.split('@');
    let (local, domain, more) = (parts.next(), parts.next(), parts.next());
    let filled = |part: Option<&str>| part.is_some_and(|part| !part.is_empty());
    filled(local) && filled(domain) && more.is_none() && !text.contains(char::is_whitespace) && text.len() <= 254
}

/// Reads a user; `may_make` says which roles the writer may give.
pub(super) fn user(values: &Values, may_make: impl Fn(Role) -> bool) -> Result<Written, Problems> {
    let mut problems = Problems::default();
    problems.need(values, "name", "Write their name.");
    if !is_email(values.get("email")) {
        problems.add("email", "Write an e-mail address, for example tom@acme.example.");
    }
    let role = Role::from_code(values.get("role")).filter(|role| *role != Role::PlatformAdmin && may_make(*role));
    if role.is_none() {
        problems.add("role", "Choose one of the roles you may give.");
    }
    let extension = values.optional("extension");
    let fits = |text: &String| (2..=8).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if extension.as_ref().is_some_and(|text| !fits(text)) {
        problems.add("extension", "Write two to eight digits.");
    }
    let password = Some(values.raw("password").to_owned()).filter(|text| !text.is_empty());
    if let Some(Err(weak)) = password.as_deref().map(password::check) {
        problems.add("password", format!("{}.", sentence(&weak.to_string())));
    }
    match role {
        Some(role) if problems.is_empty() => Ok(Written {
            name: values.get("name").to_owned(),
            email: values.get("email").to_owned(),
            role,
            extension,
            password,
        }),
        _ => Err(problems),
    }
}

/// A message that begins with a capital.
pub(crate) fn sentence(text: &str) -> String {
    let mut letters = text.trim_end_matches('.').chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// What a refusal of the store says beside a field, or the error when it is no refusal.
pub(crate) fn taken(error: strowger_store::Error, words: &[(&str, &str)]) -> Result<Problems, strowger_store::Error> {
    let strowger_store::Error::Taken { field } = error else {
        return Err(error);
    };
    let said = words.iter().find(|(name, _)| *name == field).map(|(_, text)| *text);
    Ok(Problems::one(
        &field,
        said.unwrap_or("Somebody has this already. Choose another."),
    ))
}

/// What a refused password says, or the error when it is another.
pub(super) fn weak(error: Error) -> Result<Problems, Error> {
    let Error::Weak(weak) = error else {
        return Err(error);
    };
    Ok(Problems::one("password", format!("{}.", sentence(&weak.to_string()))))
}

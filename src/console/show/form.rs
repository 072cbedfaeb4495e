//! Forms: what was typed, what is wrong with it, and the fields that show both.

use askama::Template;
use axum::http::StatusCode;
use std::collections::BTreeMap;

/// What was typed, by field name. A field that occurs twice keeps its last value.
#[derive(Debug, Clone, Default)]
pub struct Values(BTreeMap<String, String>);

impl Values {
    /// The value of a field without surrounding space; empty when it was not sent.
    #[must_use]
    pub fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", |value| value.trim())
    }

    /// The value exactly as it was sent.
    #[must_use]
    pub fn raw(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// Whether a tick box was ticked.
    #[must_use]
    pub fn ticked(&self, name: &str) -> bool {
        matches!(self.get(name), "on" | "true" | "1")
    }

    /// The value, or `None` when empty.
    #[must_use]
    pub fn optional(&self, name: &str) -> Option<String> {
        Some(self.get(name).to_owned()).filter(|value| !value.is_empty())
    }

    /// The same values with one set.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.0.insert(name.to_owned(), value.into());
        self
    }
}

impl FromIterator<(String, String)> for Values {
    fn from_iter<T: IntoIterator<Item = (String, String)>>(pairs: T) -> Self {
        Self(pairs.into_iter().collect())
    }
}

/// What is wrong with a form, by field name; the empty name is the form itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problems(BTreeMap<String, String>);

impl Problems {
    /// One problem.
    #[must_use]
    pub fn one(field: &str, message: impl Into<String>) -> Self {
        let mut problems = Self::default();
        problems.add(field, message);
        problems
    }

    /// Notes a problem; the first of a field stays.
    pub fn add(&mut self, field: &str, message: impl Into<String>) {
        self.0.entry(field.to_owned()).or_insert_with(|| message.into());
    }

    /// Notes a problem when a value is empty.
    pub fn need(&mut self, values: &Values, field: &str, message: &str) {
        if values.get(field).is_empty() {
            self.add(field, message);
        }
    }

    /// The status of a page that shows them.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        if self.is_empty() {
            StatusCode::OK
        } else {
            StatusCode::UNPROCESSABLE_ENTITY
        }
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The message of a field.
    #[must_use]
    pub fn of(&self, field: &str) -> Option<&str> {
        self.0.get(field).map(String::as_str)
    }
}

/// One choice of a list.
#[derive(Debug, Clone)]
pub struct Choice {
    /// What is sent.
    pub value: String,
    /// What is read.
    pub text: String,
}

impl Choice {
    /// A choice.
    #[must_use]
    pub fn new(value: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            value: value.into(),
            text: text.into(),
        }
    }
}

/// What a field takes.
#[derive(Debug, Clone)]
pub enum Kind {
    /// An input of that HTML type with that `autocomplete` token.
    Input(&'static str, &'static str),
    /// Several lines.
    Area(u32),
    /// One of a list.
    Select(Vec<Choice>),
    /// A tick box.
    Tick,
    /// A file, with the kinds it accepts.
    File(&'static str),
    /// Not shown.
    Hidden,
}

/// A field.
#[derive(Debug, Clone)]
pub struct Field {
    /// The name it is sent under.
    pub name: String,
    /// Its label.
    pub label: String,
    /// What helps to fill it in.
    pub hint: String,
    /// What it takes.
    pub kind: Kind,
    /// What it holds.
    pub value: String,
    /// What is wrong with it.
    pub error: String,
    /// Whether it must be filled in.
    pub required: bool,
}

impl Field {
    fn new(name: &str, label: &str, kind: Kind) -> Self {
        Self {
            name: name.to_owned(),
            label: label.to_owned(),
            hint: String::new(),
            kind,
            value: String::new(),
            error: String::new(),
            required: false,
        }
    }

    /// A line of text.
    #[must_use]
    pub fn line(name: &str, label: &str) -> Self {
        Self::new(name, label, Kind::Input("text", "off"))
    }

    /// An input of another type.
    #[must_use]
    pub fn input(name: &str, label: &str, html_type: &'static str, autocomplete: &'static str) -> Self {
        Self::new(name, label, Kind::Input(html_type, autocomplete))
    }

    /// A text of several lines.
    #[must_use]
    pub fn area(name: &str, label: &str, rows: u32) -> Self {
        Self::new(name, label, Kind::Area(rows))
    }

    /// One of a list.
    #[must_use]
    pub fn select(name: &str, label: &str, choices: Vec<Choice>) -> Self {
        Self::new(name, label, Kind::Select(choices))
    }

    /// A tick box.
    #[must_use]
    pub fn tick(name: &str, label: &str) -> Self {
        Self::new(name, label, Kind::Tick)
    }

    /// A file.
    #[must_use]
    pub fn file(name: &str, label: &str, accept: &'static str) -> Self {
        Self::new(name, label, Kind::File(accept))
    }

    /// A hidden value.
    #[must_use]
    pub fn hidden(name: &str, value: impl Into<String>) -> Self {
        Self {
            value: value.into(),
            ..Self::new(name, "", Kind::Hidden)
        }
    }

    /// The same field with a hint.
    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self {
            hint: hint.into(),
            ..self
        }
    }

    /// The same field, required.
    #[must_use]
    pub fn required(self) -> Self {
        Self { required: true, ..self }
    }

    fn ticked(&self) -> bool {
        matches!(self.value.as_str(), "on" | "true" | "1")
    }

    /// The attributes that every kind of input carries; `key` keeps ids of two forms on one page apart.
    fn attributes(&self, key: &str) -> String {
        let mut ids = Vec::new();
        if !self.hint.is_empty() {
            ids.push(format!("h-{key}-{}", self.name));
        }
        if !self.error.is_empty() {
            ids.push(format!("e-{key}-{}", self.name));
        }
        let mut out = String::new();
        if self.required {
            out.push_str(" required");
        }
        if !self.error.is_empty() {
            out.push_str(" aria-invalid=\"true\"");
        }
        if !ids.is_empty() {
            out.push_str(&format!(" aria-describedby=\"{}\"", ids.join(" ")));
        }
        out
    }
}

/// A form.
#[derive(Debug, Clone, Template)]
#[template(path = "parts/form.html")]
pub struct Form {
    /// Where it is sent.
    pub action: String,
    /// What it does, read out.
    pub label: String,
    /// Whether it only reads: its fields go into the address.
    pub reads: bool,
    /// The CSRF token; empty for a form that only reads, or that comes before any session.
    pub csrf: String,
    /// Its fields in order.
    pub fields: Vec<Field>,
    /// The main button.
    pub submit: String,
    /// Further buttons: name, value, word.
    pub more: Vec<(&'static str, &'static str, String)>,
    /// Whether the main button destroys something.
    pub danger: bool,
    /// What is wrong with the whole.
    pub error: String,
    /// Whether it carries a file.
    pub upload: bool,
    /// Whether the fields stand in columns.
    pub columns: bool,
}

super::html!(Form);

impl Form {
    /// A form that changes something.
    #[must_use]
    pub fn post(action: impl Into<String>, label: &str, csrf: &str, fields: Vec<Field>, submit: &str) -> Self {
        let upload = fields.iter().any(|field| matches!(field.kind, Kind::File(_)));
        Self {
            action: action.into(),
            label: label.to_owned(),
            reads: false,
            csrf: csrf.to_owned(),
            fields,
            submit: submit.to_owned(),
            more: Vec::new(),
            danger: false,
            error: String::new(),
            upload,
            columns: true,
        }
    }

    /// A form that only reads: its fields go into the address.
    #[must_use]
    pub fn get(action: impl Into<String>, label: &str, fields: Vec<Field>, submit: &str) -> Self {
        Self {
            reads: true,
            ..Self::post(action, label, "", fields, submit)
        }
    }

    /// The same form with values and problems put to their fields.
    #[must_use]
    pub fn filled(mut self, values: &Values, problems: &Problems) -> Self {
        for field in &mut self.fields {
            let secret = matches!(field.kind, Kind::Input("password", _));
            if !secret && values.0.contains_key(&field.name) {
                values.raw(&field.name).clone_into(&mut field.value);
            }
            if let Some(message) = problems.of(&field.name) {
                message.clone_into(&mut field.error);
            }
        }
        let known = |name: &String| self.fields.iter().any(|field| &field.name == name);
        let rest: Vec<&str> = problems
            .0
            .iter()
            .filter(|(name, _)| !known(name))
            .map(|(_, message)| message.as_str())
            .collect();
        self.error = rest.join(" ");
        self
    }

    fn key(&self) -> String {
        let plain = |letter: char| letter.is_ascii_alphanumeric() || letter == ' ';
        let kept: String = self.label.chars().filter(|letter| plain(*letter)).collect();
        kept.to_ascii_lowercase().replace(' ', "-")
    }

    /// The same form with its fields below one another.
    #[must_use]
    pub fn stacked(self) -> Self {
        Self { columns: false, ..self }
    }

    /// The same form with a red button.
    #[must_use]
    pub fn danger(self) -> Self {
        Self { danger: true, ..self }
    }

    /// The same form with one more button.
    #[must_use]
    pub fn button(mut self, name: &'static str, value: &'static str, word: &str) -> Self {
        self.more.push((name, value, word.to_owned()));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_form_keeps_what_was_typed_but_no_password() {
        let values: Values = [
            ("name".to_owned(), "Ada".to_owned()),
            ("password".to_owned(), "x".to_owned()),
        ]
        .into_iter()
        .collect();
        let fields = vec![
            Field::line("name", "Name"),
            Field::input("password", "Password", "password", "new-password"),
        ];
        let form =
            Form::post("/x", "Sign in", "token", fields, "Go").filled(&values, &Problems::one("name", "Too short."));
        let html = form.render().unwrap();
        assert!(html.contains("value=\"Ada\""));
        assert!(html.contains("aria-invalid=\"true\""));
        assert!(html.contains("Too short."));
        assert!(!html.contains("value=\"x\""));
    }

    #[test]
    fn a_problem_without_a_field_stands_above_the_form() {
        let form = Form::post("/x", "Sign in", "token", vec![], "Go")
            .filled(&Values::default(), &Problems::one("", "Not now."));
        assert_eq!(form.error, "Not now.");
    }
}

//! The phone page.

use super::trouble::TROUBLES;
use crate::meet::trouble::Trouble;
use crate::show::words;
use askama::Template;
use askama_web::WebTemplate;
use strowger_model::HangupCause;
use strowger_model::record::User;

/// How a call ended, in words for whom it concerns.
#[derive(Debug, Clone)]
pub struct Ending {
    /// The cause's code.
    pub code: &'static str,
    /// A sentence.
    pub what: &'static str,
}

/// The page.
#[derive(Debug, Clone, Template, WebTemplate)]
#[template(path = "phone/phone.html")]
pub struct Phone {
    /// Whose phone.
    pub name: String,
    /// Their extension; empty: none.
    pub extension: String,
    /// The number that is filled in.
    pub to: String,
    /// Where to go back to.
    pub home: String,
    /// Why the phone does not work at all; empty: it does.
    pub trouble: &'static str,
    /// What can go wrong.
    pub troubles: &'static [Trouble],
    /// How calls end.
    pub endings: Vec<Ending>,
    /// The token of the visitor's session, for what the page's script sends.
    pub csrf: String,
    /// Whether one may record a call here.
    pub records: bool,
    /// The keys.
    pub keys: [&'static str; 12],
}

impl Phone {
    /// With what its script needs to keep recordings that are made here.
    #[must_use]
    pub fn recording(mut self, csrf: String, records: bool) -> Self {
        (self.csrf, self.records) = (csrf, records);
        self
    }

    /// The phone of somebody, who is a user of a tenant unless `trouble` says otherwise.
    #[must_use]
    pub fn of(name: &str, user: Option<&User>, to: &str, trouble: &'static str) -> Self {
        let endings = HangupCause::ALL.into_iter().map(|cause| Ending {
            code: cause.code(),
            what: words::cause(cause),
        });
        let tenant = user.and_then(|user| user.tenant);
        Self {
            name: name.to_owned(),
            extension: user.and_then(|user| user.extension.clone()).unwrap_or_default(),
            to: to.to_owned(),
            home: tenant.map_or_else(|| "/".to_owned(), |tenant| format!("/t/{tenant}/")),
            trouble,
            troubles: TROUBLES,
            endings: endings.collect(),
            csrf: String::new(),
            records: false,
            keys: ["1", "2", "3", "4", "5", "6", "7", "8", "9", "*", "0", "#"],
        }
    }
}

//! What the page of one's own account shows.

use crate::show::{
    Act, Block, Body, Cell, Column, Fact, Field, Form, Page, Problems, Row, Section, Shell, State, Table, Values, words,
};
use strowger_model::SessionId;
use strowger_model::record::User;
use strowger_store::Session;

/// A browser by the name people know it by, from what it says of itself.
fn browser(user_agent: &str) -> &str {
    const KNOWN: [(&str, &str); 5] = [
        ("Edg/", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
    ];
    let found = KNOWN.iter().find(|(mark, _)| user_agent.contains(mark));
    match found {
        Some((_, name)) => name,
        None if user_agent.is_empty() => "Unknown",
        None => user_agent.split(['/', ' ']).next().unwrap_or("Unknown"),
    }
}

fn sessions(shell: &Shell, sessions: &[Session], this: Option<SessionId>) -> Section {
    let columns = vec![
        Column::name("Browser"),
        Column::text("From").class("full"),
        Column::text("Signed in"),
        Column::text("Last seen"),
        Column::acts(),
    ];
    let rows = sessions.iter().map(|session| {
        let name = browser(&session.user_agent).to_owned();
        let is_this = this == Some(session.id);
        let path = format!("/account/sessions/{}/end", session.id);
        Row::of(vec![
            Cell::text(name.clone()),
            Cell::text(session.source.clone()),
            Cell::text(shell.clock.stamp(session.created_at)),
            if is_this {
                Cell::State(State::on("This browser"))
            } else {
                Cell::text(shell.clock.stamp(session.seen_at))
            },
            Cell::Acts(vec![Act::new(path, "Sign out", &name, &shell.csrf)]),
        ])
    });
    let table = Table::new("Browsers that are signed in", columns, rows.collect());
    Section::table("br", "Browsers that are signed in", table, ("None.", ""))
}

/// One's own account.
#[must_use]
pub fn account(shell: &Shell, user: &User, signed: &[Session], this: Option<SessionId>, problems: &Problems) -> Page {
    let password =
        |name: &str, label: &str, autocomplete| Field::input(name, label, "password", autocomplete).required();
    let fields = vec![
        password("present", "Present password", "current-password"),
        password("fresh", "New password", "new-password").hint("At least 10 characters."),
        password("again", "New password again", "new-password"),
    ];
    let form = Form::post(
        "/account/password",
        "Change the password",
        &shell.csrf,
        fields,
        "Change password",
    )
    .stacked()
    .filled(&Values::default(), problems);
    let change = Section::new("pw", "Change the password", vec![Body::Form(form)])
        .and(Body::Text("Every browser is signed out, this one too.".into()));
    let facts = vec![
        Fact::new("Name", user.name.clone()),
        Fact::new("E-mail", user.email.clone()),
        Fact::new("Role", words::role(user.role)),
        Fact::new("Extension", user.extension.clone().unwrap_or_else(|| "none".to_owned())),
    ];
    let about = Section::new("me", "You", vec![Body::Facts(facts)]);
    Page::new(
        shell,
        "Your account",
        vec![Block::Two(about, change), Block::One(sessions(shell, signed, this))],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_have_the_names_people_know() {
        for (said, name) in [
            (
                "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36",
                "Chrome",
            ),
            ("Mozilla/5.0 Chrome/140.0 Safari/537.36 Edg/140.0", "Edge"),
            ("Mozilla/5.0 (Macintosh) Version/18 Safari/605.1", "Safari"),
            ("curl/8.9", "curl"),
            ("", "Unknown"),
        ] {
            assert_eq!(browser(said), name);
        }
    }
}

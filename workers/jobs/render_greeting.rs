//! The standard greeting of a mailbox, from the settings' text → audio, and beside it what the switchboard
//! itself says in that language, where the tenant has it not yet.

use super::{Desk, Fault, render_flow, spoken};
use crate::prompts::Voice;
use strowger_ivr::Phrase;
use strowger_model::{TenantId, UserId};

pub(super) async fn run(desk: &Desk, tenant: TenantId, user: UserId) -> Result<(), Fault> {
    let scope = desk.store.tenant(tenant);
    let Some(person) = scope.users().get(user).await? else {
        return Ok(());
    };
    let settings = scope.settings().resolve_for(user).await?;
    let text = greeting(&settings.text("default_voicemail_greeting"), &person.name);
    let voice = Voice {
        name: String::new(),
        language: settings.text("prompt_language"),
    };
    for phrase in Phrase::ALL {
        render_flow::render(&scope, phrase.say(&voice.language)).await?;
    }
    let playable = spoken::text(text, voice).await?;
    let blob = scope.blobs().put(&playable.bytes).await?;
    Ok(scope.greetings().put_standard(user, &blob).await?)
}

/// The text with the name put in.
fn greeting(template: &str, name: &str) -> String {
    template.replace("{name}", name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_put_in() {
        let text = greeting("You have reached {name}.", "Ada Lovelace");
        assert_eq!(text, "You have reached Ada Lovelace.");
    }
}

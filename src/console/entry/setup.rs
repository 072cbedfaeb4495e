//! The first set-up: administrator, tenant, user and phone from one form, then what to dial.

use super::{Knock, view, with_cookies};
use crate::fault::{Fault, Page};
use crate::people::form::{sentence, taken};
use crate::people::view::Credentials;
use crate::show::{Problems, Values};
use crate::state::ConsoleState;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect};
use serde_json::{Value, json};
use strowger_access::{FirstAdmin, FirstRunRefused, SignIn, device_password, password};
use strowger_model::Role;
use strowger_model::trunk::{DigestAlgorithm, NumberTarget};
use strowger_store::{Actor, NewDevice, NewFlow, NewNumber, NewTenant, NewUser, Scope};

pub(super) async fn form(State(state): State<ConsoleState>) -> Page {
    if !state.access().awaits_first_admin().await? {
        return Ok(Redirect::to("/").into_response());
    }
    Ok(view::first_run((&Values::default(), &Problems::default())).into_response())
}

/// Everything that can be said about the form before anything is made, so that nothing is made by halves.
fn problems_of(values: &Values) -> Result<NewTenant, Problems> {
    let tenant = crate::tenants::read(values, "tenant");
    let mut problems = tenant.as_ref().err().cloned().unwrap_or_default();
    for (field, message) in [
        ("code", "Write the code from the log."),
        ("name", "Write your name."),
        ("person", "Write the name of the first person with a phone."),
    ] {
        problems.need(values, field, message);
    }
    if !values.get("email").contains('@') {
        problems.add("email", "Write an e-mail address, for example you@acme.example.");
    }
    if let Err(weak) = password::check(values.raw("password")) {
        problems.add("password", format!("{}.", sentence(&weak.to_string())));
    }
    let extension = values.get("extension");
    if !(2..=8).contains(&extension.len()) || !extension.bytes().all(|byte| byte.is_ascii_digit()) {
        problems.add("extension", "Write two to eight digits, for example 201.");
    }
    match tenant {
        Ok(tenant) if problems.is_empty() => Ok(tenant),
        _ => Err(problems),
    }
}

fn again(values: &Values, problems: &Problems) -> Page {
    Ok((StatusCode::UNPROCESSABLE_ENTITY, view::first_run((values, problems))).into_response())
}

fn refusal(refused: FirstRunRefused) -> Page<Problems> {
    let field = match &refused {
        FirstRunRefused::WrongCode => "code",
        FirstRunRefused::Email => "email",
        FirstRunRefused::Done | FirstRunRefused::TooMany { .. } => "",
        FirstRunRefused::Failed(_) => {
            let FirstRunRefused::Failed(error) = refused else {
                return Err(Fault::NotFound);
            };
            return Err(Fault::Access(error));
        }
    };
    Ok(Problems::one(field, format!("{}.", sentence(&refused.to_string()))))
}

pub(super) async fn set_up(State(state): State<ConsoleState>, knock: Knock) -> Page {
    let values: Values = knock.form.into_iter().collect();
    let new = match problems_of(&values) {
        Ok(new) => new,
        Err(problems) => return again(&values, &problems),
    };
    let admin = FirstAdmin {
        code: values.get("code"),
        name: values.get("name"),
        email: values.get("email"),
        password: values.raw("password"),
    };
    if let Err(refused) = state.access().create_first_admin(admin, knock.source).await {
        return again(&values, &refusal(refused)?);
    }
    let actor = Actor::named(values.get("email").to_lowercase());
    let (credentials, home) = match first_phone(&state, &actor, new, &values).await {
        Ok(made) => made,
        Err(Fault::Store(error)) => return again(&values, &taken(error, &[])?),
        Err(fault) => return Err(fault),
    };
    state.exchange().reload();
    let attempt = SignIn {
        email: values.get("email"),
        password: values.raw("password"),
        source: knock.source,
        user_agent: &knock.user_agent,
    };
    let page = view::connect(&credentials, TEST_NUMBER, &home).into_response();
    match state.access().sign_in(attempt).await {
        Ok(signed) => Ok(with_cookies(page, [signed.set_cookie])),
        // Everything is made; they sign in by hand when this fails.
        Err(_) => Ok(page),
    }
}

/// What the first phone dials: a flow that speaks, then takes a message, so that both ways are heard and
/// the message is written down.
const TEST_NUMBER: &str = "*43";

fn test_flow(mailbox: &str) -> Value {
    json!({
        "nodes": [
            {"id": "start", "type": "start", "position": {"x": 0, "y": 0}, "data": {}},
            {"id": "welcome", "type": "say", "position": {"x": 220, "y": 0}, "data": {
                "text": "You can hear your exchange. Say a sentence after the beep, then hang up. It will be written down."}},
            {"id": "sentence", "type": "voicemail", "position": {"x": 440, "y": 0}, "data": {"mailbox": mailbox}},
            {"id": "end", "type": "hangup", "position": {"x": 660, "y": 0}, "data": {}},
        ],
        "edges": [
            {"id": "e1", "source": "start", "target": "welcome"},
            {"id": "e2", "source": "welcome", "target": "sentence"},
            {"id": "e3", "source": "sentence", "target": "end"},
        ],
    })
}

async fn test_number(scope: &Scope, actor: &Actor, mailbox: &str) -> Page<()> {
    let new = NewFlow {
        name: "Test call".to_owned(),
        description: "Speaks, then takes a message: shows that both ways are heard.".to_owned(),
        draft: test_flow(mailbox),
    };
    let flow = scope.flows().create(actor, new).await?;
    scope.flows().publish(actor, flow.id).await?;
    let number = NewNumber {
        number: TEST_NUMBER.to_owned(),
        friendly_name: "Test call".to_owned(),
        target: Some(NumberTarget::Flow(flow.id)),
        record: None,
    };
    scope.numbers().create(actor, number).await?;
    Ok(())
}

/// The first tenant with its first user, their phone and a number to try it.
async fn first_phone(
    state: &ConsoleState,
    actor: &Actor,
    new: NewTenant,
    values: &Values,
) -> Page<(Credentials, String)> {
    let tenant = state.store().tenants().create(actor, new).await?;
    let scope = state.store().tenant(tenant.id);
    let extension = values.get("extension").to_owned();
    let user = NewUser {
        email: format!("{extension}@{}", tenant.realm),
        name: values.get("person").to_owned(),
        role: Role::User,
        extension: Some(extension),
        password_hash: None,
    };
    let user = scope.users().create(actor, user).await?;
    let world = state.config().world.as_ref();
    let password = device_password(world);
    let tail: String = device_password(world).chars().take(6).collect();
    let device = NewDevice {
        user: user.id,
        name: "First phone".to_owned(),
        username: format!("first-{tail}"),
        algorithm: DigestAlgorithm::Md5,
    };
    let device = scope.devices().create(actor, device, &password).await?;
    let credentials = Credentials {
        username: device.username,
        password,
        realm: tenant.realm,
        server: state.config().sip_server.clone(),
    };
    test_number(&scope, actor, values.get("extension")).await?;
    Ok((credentials, format!("/t/{}/", tenant.id)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_test_call_is_a_flow_without_findings() {
        let (flow, findings) = strowger_ivr::check(&test_flow("204"), &strowger_ivr::Catalogue::unknown());
        assert!(flow.is_some() && findings.is_empty(), "{findings:?}");
    }
}

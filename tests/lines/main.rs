//! What callers hear and how long it lasts, with real partners: prompts from any file, limits, what is said before a
//! recording, a provider that falls silent.

#![cfg(test)]

mod cards;
mod codecs;
mod consent;
mod hold;
mod limits;
mod mailbox;
mod prompts;
mod provider;
mod registering;
mod transcript;

use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;
use strowger_tests::Sandbox;

const SOON: Duration = Duration::from_secs(60);

/// Changes settings of the demo tenant.
async fn set(sandbox: &Sandbox, values: Value) {
    let body = json!({"values": values});
    let (status, answer) = sandbox.send(Method::PUT, "/api/settings", Some(&body)).await.unwrap();
    assert!(status.is_success(), "{answer}");
}

/// Makes and publishes a flow and gives it a number.
async fn flow_at(sandbox: &Sandbox, number: &str, definition: Value) {
    let body = json!({"name": format!("flow of {number}"), "flow_definition": definition});
    let flow = sandbox.post("/api/flows", &body).await.unwrap();
    let id = flow["id"].as_str().unwrap().to_owned();
    sandbox
        .post(&format!("/api/flows/{id}/publish"), &json!({}))
        .await
        .unwrap();
    strowger_tests::eventually(SOON, "the flow takes calls", || async {
        let flow = sandbox.get(&format!("/api/flows/{id}")).await?;
        anyhow::ensure!(flow["is_active"] == true, "{flow}");
        Ok(())
    })
    .await
    .unwrap();
    let body = json!({"phone_number": number, "ivr_flow_id": id});
    sandbox.post("/api/numbers/purchase", &body).await.unwrap();
}

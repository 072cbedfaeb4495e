//! Everything about a number: found, given out, erased, refused under a legal hold.

use super::house::House;
use serde_json::json;

const NUMBER: &str = "+49 421 777";

#[tokio::test]
async fn a_number_is_found_given_out_and_erased_with_a_proof() {
    let house = House::new().await;
    let about = || Some(json!({"subject": NUMBER}));
    house
        .ask("POST", "/api/subjects/find", Some(json!({"subject": "+4"})))
        .await
        .expect(422);
    let found = house.ask("POST", "/api/subjects/find", about()).await.expect(200);
    assert!(
        found["calls"].as_i64().unwrap() > 0 && found["rows"]["calls"].is_number(),
        "{found}"
    );
    let archive = house.ask("POST", "/api/subjects/export", about()).await;
    assert_eq!(archive.headers["content-type"], "application/zip");
    assert!(archive.body.starts_with(b"PK\x03\x04") && archive.text().contains("+49421777"));

    let recording = &house.acme.ids["recording"];
    let scope = house.store.tenant(house.acme.id);
    let actor = strowger_store::Actor::system();
    scope
        .recordings()
        .hold(&actor, recording.parse().unwrap())
        .await
        .unwrap();
    let refused = house.ask("POST", "/api/subjects/erase", about()).await.expect(409);
    assert!(refused["detail"].as_str().unwrap().contains("legal hold"), "{refused}");
    scope
        .recordings()
        .release(&actor, recording.parse().unwrap())
        .await
        .unwrap();

    let proof = house.ask("POST", "/api/subjects/erase", about()).await.expect(200);
    assert_eq!(proof["before"], found);
    assert_eq!(proof["after"]["rows"], json!({}));
    let proofs = house.get("/api/erasures").await.expect(200);
    assert_eq!(proofs["items"][0], proof);
    let calls = house.get("/api/calls/log").await;
    assert!(!calls.text().contains("421777"), "{}", calls.text());
    assert!(!calls.json()["items"].as_array().unwrap().is_empty(), "rows stay");
}

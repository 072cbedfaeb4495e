//! Tokens that are wrong, swapped, over, revoked or used too much.

use super::house::House;
use axum::http::{Request, header};
use strowger_access::NewToken;
use strowger_model::{Role, World};
use strowger_store::Actor;

#[tokio::test]
async fn wrong_swapped_and_revoked_tokens_are_refused() {
    let house = House::new().await;
    let acme = house.acme.token(Role::TenantAdmin);
    let zenith = house.zenith.token(Role::TenantAdmin);
    let (id, _) = acme.rsplit_once('_').unwrap();
    let (_, secret) = zenith.rsplit_once('_').unwrap();
    for bad in [
        "",
        "swt_",
        "nonsense",
        &format!("{id}_{secret}"),
        &acme[..acme.len() - 1],
        &acme.to_uppercase(),
    ] {
        let answer = house.ask_as(bad, "GET", "/api/numbers", None).await.expect(401);
        assert_eq!(answer["code"], "token_invalid", "{bad}");
    }
    let scope = house.store.tenant(house.acme.id);
    let token = scope
        .tokens()
        .list()
        .await
        .unwrap()
        .into_iter()
        .find(|token| token.role == Role::TenantAdmin);
    scope
        .tokens()
        .remove(&Actor::system(), token.unwrap().id)
        .await
        .unwrap();
    house.get("/api/numbers").await.expect(401);
}

#[tokio::test]
async fn a_token_ends_when_it_says_and_tells_when_it_was_used() {
    let house = House::new().await;
    let new = NewToken {
        name: "for a day".into(),
        role: Role::Manager,
        expires_at: Some(house.world.now() + time::Duration::days(1)),
    };
    let (row, token) = house
        .access
        .create_token(&Actor::system(), house.acme.id, new)
        .await
        .unwrap();
    assert_eq!(row.last_used_at, None);
    house.ask_as(&token, "GET", "/api/numbers", None).await.expect(200);
    let scope = house.store.tenant(house.acme.id);
    let rows = scope.tokens().list().await.unwrap();
    let used = rows.iter().find(|other| other.id == row.id).unwrap().last_used_at;
    assert_eq!(used, Some(house.world.now()));
    house.world.advance(86_400_001);
    house.ask_as(&token, "GET", "/api/numbers", None).await.expect(401);
    house.get("/api/numbers").await.expect(200);
}

#[tokio::test]
async fn a_token_cannot_be_a_platform_administrators() {
    let house = House::new().await;
    let new = NewToken {
        name: "all".into(),
        role: Role::PlatformAdmin,
        expires_at: None,
    };
    assert!(
        house
            .access
            .create_token(&Actor::system(), house.acme.id, new)
            .await
            .is_err()
    );
}

#[tokio::test]
async fn guessing_and_hammering_are_slowed_down() {
    let house = House::new().await;
    let guess = format!("swt_{}_{}", "0".repeat(32), "0".repeat(64));
    let mut last = house.ask_as(&guess, "GET", "/api/numbers", None).await;
    for _ in 0..60 {
        last = house.ask_as(&guess, "GET", "/api/numbers", None).await;
    }
    assert_eq!(last.expect(429)["code"], "too_many_requests");
    assert!(last.headers.contains_key(header::RETRY_AFTER));
    house.get("/api/numbers").await.expect(200);
}

#[tokio::test]
async fn a_stopped_tenant_has_no_tokens() {
    let house = House::new().await;
    let change = strowger_store::TenantChange {
        name: "acme".into(),
        active: false,
    };
    house
        .store
        .tenants()
        .update(&Actor::system(), house.acme.id, &change)
        .await
        .unwrap();
    house.get("/api/numbers").await.expect(401);
    let request = Request::builder()
        .uri("/health")
        .body(axum::body::Body::empty())
        .unwrap();
    house.send(request).await.expect(200);
}

//! Forms: tokens, refusals with what was typed, things shown once, audit rows.

use super::harness::{Bench, Browser, PASSWORD, between};
use axum::http::{StatusCode, header};
use strowger_model::Role;
use strowger_store::{AuditFilter, Page};

#[tokio::test]
async fn the_first_set_up_makes_everything_once() {
    let bench = Bench::new().await;
    let nobody = Browser::default();
    assert_eq!(bench.get("/", &nobody).await.location(), "/setup");
    assert_eq!(bench.get("/login", &nobody).await.location(), "/setup");
    let code = bench.access.first_run_code().await.unwrap().unwrap();
    let form = |code: &str, extension: &str| {
        format!(
            "code={code}&name=Ines&email=ines%40acme.example&password={}&tenant=Acme&realm=acme.example&person=Jonas&extension={extension}",
            PASSWORD.replace(' ', "+")
        )
    };
    let answer = bench
        .send("POST", "/setup", &nobody, &form("abcd-efgh-jkmn-pqrs", "204"), &[])
        .await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    let html = answer.text();
    assert!(html.contains("This is not the code") && html.contains("value=\"Acme\"") && !html.contains(PASSWORD));
    let answer = bench.send("POST", "/setup", &nobody, &form(&code, "x"), &[]).await;
    assert!(answer.text().contains("two to eight digits"));
    let answer = bench
        .send(
            "POST",
            "/setup",
            &nobody,
            &form(&code, "204"),
            &[("sec-fetch-site", "cross-site")],
        )
        .await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    let answer = bench.send("POST", "/setup", &nobody, &form(&code, "204"), &[]).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    let html = answer.text();
    assert!(html.contains("acme.example") && html.contains("pbx.example:5060") && html.contains("class=\"big\">*43<"));
    let cookie = answer.headers[header::SET_COOKIE]
        .to_str()
        .unwrap()
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    let admin = Browser {
        cookie,
        csrf: String::new(),
    };
    assert_eq!(bench.get("/", &admin).await.location(), "/tenants");
    let home = between(&html, "class=\"btn go\" href=\"", "\"");
    let flows = bench.get(&format!("{home}flows"), &admin).await;
    assert!(flows.text().contains("Test call"), "{}", flows.text());
    assert_eq!(bench.get("/setup", &nobody).await.location(), "/");
    let answer = bench.send("POST", "/setup", &nobody, &form(&code, "204"), &[]).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn a_form_without_the_pages_token_changes_nothing() {
    let bench = Bench::new().await;
    let tenant = bench.tenant("Acme").await;
    let admin = bench.signed_in(Some(&tenant), Role::TenantAdmin).await;
    let other = bench.signed_in(Some(&tenant), Role::Manager).await;
    let path = format!("/t/{}/users", tenant.id);
    let form = "name=Eve&email=eve%40acme.example&role=user";
    for csrf in ["", &format!("csrf={}&", other.csrf)] {
        let answer = bench.send("POST", &path, &admin, &format!("{csrf}{form}"), &[]).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
        assert!(answer.text().contains("This form is too old"));
    }
    let foreign = [("sec-fetch-site", "cross-site")];
    let answer = bench
        .send("POST", &path, &admin, &format!("csrf={}&{form}", admin.csrf), &foreign)
        .await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert!(!bench.get(&path, &admin).await.text().contains("eve@acme.example"));
    let answer = bench.post(&path, &admin, form).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_phones_password_is_shown_once_and_never_again() {
    let bench = Bench::new().await;
    let tenant = bench.tenant("Acme").await;
    let admin = bench.signed_in(Some(&tenant), Role::TenantAdmin).await;
    let base = format!("/t/{}", tenant.id);
    let form = "name=Jonas+Weber&email=jonas%40acme.example&role=user&extension=204";
    let answer = bench.post(&format!("{base}/users"), &admin, form).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text());
    let user = between(answer.location(), "/users/", "?").to_owned();
    let answer = bench
        .post(&format!("{base}/devices"), &admin, &format!("user={user}&name=Desk"))
        .await;
    let html = answer.text();
    let password = between(&html, "<dt>Password</dt><dd><code>", "<").to_owned();
    assert_eq!(password.len(), 26, "{html}");
    let list = bench.get(&format!("{base}/devices"), &admin).await.text();
    assert!(list.contains("Desk") && !list.contains(&password));
    let device = between(&list, &format!("{base}/devices/"), "\"").to_owned();
    let page = bench.get(&format!("{base}/devices/{device}"), &admin).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(!page.text().contains(&password));
    let renewed = bench
        .post(&format!("{base}/devices/{device}/password"), &admin, "")
        .await
        .text();
    let second = between(&renewed, "<dt>Password</dt><dd><code>", "<");
    assert!(second.len() == 26 && second != password);
    let log = bench
        .store
        .tenant(tenant.id)
        .audit()
        .list(&AuditFilter::default(), &Page::first(50))
        .await
        .unwrap();
    let actions: Vec<&str> = log.items.iter().map(|entry| entry.action.as_str()).collect();
    for action in ["user.create", "device.create"] {
        assert!(actions.contains(&action), "{actions:?}");
    }
    assert!(log.items.iter().all(|entry| !entry.detail.contains(&password)));
}

#[tokio::test]
async fn a_refused_form_says_what_is_wrong_beside_the_field() {
    let bench = Bench::new().await;
    let tenant = bench.tenant("Acme").await;
    let admin = bench.signed_in(Some(&tenant), Role::TenantAdmin).await;
    let base = format!("/t/{}", tenant.id);
    bench
        .post(
            &format!("{base}/users"),
            &admin,
            "name=A&email=a%40acme.example&role=user&extension=204",
        )
        .await;
    let form = "name=Tom&email=tom%40acme.example&role=user&extension=204&password=short";
    let answer = bench.post(&format!("{base}/users"), &admin, form).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        answer.text().contains("value=\"tom@acme.example\"") && answer.text().contains("id=\"e-add-a-user-password\"")
    );
    let form = "name=Tom&email=tom%40acme.example&role=user&extension=204";
    let answer = bench.post(&format!("{base}/users"), &admin, form).await;
    assert!(
        answer.text().contains("Somebody has this extension"),
        "{}",
        answer.text()
    );
    let form = "name=Tom&email=tom%40acme.example&role=platform_admin";
    let answer = bench.post(&format!("{base}/users"), &admin, form).await;
    assert!(answer.text().contains("roles you may give"));
    let answer = bench.post(&format!("{base}/numbers"), &admin, "number=call+me").await;
    assert!(answer.text().contains("Write digits"));
}

#[tokio::test]
async fn a_token_is_shown_once_and_can_be_revoked() {
    let bench = Bench::new().await;
    let tenant = bench.tenant("Acme").await;
    let admin = bench.signed_in(Some(&tenant), Role::TenantAdmin).await;
    let path = format!("/t/{}/tokens", tenant.id);
    let html = bench.post(&path, &admin, "name=CRM&role=manager&days=30").await.text();
    let token = between(&html, "<dt>Token CRM</dt><dd><code>", "<").to_owned();
    assert!(token.len() > 40, "{html}");
    let source = std::net::IpAddr::from([127, 0, 0, 1]);
    assert!(bench.access.api_token(&token, source).await.is_ok());
    let list = bench.get(&path, &admin).await.text();
    assert!(list.contains("CRM") && !list.contains(&token));
    let id = between(&list, &format!("{path}/"), "/remove");
    bench.post(&format!("{path}/{id}/remove"), &admin, "").await;
    assert!(bench.access.api_token(&token, source).await.is_err());
}

#[tokio::test]
async fn a_key_to_rooms_is_shown_once_and_signs_webhooks_until_it_is_revoked() {
    let bench = Bench::new().await;
    let tenant = bench.tenant("Acme").await;
    let admin = bench.signed_in(Some(&tenant), Role::TenantAdmin).await;
    let path = format!("/t/{}/room-keys", tenant.id);
    let html = bench.post(&path, &admin, "name=Booking").await.text();
    let key = between(&html, "<dt>API key of Booking</dt><dd><code>", "<").to_owned();
    let secret = between(&html, "<dt>API secret</dt><dd><code>", "<").to_owned();
    assert!(key.starts_with("API") && secret.len() == 64, "{html}");
    let list = bench.get(&path, &admin).await.text();
    assert!(list.contains(&key) && !list.contains(&secret));
    let twice = bench.post(&path, &admin, "name=Booking").await;
    assert_eq!(twice.status, StatusCode::UNPROCESSABLE_ENTITY);
    let hooks = format!("/t/{}/room-webhooks", tenant.id);
    let wrong = bench
        .post(&hooks, &admin, "url=ftp%3A%2F%2Fa.example&key=APIx")
        .await
        .text();
    assert!(
        wrong.contains("Choose the key") && wrong.contains("ftp://a.example"),
        "{wrong}"
    );
    let form = format!("url=https%3A%2F%2Fa.example%2Frooms&key={key}");
    assert_eq!(bench.post(&hooks, &admin, &form).await.status, StatusCode::SEE_OTHER);
    assert!(
        bench
            .get(&path, &admin)
            .await
            .text()
            .contains("https://a.example/rooms")
    );
    bench.post(&format!("{path}/{key}/remove"), &admin, "").await;
    let list = bench.get(&path, &admin).await.text();
    assert!(!list.contains(&key) && !list.contains("a.example/rooms"), "{list}");
}

#[tokio::test]
async fn a_lock_of_the_platform_is_shown_and_kept() {
    let bench = Bench::new().await;
    let tenant = bench.tenant("Acme").await;
    let boss = bench.signed_in(None, Role::PlatformAdmin).await;
    let admin = bench.signed_in(Some(&tenant), Role::TenantAdmin).await;
    let answer = bench
        .post("/platform/settings", &boss, "key=enable_ivr&value=false&lock=hard")
        .await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text());
    let path = format!("/t/{}/settings", tenant.id);
    let html = bench.get(&path, &admin).await.text();
    assert!(html.contains("Locked by the platform") && html.contains("from the platform"));
    let answer = bench
        .post(&path, &admin, "key=enable_ivr&value=true&lock=unlocked")
        .await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(answer.text().contains("is locked by the platform"));
    let answer = bench
        .post(&path, &admin, "key=ring_timeout_seconds&value=soon&lock=unlocked")
        .await;
    assert!(answer.text().contains("value=\"soon\"") && answer.text().contains("whole number"));
    let answer = bench
        .post(&path, &admin, "key=ring_timeout_seconds&value=25&lock=soft")
        .await;
    assert_eq!(answer.location(), format!("{path}?done=saved#s-ring_timeout_seconds"));
}

#[tokio::test]
async fn a_view_of_the_calls_is_kept_as_a_tab() {
    let bench = Bench::new().await;
    let tenant = bench.tenant("Acme").await;
    let admin = bench.signed_in(Some(&tenant), Role::TenantAdmin).await;
    let path = format!("/t/{}/calls", tenant.id);
    bench
        .post(
            &format!("{path}/views"),
            &admin,
            "name=Lost+ones&query=state%3Dmissed%26way%3Dinbound",
        )
        .await;
    let html = bench.get(&path, &admin).await.text();
    assert!(html.contains(">Lost ones</a>"), "{html}");
    assert!(html.contains("way=inbound&#38;state=missed") || html.contains("way=inbound&amp;state=missed"));
    let id = between(&html, "name=\"id\" value=\"", "\"").to_owned();
    bench
        .post(&format!("{path}/views/remove"), &admin, &format!("id={id}"))
        .await;
    assert!(!bench.get(&path, &admin).await.text().contains("Lost ones"));
}

#[tokio::test]
async fn a_draft_is_saved_with_findings_and_not_published_with_errors() {
    let bench = Bench::new().await;
    let tenant = bench.tenant("Acme").await;
    let manager = bench.signed_in(Some(&tenant), Role::Manager).await;
    let base = format!("/t/{}", tenant.id);
    let answer = bench.post(&format!("{base}/flows"), &manager, "name=Main").await;
    let flow = format!("{base}/flows/{}", between(answer.location(), "/flows/", "?"));
    let html = bench.get(&flow, &manager).await.text();
    assert!(html.contains("The draft has no findings"), "{html}");
    let answer = bench.post(&flow, &manager, "name=Main&draft=%7Bnot+json").await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(answer.text().contains("This is no JSON") && answer.text().contains("{not json"));
    let lost = "%7B%22nodes%22%3A%5B%7B%22id%22%3A%22a%22%2C%22type%22%3A%22start%22%7D%2C%7B%22id%22%3A%22b%22%2C%22type%22%3A%22nonsense%22%7D%5D%2C%22edges%22%3A%5B%5D%7D";
    let answer = bench.post(&flow, &manager, &format!("name=Main&draft={lost}")).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    let html = bench.get(&flow, &manager).await.text();
    assert!(
        html.contains("cannot be published yet") && html.contains("node bad"),
        "{html}"
    );
    let answer = bench.post(&format!("{flow}/publish"), &manager, "").await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn a_call_is_noted_tagged_and_deleted_after_a_question() {
    let bench = Bench::new().await;
    let tenant = bench.tenant("Acme").await;
    let admin = bench.signed_in(Some(&tenant), Role::TenantAdmin).await;
    let recording = bench.call(&tenant, None).await;
    let base = format!("/t/{}", tenant.id);
    let call = format!("{base}/calls/{}", recording.call);
    bench
        .post(
            &format!("{call}/notes"),
            &admin,
            "notes=Call+back&tags=urgent%2C+billing%2C+urgent",
        )
        .await;
    let html = bench.get(&call, &admin).await.text();
    assert!(html.contains("Call back") && html.contains("value=\"billing, urgent\""));
    bench
        .post(&format!("{base}/recordings/{}/hold", recording.id), &admin, "held=true")
        .await;
    assert!(
        bench
            .get(&call, &admin)
            .await
            .text()
            .contains("A legal hold keeps this call")
    );
    bench
        .post(
            &format!("{base}/recordings/{}/hold", recording.id),
            &admin,
            "held=false",
        )
        .await;
    let page = format!("{base}/recordings/{}", recording.id);
    let name = format!("{page}/name");
    bench
        .post(&name, &admin, "name=Maria+Hansen&description=The+boiler.")
        .await;
    let html = bench.get(&page, &admin).await.text();
    assert!(html.contains("value=\"Maria Hansen\"") && html.contains("The boiler."));
    let long = format!("name={}", "x".repeat(201));
    let refused = bench.post(&name, &admin, &long).await;
    assert!(refused.text().contains("Use at most 200 characters."));
    let question = bench.get(&format!("{call}?confirm=delete"), &admin).await.text();
    assert!(question.contains("This cannot be undone"));
    let answer = bench.post(&format!("{call}/delete"), &admin, "").await;
    assert_eq!(answer.location(), format!("{base}/calls?done=removed"));
    assert_eq!(bench.get(&call, &admin).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_noted_word_is_found_and_marked_and_nobody_elses() {
    let bench = Bench::new().await;
    let (ours, theirs) = (bench.tenant("Ours").await, bench.tenant("Theirs").await);
    let admin = bench.signed_in(None, Role::PlatformAdmin).await;
    let call = bench.call(&ours, None).await.call;
    let path = format!("/t/{}/calls/{call}/notes", ours.id);
    bench.post(&path, &admin, "notes=Sent+to+Timbuktu&tags=").await;
    let found = bench.get(&format!("/t/{}/search?q=timb", ours.id), &admin).await.text();
    assert!(found.contains("<mark>Timbuktu</mark>"), "{found}");
    assert!(found.contains(&format!("/calls/{call}?find=timb")), "{found}");
    let nothing = bench
        .get(&format!("/t/{}/search?q=timb", theirs.id), &admin)
        .await
        .text();
    assert!(nothing.contains("Nothing was found") && !nothing.contains("Timbuktu"));
    // Somebody who sees their own calls alone does not find it either.
    let other = bench.signed_in(Some(&ours), Role::User).await;
    let nothing = bench.get(&format!("/t/{}/search?q=timb", ours.id), &other).await.text();
    assert!(nothing.contains("Nothing was found"));
}

#[tokio::test]
async fn numbers_go_from_the_pool_to_a_tenant_and_come_back_after_a_while() {
    let bench = Bench::new().await;
    let (acme, other) = (bench.tenant("Acme").await, bench.tenant("Other").await);
    let platform = bench.signed_in(None, Role::PlatformAdmin).await;
    let admin = bench.signed_in(Some(&acme), Role::TenantAdmin).await;
    let rival = bench.signed_in(Some(&other), Role::TenantAdmin).await;
    let add = |text: &str| format!("numbers={}", text.replace('+', "%2B").replace('\n', "%0A"));
    let answer = bench
        .post("/platform/numbers", &platform, &add("+4930100\nBerlin"))
        .await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(answer.text().contains("Line 2") && answer.text().contains("+4930100"));
    let answer = bench
        .post("/platform/numbers", &platform, &add("+4930100..+4930103"))
        .await;
    assert_eq!(answer.location(), "/platform/numbers?done=added");
    let taken = ("number=%2B4930102", "number=%2B4930103");
    let answer = bench.post("/platform/numbers/remove", &platform, taken.1).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);

    let numbers = |tenant: &strowger_model::record::Tenant| format!("/t/{}/numbers", tenant.id);
    let free = bench.get(&numbers(&acme), &admin).await.text();
    assert!(free.contains("+4930102") && !free.contains("+4930103"), "{free}");
    let answer = bench.post(&numbers(&acme), &admin, taken.0).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text());
    assert!(!bench.get(&numbers(&other), &rival).await.text().contains("+4930102"));
    let page = bench.get(&numbers(&acme), &admin).await.text();
    let own = format!("{}/", numbers(&acme));
    let own = format!("{own}{}", between(&page, &format!("href=\"{own}"), "\""));
    let answer = bench.post(&format!("{own}/remove"), &admin, "").await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text());
    let answer = bench.post(&numbers(&other), &rival, taken.0).await;
    assert!(
        answer.text().contains("gave this number up a short while ago"),
        "{}",
        answer.text()
    );
    let pool = bench.get("/platform/numbers", &platform).await.text();
    assert!(pool.contains("+4930102") && pool.contains("Kept back until"), "{pool}");
}

//! Pages: who may see which, that every link leads somewhere, that tenants are apart.

use super::harness::{Bench, Browser};
use axum::http::{StatusCode, header};
use std::collections::{BTreeSet, VecDeque};
use strowger_model::Role;
use strowger_model::job::NoticeKind;
use strowger_model::record::CallEvent;

/// The pages of a tenant, and who may see them: platform admin, tenant admin, manager, user, auditor.
const PAGES: [(&str, [bool; 5]); 21] = [
    ("/", [true, true, true, true, true]),
    ("/live", [true, true, true, true, true]),
    ("/calls", [true, true, true, true, true]),
    ("/recordings", [true, true, true, true, true]),
    ("/voicemail", [true, true, true, true, true]),
    ("/rooms", [true, true, true, true, true]),
    ("/search", [true, true, true, true, true]),
    ("/users", [true, true, false, false, true]),
    ("/devices", [true, true, false, false, true]),
    ("/numbers", [true, true, false, false, true]),
    ("/trunks", [true, true, false, false, true]),
    ("/flows", [true, true, true, false, true]),
    ("/prompts", [true, true, true, false, true]),
    ("/retention", [true, true, false, false, true]),
    ("/settings", [true, true, false, false, true]),
    ("/audit", [true, true, false, false, true]),
    ("/providers", [true, true, false, false, true]),
    ("/tokens", [true, true, false, false, false]),
    ("/room-keys", [true, true, false, false, false]),
    ("/jobs", [true, true, true, false, true]),
    ("/nowhere", [false, false, false, false, false]),
];

/// The forms of a tenant, and who may post them.
const FORMS: [(&str, [bool; 5]); 17] = [
    ("/users", [true, true, false, false, false]),
    ("/devices", [true, true, false, false, false]),
    ("/numbers", [true, true, false, false, false]),
    ("/trunks", [true, true, false, false, false]),
    ("/tokens", [true, true, false, false, false]),
    ("/room-keys", [true, true, false, false, false]),
    ("/room-webhooks", [true, true, false, false, false]),
    ("/rooms", [true, true, true, true, false]),
    ("/rooms/meet", [true, true, true, true, false]),
    ("/settings", [true, true, false, false, false]),
    ("/providers", [true, true, false, false, false]),
    ("/retention/run", [true, true, false, false, false]),
    ("/flows", [true, true, true, false, false]),
    (
        "/jobs/0199aa00-0000-7000-8000-000000000000/retry",
        [true, true, true, false, false],
    ),
    (
        "/jobs/0199aa00-0000-7000-8000-000000000000/stop",
        [true, true, true, false, false],
    ),
    (
        "/live/0199aa00-0000-7000-8000-000000000000/hang-up",
        [true, true, true, false, false],
    ),
    (
        "/live/0199aa00-0000-7000-8000-000000000000/record",
        [true, true, true, false, false],
    ),
];

#[tokio::test]
async fn each_role_sees_and_does_what_it_may_and_no_more() {
    let bench = Bench::new().await;
    let tenant = bench.tenant("Acme").await;
    for (index, &role) in Role::ALL.iter().enumerate() {
        let place = (role != Role::PlatformAdmin).then_some(&tenant);
        let browser = bench.signed_in(place, role).await;
        for (path, allowed) in PAGES {
            let answer = bench.get(&format!("/t/{}{path}", tenant.id), &browser).await;
            let expected = match (allowed[index], path) {
                (true, _) => StatusCode::OK,
                (false, "/nowhere") => StatusCode::NOT_FOUND,
                (false, _) => StatusCode::FORBIDDEN,
            };
            assert_eq!(answer.status, expected, "{role} {path}: {}", answer.text());
        }
        for (path, allowed) in FORMS {
            let answer = bench.post(&format!("/t/{}{path}", tenant.id), &browser, "").await;
            assert_eq!(
                answer.status != StatusCode::FORBIDDEN,
                allowed[index],
                "{role} POST {path}"
            );
        }
        for path in [
            "/tenants",
            "/platform/numbers",
            "/platform/settings",
            "/platform/audit",
            "/platform/health",
        ] {
            let answer = bench.get(path, &browser).await;
            assert_eq!(
                answer.status == StatusCode::OK,
                role == Role::PlatformAdmin,
                "{role} {path}: {}",
                answer.text()
            );
        }
    }
}

#[tokio::test]
async fn every_link_and_form_of_every_page_leads_somewhere() {
    let bench = Bench::new().await;
    let tenant = bench.tenant("Acme").await;
    let admin = bench.signed_in(None, Role::PlatformAdmin).await;
    bench.person(Some(&tenant), Role::User).await;
    bench.call(&tenant, None).await;
    let base = format!("/t/{}", tenant.id);
    bench.post(&format!("{base}/flows"), &admin, "name=Main").await;
    bench
        .post(&format!("{base}/trunks"), &admin, "name=Gamma&host=sip.gamma.example")
        .await;
    bench
        .post(&format!("{base}/numbers"), &admin, "number=%2B4420794600&target=")
        .await;
    bench.post(&format!("{base}/rooms/meet"), &admin, "name=Daily").await;
    let mut seen = BTreeSet::new();
    let mut waiting = VecDeque::from(["/".to_owned(), format!("{base}/")]);
    while let Some(path) = waiting.pop_front() {
        if !seen.insert(path.clone()) {
            continue;
        }
        let answer = bench.get(&path, &admin).await;
        assert!(
            answer.status == StatusCode::OK || answer.status.is_redirection(),
            "{path}: {}",
            answer.status
        );
        if path.ends_with("/events") || path.contains("/audio") {
            continue;
        }
        let policy = answer.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(
            policy.starts_with("default-src 'none'") && !policy.contains("unsafe"),
            "{path}"
        );
        let html = answer.text().replace("&amp;", "&").replace("&#38;", "&");
        for link in html.split(" href=\"/").skip(1).chain(html.split(" src=\"/").skip(1)) {
            let link = link.split(['"', '#']).next().unwrap();
            waiting.push_back(format!("/{link}"));
        }
        for form in html.split("<form ").skip(1).filter(|form| is_plain_post(form)) {
            let action = form
                .split("action=\"")
                .nth(1)
                .unwrap()
                .split(['"', '#'])
                .next()
                .unwrap();
            let bare = Browser {
                csrf: "wrong".into(),
                ..admin.clone()
            };
            let answer = bench.post(action, &bare, "").await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}: {action} without a token");
        }
    }
    assert!(seen.len() > 30, "{seen:?}");
}

/// Whether a form posts without a file; those with one have their own test.
fn is_plain_post(form: &str) -> bool {
    let head = form.split('>').next().unwrap();
    head.contains("method=\"post\"") && !head.contains("multipart")
}

#[tokio::test]
async fn nobody_sees_another_tenants_things() {
    let bench = Bench::new().await;
    let (ours, theirs) = (bench.tenant("Ours").await, bench.tenant("Theirs").await);
    let spy = bench.signed_in(Some(&ours), Role::TenantAdmin).await;
    let recording = bench.call(&theirs, None).await;
    let user = bench.person(Some(&theirs), Role::User).await;
    for base in [format!("/t/{}", ours.id), format!("/t/{}", theirs.id)] {
        for path in [
            format!("/calls/{}", recording.call),
            format!("/recordings/{}", recording.id),
            format!("/recordings/{}/audio", recording.id),
            format!("/users/{}", user.id),
        ] {
            let answer = bench.get(&format!("{base}{path}"), &spy).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{base}{path}");
        }
    }
    for path in ["/", "/calls", "/users", "/live/events"] {
        let answer = bench.get(&format!("/t/{}{path}", theirs.id), &spy).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
    }
    let answer = bench.post(&format!("/t/{}/users", theirs.id), &spy, "name=Eve").await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    let answer = bench.get(&format!("/calls/{}", recording.call), &spy).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_user_sees_their_own_calls_only() {
    let bench = Bench::new().await;
    let tenant = bench.tenant("Acme").await;
    let browser = bench.signed_in(Some(&tenant), Role::User).await;
    let own = bench
        .store
        .accounts()
        .by_email("user@acme.example")
        .await
        .unwrap()
        .unwrap()
        .user;
    let other = bench.call(&tenant, None).await;
    let mine = bench.call(&tenant, Some(&own)).await;
    let base = format!("/t/{}", tenant.id);
    for (recording, status) in [(&mine, StatusCode::OK), (&other, StatusCode::NOT_FOUND)] {
        for path in [
            format!("{base}/calls/{}", recording.call),
            format!("{base}/recordings/{}/audio", recording.id),
        ] {
            assert_eq!(bench.get(&path, &browser).await.status, status, "{path}");
        }
    }
    let list = bench.get(&format!("{base}/calls"), &browser).await.text();
    assert!(list.contains(&mine.call.to_string()) && !list.contains(&other.call.to_string()));
    let list = bench.get(&format!("{base}/recordings"), &browser).await.text();
    assert!(list.contains(&mine.id.to_string()) && !list.contains(&other.id.to_string()));
}

#[tokio::test]
async fn a_stranger_is_sent_to_the_door_and_back() {
    let bench = Bench::new().await;
    let tenant = bench.tenant("Acme").await;
    bench.person(None, Role::PlatformAdmin).await;
    let answer = bench
        .get(&format!("/t/{}/calls?state=missed", tenant.id), &Browser::default())
        .await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert!(
        answer.location().starts_with("/login?next=/t/"),
        "{}",
        answer.location()
    );
    let answer = bench.get("/login?next=//evil.example", &Browser::default()).await;
    assert!(!answer.text().contains("evil.example"));
}

#[tokio::test]
async fn the_call_page_tells_the_whole_story() {
    let bench = Bench::new().await;
    let tenant = bench.tenant("Acme").await;
    let admin = bench.signed_in(Some(&tenant), Role::TenantAdmin).await;
    let recording = bench.call(&tenant, None).await;
    let base = format!("/t/{}", tenant.id);
    let html = bench
        .get(&format!("{base}/calls/{}", recording.call), &admin)
        .await
        .text();
    for part in [
        "Jonas Weber answered after 55 s",
        "began upset and left pleased",
        "The call on one clock",
        "data-cursor",
        "Second visit for the same tooth",
        "What passed",
        "Transcribe",
        "words are underlined",
    ] {
        assert!(html.contains(part), "{part}");
    }
    let list = bench
        .get(&format!("{base}/calls?q=Kowalczyk&state=completed"), &admin)
        .await
        .text();
    assert!(list.contains("↗ better") && list.contains("Jonas Weber") && list.contains("Rec, transcript"));
    let answer = bench.get(&format!("/calls/{}", recording.call), &admin).await;
    assert_eq!(answer.location(), format!("{base}/calls/{}", recording.call));
}

#[tokio::test]
async fn the_two_calls_of_a_talk_that_a_restart_cut_lead_to_each_other() {
    let bench = Bench::new().await;
    let tenant = bench.tenant("Acme").await;
    let admin = bench.signed_in(Some(&tenant), Role::TenantAdmin).await;
    let calls = [
        bench.call(&tenant, None).await.call,
        bench.call(&tenant, None).await.call,
    ];
    let base = format!("/t/{}", tenant.id);
    for (call, other, kind, name, words) in [
        (
            calls[0],
            calls[1],
            CallEvent::RESTART,
            "Goes on as",
            "re-attached, goes on as call",
        ),
        (
            calls[1],
            calls[0],
            CallEvent::REATTACHED,
            "Goes on from",
            "continues call",
        ),
    ] {
        let event = CallEvent {
            at: bench.store.tenant(tenant.id).now(),
            kind: kind.to_owned(),
            leg: None,
            detail: format!("{words} {other}"),
        };
        let events = bench.store.tenant(tenant.id).calls();
        events.events(call, 1000, &[event]).await.unwrap();
        let page = bench.get(&format!("{base}/calls/{call}"), &admin).await.text();
        let fact = format!("<dt>{name}</dt><dd><a href=\"{base}/calls/{other}\">");
        assert!(page.contains(&fact), "{fact}");
    }
}

#[tokio::test]
async fn what_was_told_of_a_certificate_stands_on_the_first_page() {
    let bench = Bench::new().await;
    let tenant = bench.tenant("Acme").await;
    let admin = bench.signed_in(Some(&tenant), Role::TenantAdmin).await;
    let home = format!("/t/{}/", tenant.id);
    assert!(!bench.get(&home, &admin).await.text().contains("Certificate ends"));
    let told = "the console’s ends on 2030-02-01, in a week or less: renew it";
    bench.store.tell_all(NoticeKind::CertificateEnds, told).await.unwrap();
    let page = bench.get(&home, &admin).await.text();
    assert!(page.contains("Lately") && page.contains(&format!("Certificate ends. {told}")));
}

#[tokio::test]
async fn what_a_call_was_about_leads_to_others_and_its_suggested_end_is_taken_with_one_click() {
    let bench = Bench::new().await;
    let tenant = bench.tenant("Harbour Dental").await;
    let admin = bench.signed_in(Some(&tenant), Role::TenantAdmin).await;
    let auditor = bench.signed_in(Some(&tenant), Role::Auditor).await;
    let recording = bench.call(&tenant, None).await;
    let base = format!("/t/{}", tenant.id);
    let page = format!("{base}/calls/{}", recording.call);
    let html = bench.get(&page, &admin).await.text();
    for part in [
        "Appointment",
        "calls?about=upper",
        "3 times",
        "suggested by local-rules",
        "Accept",
    ] {
        assert!(html.contains(part), "{part}");
    }
    assert!(!bench.get(&page, &auditor).await.text().contains("/outcome\""));
    for (query, is_found) in [
        ("about=appointment&seems=appointment", true),
        ("about=upper+tooth", true),
        ("about=billing", false),
        ("seems=sale", false),
    ] {
        let list = bench.get(&format!("{base}/calls?{query}"), &admin).await.text();
        assert_eq!(list.contains("Jonas Weber"), is_found, "{query}");
    }
    let file = bench.get(&format!("{base}/calls/export.csv"), &admin).await.text();
    assert!(file.contains(",disposition,suggested_disposition,topics,"));
    assert!(
        file.contains(",answered,appointment,\"appointment; upper tooth\","),
        "{file}"
    );

    let accept = format!("{page}/outcome");
    assert_eq!(bench.post(&accept, &admin, "").await.status, StatusCode::SEE_OTHER);
    let html = bench.get(&page, &admin).await.text();
    assert!(!html.contains("/outcome\"") && html.contains("suggested by local-rules"));
    let file = bench.get(&format!("{base}/calls/export.csv"), &admin).await.text();
    assert!(file.contains(",appointment,appointment,"), "{file}");
    assert_eq!(bench.post(&accept, &admin, "").await.status, StatusCode::CONFLICT);
}

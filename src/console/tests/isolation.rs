//! Every address of a tenant, found by walking its pages, asked by somebody of another tenant.

use super::harness::{Bench, Browser};
use axum::http::StatusCode;
use std::collections::BTreeSet;
use strowger_model::Role;
use strowger_model::record::Tenant;

/// A tenant with something on every page.
async fn furnished(bench: &Bench, name: &str, admin: &Browser) -> Tenant {
    let tenant = bench.tenant(name).await;
    let base = format!("/t/{}", tenant.id);
    let user = bench.person(Some(&tenant), Role::User).await;
    bench.call(&tenant, Some(&user)).await;
    let lower = name.to_lowercase();
    let device = format!("user={}&name=Desk&username={lower}-desk&algorithm=md5", user.id);
    let number = format!("number=%2B4420794600{}&target=", lower.len());
    for (path, form) in [
        ("/flows", "name=Main"),
        ("/trunks", "name=Gamma&host=sip.gamma.example"),
        ("/devices", &device),
        ("/numbers", &number),
        ("/tokens", "name=crm&role=auditor"),
    ] {
        let answer = bench.post(&format!("{base}{path}"), admin, form).await;
        assert!(
            answer.status.is_success() || answer.status.is_redirection(),
            "{path}: {}",
            answer.text()
        );
    }
    tenant
}

/// Every address of pages (GET) and forms (POST) below the tenant that its pages name.
async fn walked(bench: &Bench, tenant: &Tenant, admin: &Browser) -> (BTreeSet<String>, BTreeSet<String>) {
    let base = format!("/t/{}/", tenant.id);
    let (mut pages, mut forms) = (BTreeSet::new(), BTreeSet::new());
    let mut waiting = vec![base.clone()];
    while let Some(path) = waiting.pop() {
        if !pages.insert(path.clone()) || path.ends_with("/events") || path.contains("/audio") {
            continue;
        }
        let html = bench
            .get(&path, admin)
            .await
            .text()
            .replace("&amp;", "&")
            .replace("&#38;", "&");
        let named = |mark: &str| -> Vec<String> {
            html.split(mark)
                .skip(1)
                .filter_map(|rest| Some(format!("/{}", rest.split(['"', '#']).next()?)))
                .filter(|path| path.starts_with(&base))
                .collect()
        };
        waiting.extend(named(" href=\"/").into_iter().chain(named(" src=\"/")));
        forms.extend(named("method=\"post\" action=\"/").into_iter().map(|path| {
            let takes_file = html
                .split(&format!("action=\"{path}\""))
                .nth(1)
                .is_some_and(|rest| rest.split('>').next().is_some_and(|head| head.contains("multipart")));
            if takes_file { path + FILE } else { path }
        }));
    }
    (pages, forms)
}

#[tokio::test]
async fn no_address_of_a_tenant_answers_somebody_of_another() {
    let bench = Bench::new().await;
    let admin = bench.signed_in(None, Role::PlatformAdmin).await;
    let ours = furnished(&bench, "Ours", &admin).await;
    let theirs = furnished(&bench, "Theirs", &admin).await;
    let spy = bench.signed_in(Some(&ours), Role::TenantAdmin).await;
    let (pages, forms) = walked(&bench, &theirs, &admin).await;
    let (own, _) = walked(&bench, &ours, &spy).await;
    let (their_base, our_base) = (format!("/t/{}", theirs.id), format!("/t/{}", ours.id));
    let kinds = [
        "/calls/",
        "/recordings/",
        "/users/",
        "/devices/",
        "/numbers/",
        "/trunks/",
        "/flows/",
    ];
    for kind in kinds {
        assert!(
            pages.iter().any(|path| path.contains(kind)),
            "the walk found nothing below {kind}"
        );
    }
    let mut asked = 0;
    for path in &pages {
        let answer = bench.get(path, &spy).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "GET {path}");
        // The same ids below one's own tenant: an address one may ask, of a thing one does not have.
        let moved = path.replace(&their_base, &our_base);
        let below = moved.strip_prefix(&our_base).unwrap_or_default();
        if below
            .split('/')
            .any(|part| is_id(part.split('?').next().unwrap_or_default()))
        {
            assert!(!own.contains(&moved), "{moved} is one's own");
            let answer = bench.get(&moved, &spy).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "GET {moved}");
        }
        asked += 1;
    }
    for path in &forms {
        for path in [path.clone(), path.replace(&their_base, &our_base)] {
            let below = path
                .split('/')
                .skip(3)
                .any(|part| is_id(part.split('?').next().unwrap_or_default()));
            if path.starts_with(&our_base) && !below {
                continue;
            }
            let answer = if path.ends_with(FILE) {
                sent_file(&bench, path.trim_end_matches(FILE), &spy).await
            } else {
                bench.post(&path, &spy, "name=x&confirm=yes").await
            };
            let refused = [
                StatusCode::NOT_FOUND,
                StatusCode::BAD_REQUEST,
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
            ];
            assert!(refused.contains(&answer.status), "POST {path}: {}", answer.status);
            asked += 1;
        }
    }
    assert!(asked > 60, "only {asked} addresses were asked");
    // Nothing of theirs was changed by all that.
    let (after, _) = walked(&bench, &theirs, &admin).await;
    let lost: Vec<&String> = pages
        .difference(&after)
        .filter(|path| !path.contains("done="))
        .collect();
    assert!(lost.is_empty(), "gone: {lost:?}");
}

/// What marks the address of a form with a file.
const FILE: &str = " with a file";

async fn sent_file(bench: &Bench, path: &str, browser: &Browser) -> super::harness::Answer {
    let part = |name: &str, value: &str| {
        format!("--cut\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let body = format!("{}{}--cut--\r\n", part("csrf", &browser.csrf), part("name", "x"));
    let kind = ("content-type", "multipart/form-data; boundary=cut");
    bench.send("POST", path, browser, &body, &[kind]).await
}

fn is_id(part: &str) -> bool {
    part.len() == 36 && part.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}

#[tokio::test]
async fn a_colleague_is_called_by_a_link_and_somebody_elses_colleague_is_nobody() {
    let bench = Bench::new().await;
    let (acme, zenith) = (bench.tenant("Acme").await, bench.tenant("Zenith").await);
    let caller = bench.signed_in(Some(&acme), Role::TenantAdmin).await;
    let colleague = |tenant: &Tenant, extension: &str| {
        let users = bench.store.tenant(tenant.id).users();
        let new = strowger_store::NewUser {
            email: format!("{extension}@{}.example", tenant.name),
            name: "Grace".into(),
            role: Role::User,
            extension: Some(extension.into()),
            password_hash: None,
        };
        async move { users.create(&super::harness::actor(), new).await.unwrap() }
    };
    let (near, far) = (colleague(&acme, "204").await, colleague(&zenith, "305").await);
    let people = bench.get(&format!("/t/{}/users", acme.id), &caller).await.text();
    let link = format!("/call?contact={}", near.id);
    assert!(people.contains(&format!("href=\"{link}\"")), "{people}");
    let page = bench.get(&link, &caller).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.text().contains("value=\"204\""), "{}", page.text());
    for nobody in [far.id.to_string(), "204".to_owned(), String::new()] {
        let answer = bench.get(&format!("/call?contact={nobody}"), &caller).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{nobody}");
        assert!(!answer.text().contains("305"), "{}", answer.text());
    }
}

//! One's own account, and the list of calls as a file.

use super::harness::{Bench, Browser, PASSWORD};
use axum::http::{StatusCode, header};
use strowger_model::{CallId, Role};
use strowger_store::{AuditFilter, Page};

#[tokio::test]
async fn a_password_is_changed_by_who_knows_it_and_signs_every_browser_out() {
    let bench = Bench::new().await;
    let tenant = bench.tenant("Acme").await;
    let first = bench.signed_in(Some(&tenant), Role::User).await;
    let page = bench.get("/account", &first).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.text().contains("This browser") && page.text().contains("user@acme.example"));
    let present = PASSWORD.replace(' ', "+");
    for (form, said) in [
        (
            "present=wrong&fresh=a+quite+new+one&again=a+quite+new+one".to_owned(),
            "not your present password",
        ),
        (
            format!("present={present}&fresh=a+quite+new+one&again=another+new+one"),
            "not the same",
        ),
        (format!("present={present}&fresh=short&again=short"), "characters"),
    ] {
        let answer = bench.post("/account/password", &first, &form).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{said}");
        assert!(answer.text().contains(said), "{said}: {}", answer.text());
        assert!(!answer.text().contains("quite"), "a password stands in the page");
    }
    let form = format!("present={present}&fresh=a+quite+new+one&again=a+quite+new+one");
    let answer = bench.post("/account/password", &first, &form).await;
    assert_eq!(answer.location(), "/login");
    assert_eq!(bench.get("/account", &first).await.status, StatusCode::SEE_OTHER);
    let sign_in = |password: &str| format!("email=user%40acme.example&password={password}");
    let nobody = Browser::default();
    let answer = bench.send("POST", "/login", &nobody, &sign_in(&present), &[]).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    let answer = bench
        .send("POST", "/login", &nobody, &sign_in("a+quite+new+one"), &[])
        .await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_browser_is_signed_out_from_another_and_nobody_ends_anothers() {
    let bench = Bench::new().await;
    let tenant = bench.tenant("Acme").await;
    let mine = bench.signed_in(Some(&tenant), Role::User).await;
    let admin = bench.signed_in(Some(&tenant), Role::TenantAdmin).await;
    let form = format!("email=user%40acme.example&password={}", PASSWORD.replace(' ', "+"));
    let other = bench.send("POST", "/login", &Browser::default(), &form, &[]).await;
    let cookie = other.headers[header::SET_COOKIE].to_str().unwrap();
    let other = Browser {
        cookie: cookie.split(';').next().unwrap().to_owned(),
        csrf: String::new(),
    };
    let html = bench.get("/account", &mine).await.text();
    let ends: Vec<&str> = html
        .split("action=\"/account/sessions/")
        .skip(1)
        .map(|rest| rest.split('/').next().unwrap())
        .collect();
    assert_eq!(ends.len(), 2, "{html}");
    for session in &ends {
        let answer = bench
            .post(&format!("/account/sessions/{session}/end"), &admin, "")
            .await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "another person's session");
    }
    let sessions = bench
        .access
        .sessions_of(bench.user_id("user@acme.example").await)
        .await
        .unwrap();
    let newest = sessions
        .iter()
        .max_by_key(|session| (session.created_at, session.id))
        .unwrap();
    let answer = bench
        .post(&format!("/account/sessions/{}/end", newest.id), &mine, "")
        .await;
    assert_eq!(answer.location(), "/account?done=signed-out");
    assert_eq!(bench.get("/account", &other).await.status, StatusCode::SEE_OTHER);
    assert_eq!(bench.get("/account", &mine).await.status, StatusCode::OK);
}

#[tokio::test]
async fn the_list_comes_as_a_file_whole_filtered_and_without_formulas() {
    let bench = Bench::new().await;
    let tenant = bench.tenant("Acme").await;
    let other = bench.tenant("Zenith").await;
    let admin = bench.signed_in(Some(&tenant), Role::TenantAdmin).await;
    let user = bench.signed_in(Some(&tenant), Role::User).await;
    let scope = bench.store.tenant(tenant.id);
    for n in 0..1203 {
        let mut call = crate::samples::call::known().call;
        call.id = CallId::generate(bench.access.world());
        call.tenant = tenant.id;
        call.user = None;
        call.started_at += time::Duration::seconds(n);
        call.from_name = Some(if n == 7 {
            "=cmd|' /C calc'!A0".into()
        } else {
            format!("Caller {n}")
        });
        scope.calls().begin(&call, &[]).await.unwrap();
    }
    bench.call(&other, None).await;
    let path = format!("/t/{}/calls/export.csv", tenant.id);
    let answer = bench.get(&path, &admin).await;
    assert_eq!(answer.status, StatusCode::OK);
    let disposition = answer.headers[header::CONTENT_DISPOSITION].to_str().unwrap();
    assert!(disposition.starts_with("attachment; filename=\"calls-"));
    let text = answer.text();
    assert_eq!(text.lines().count(), 1204);
    assert!(text.starts_with("id,start,answer,end,direction"));
    assert!(text.contains(",'=cmd|' /C calc'!A0,") && !text.contains(",=cmd"));
    let filtered = bench.get(&format!("{path}?q=Caller+77"), &admin).await.text();
    assert_eq!(filtered.lines().count(), 12, "Caller 77 and 770 to 779");
    assert_eq!(
        bench.get(&path, &user).await.text().lines().count(),
        1,
        "none of the calls is theirs"
    );
    let foreign = format!("/t/{}/calls/export.csv", other.id);
    assert_eq!(bench.get(&foreign, &admin).await.status, StatusCode::NOT_FOUND);
    let audit = scope
        .audit()
        .list(&AuditFilter::default(), &Page::first(200))
        .await
        .unwrap();
    assert_eq!(
        audit.items.iter().filter(|entry| entry.action == "call.export").count(),
        3
    );
}

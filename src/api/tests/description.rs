//! The description is whole, and every refusal has the shape it promises.

use super::house::House;
use super::isolation::{fill, operations};
use axum::body::Body;
use axum::http::{Request, header};
use serde_json::Value;
use strowger_model::Role;

/// Routes that are not for programs: what goes with the page, and the answer to unknown paths.
const UNDESCRIBED: [&str; 3] = ["/dev/style.css", "/dev/try.js", "/api/{*unknown}"];

/// Folders whose routes are not ours to describe: tests, and the LiveKit dialect.
const OTHERS: [&str; 2] = ["tests", "livekit"];

#[tokio::test]
async fn the_description_is_openapi_31_and_names_the_seeds_paths() {
    let house = House::new().await;
    let description = house.description().await;
    assert!(description["openapi"].as_str().unwrap().starts_with("3.1"));
    let known = operations(&description);
    for (method, path) in [
        ("POST", "/api/calls/outbound"),
        ("GET", "/api/calls/log"),
        ("GET", "/api/calls/{id}"),
        ("PATCH", "/api/calls/{id}"),
        ("DELETE", "/api/calls/{id}"),
        ("GET", "/api/calls/stats/summary"),
        ("GET", "/api/voicemail/messages"),
        ("GET", "/api/voicemail/messages/{id}"),
        ("PATCH", "/api/voicemail/messages/{id}/read"),
        ("DELETE", "/api/voicemail/messages/{id}"),
        ("GET", "/api/voicemail/greetings"),
        ("POST", "/api/voicemail/greetings"),
        ("PATCH", "/api/voicemail/greetings/{id}/default"),
        ("DELETE", "/api/voicemail/greetings/{id}"),
        ("GET", "/api/numbers"),
        ("GET", "/api/numbers/available"),
        ("POST", "/api/numbers/purchase"),
        ("PATCH", "/api/numbers/{phone_number}"),
        ("DELETE", "/api/numbers/{phone_number}"),
        ("POST", "/api/transcription/request"),
        ("GET", "/api/transcription/{id}"),
        ("GET", "/api/transcription"),
        ("DELETE", "/api/transcription/{id}"),
        ("POST", "/api/devices/register"),
        ("GET", "/api/devices"),
        ("DELETE", "/api/devices/{id}"),
        ("POST", "/api/voip/start-call"),
        ("POST", "/api/voip/accept"),
        ("POST", "/api/voip/reject"),
        ("POST", "/api/voip/end"),
        ("POST", "/api/voip/token"),
        ("GET", "/api/voip/history"),
        ("GET", "/health"),
        ("GET", "/dev"),
    ] {
        assert!(known.contains(&(method.to_owned(), path.to_owned())), "{method} {path}");
    }
    let text = description.to_string();
    for reference in text.split("\"$ref\":\"#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(
            !description["components"]["schemas"][name].is_null(),
            "nothing describes {name}"
        );
    }
}

/// A route that is added beside the described ones would not be in the description.
#[test]
fn every_route_of_the_sources_is_described() {
    fn visit(folder: &std::path::Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !OTHERS.contains(&path.file_name().unwrap().to_str().unwrap()) {
                visit(&path, found);
            } else if path.extension().is_some_and(|kind| kind == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                for part in text.split(".route(").skip(1) {
                    found.push(part.split('"').nth(1).unwrap_or_default().to_owned());
                }
                for other in [".nest(", ".nest_service(", ".route_service(", ".fallback("] {
                    assert!(!text.contains(other), "{} uses {other}", path.display());
                }
            }
        }
    }
    let mut found = Vec::new();
    visit(std::path::Path::new(env!("CARGO_MANIFEST_DIR")), &mut found);
    found.sort();
    let mut allowed = UNDESCRIBED.map(str::to_owned).to_vec();
    allowed.sort();
    assert_eq!(found, allowed);
}

#[tokio::test]
async fn every_described_operation_exists_and_says_how_it_refuses() {
    let house = House::new().await;
    let description = house.description().await;
    for (method, path) in operations(&description) {
        let answer = house
            .ask(&method, &fill(&path, "019a0000-0000-7000-8000-000000000000"), None)
            .await;
        assert_ne!(answer.status, 405, "{method} {path}");
        if answer.status == 404 {
            assert_ne!(answer.json()["code"], "no_such_path", "{method} {path}");
        }
        let operation = &description["paths"][&path][method.to_lowercase()];
        assert!(operation["summary"].is_string(), "{method} {path} has no summary");
        assert!(operation["tags"][0].is_string(), "{method} {path} has no tag");
        if path.starts_with("/api/") {
            for status in ["401", "403"] {
                assert!(
                    operation["responses"][status].is_object(),
                    "{method} {path} does not describe {status}"
                );
            }
        } else {
            assert_eq!(
                operation["security"],
                serde_json::json!([{}]),
                "{method} {path} is open"
            );
        }
    }
}

fn assert_problem(answer: &super::house::Answer, code: &str) -> Value {
    assert_eq!(answer.headers[header::CONTENT_TYPE], "application/problem+json");
    let problem = answer.json();
    assert_eq!(problem["code"], code);
    assert_eq!(problem["status"], answer.status.as_u16());
    for key in ["type", "title", "detail", "instance"] {
        assert!(
            problem[key].as_str().is_some_and(|text| !text.is_empty()),
            "{key}: {problem}"
        );
    }
    assert_eq!(problem["trace_id"].as_str().unwrap().len(), 32);
    assert_eq!(answer.headers["x-trace-id"].to_str().unwrap(), problem["trace_id"]);
    problem
}

#[tokio::test]
async fn every_kind_of_refusal_is_a_problem() {
    let house = House::new().await;
    assert_problem(&house.get("/api/nothing/here").await, "no_such_path");
    assert_problem(&house.ask("PUT", "/api/calls/log", None).await, "method_not_allowed");
    assert_problem(&house.get("/api/calls/not-an-id").await, "not_found");
    let token = house.acme.token(Role::TenantAdmin);
    let send = async |kind: &str, body: Vec<u8>| {
        let request = Request::post("/api/calls/outbound")
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .header(header::CONTENT_TYPE, kind)
            .body(Body::from(body))
            .unwrap();
        house.send(request).await
    };
    assert_problem(&send("application/json", b"{".to_vec()).await, "not_json");
    assert_problem(&send("application/json", b"{} {}".to_vec()).await, "invalid");
    assert_problem(&send("text/plain", b"to=1".to_vec()).await, "unsupported_media_type");
    assert_problem(&send("application/json", vec![b' '; 2 << 20]).await, "too_large");
    let problem = assert_problem(
        &send("application/json", br#"{"to":"x y z!","timeout":9999}"#.to_vec()).await,
        "invalid",
    );
    let fields: Vec<&str> = problem["errors"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|one| one["field"].as_str())
        .collect();
    assert_eq!(fields, ["to", "timeout"]);
}

#[tokio::test]
async fn a_callers_trace_id_is_kept() {
    let house = House::new().await;
    let request = Request::get("/api/numbers")
        .header("traceparent", "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01")
        .body(Body::empty())
        .unwrap();
    let answer = house.send(request).await;
    assert_eq!(answer.json()["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
}

#[tokio::test]
async fn the_page_for_people_loads_nothing_from_elsewhere() {
    let house = House::new().await;
    let page = house.get("/dev").await;
    assert_eq!(page.status, 200);
    assert!(
        page.headers[header::CONTENT_SECURITY_POLICY]
            .to_str()
            .unwrap()
            .starts_with("default-src 'none'")
    );
    let text = page.text();
    assert!(text.contains("/api/calls/outbound"));
    for foreign in ["http://", "https://", "<style", "style=", "onclick", "<script>"] {
        assert!(!text.contains(foreign), "{foreign}");
    }
    assert_eq!(house.get("/dev/style.css").await.status, 200);
    assert_eq!(house.get("/dev/try.js").await.status, 200);
}

/// Bodies and queries nobody meant never break anything.
#[tokio::test]
async fn arbitrary_input_is_never_our_fault() {
    let house = House::new().await;
    let description = house.description().await;
    let pieces = [
        "null",
        "0",
        "-1",
        "1e400",
        "\"\"",
        "\"\u{0}\"",
        "[]",
        "{}",
        "true",
        "\"019a0000-0000-7000-8000-000000000000\"",
        "\"' or 1=1 --\"",
        "\"%00%ff\"",
        "9223372036854775808",
        "\"\\u0000\"",
        "\"\u{202e}\u{1f600}\"",
    ];
    let mut chance = 1_u64;
    let mut pick = |most: usize| {
        chance = chance
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(chance >> 33).unwrap() % most
    };
    for (method, path) in operations(&description) {
        if path == "/api/events" {
            continue;
        }
        let operation = &description["paths"][&path][method.to_lowercase()];
        let reference = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].as_str();
        let schema = reference.map(|name| &description["components"]["schemas"][name.rsplit('/').next().unwrap()]);
        let fields: Vec<&str> = schema
            .iter()
            .flat_map(|schema| schema["properties"].as_object().unwrap().keys())
            .map(String::as_str)
            .collect();
        let queries: Vec<&str> = operation["parameters"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|one| one["name"].as_str())
            .collect();
        for _ in 0..40 {
            let body: Vec<String> = fields
                .iter()
                .map(|field| format!("\"{field}\":{}", pieces[pick(pieces.len())]))
                .collect();
            let query: Vec<String> = queries
                .iter()
                .map(|name| {
                    format!(
                        "{name}={}",
                        ["", "x", "-1", "%00", "%F0%9F%98%80", "99999999999999999999", "..%2f"][pick(7)]
                    )
                })
                .collect();
            let id = ["x", "019a0000-0000-7000-8000-000000000000", "%00", "%2e%2e", "1"][pick(5)];
            let uri = format!("{}?{}", fill(&path, "ID").replace("ID", id), query.join("&"));
            let request = Request::builder()
                .method(method.as_str())
                .uri(uri.as_str())
                .header(
                    header::AUTHORIZATION,
                    format!("Bearer {}", house.acme.token(Role::TenantAdmin)),
                )
                .header(header::CONTENT_TYPE, "application/json")
                .body(Body::from(format!("{{{}}}", body.join(","))))
                .unwrap();
            let answer = house.send(request).await;
            assert!(
                !answer.status.is_server_error(),
                "{method} {uri} {body:?}: {}",
                answer.text()
            );
        }
    }
}

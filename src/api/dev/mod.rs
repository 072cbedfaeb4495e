//! `/dev`: the interface for people, written from the same description as `/openapi.json`. It loads
//! nothing from elsewhere and works without script; with script each endpoint can be tried.

use axum::http::{HeaderValue, header};
use axum::response::{Html, IntoResponse, Response};
use serde_json::Value;
use std::fmt::Write as _;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("try.js");
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// The sheet of the page.
pub(crate) async fn style() -> Response {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], STYLE).into_response()
}

/// The script of the page.
pub(crate) async fn script() -> Response {
    ([(header::CONTENT_TYPE, "text/javascript; charset=utf-8")], SCRIPT).into_response()
}

/// The page as sent.
pub(crate) fn respond(page: String) -> Response {
    ([(header::CONTENT_SECURITY_POLICY, POLICY)], Html(page)).into_response()
}

/// The page for a description.
pub(crate) fn page(document: &Value) -> String {
    let mut out = String::from(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>Strowger · REST interface</title><link rel=\"stylesheet\" href=\"/dev/style.css\"><script src=\"/dev/try.js\" defer></script></head><body><header><h1>REST interface</h1>\
         <p>Every endpoint takes <code>Authorization: Bearer swt_…</code> unless marked <em>open</em>; make a token in the console. \
         Refusals are <code>application/problem+json</code> with a stable <code>code</code>. \
         The machine-readable description is <a href=\"/openapi.json\">openapi.json</a> (OpenAPI 3.1).</p>\
         <label>Token for trying <input id=\"token\" type=\"password\" autocomplete=\"off\" placeholder=\"swt_…\"></label></header><main>",
    );
    let mut tag_open = String::new();
    for (tag, method, path, operation) in operations(document) {
        if tag != tag_open {
            if !tag_open.is_empty() {
                out.push_str("</section>");
            }
            let _ = write!(out, "<section><h2>{}</h2>", escape(&tag));
            tag_open = tag;
        }
        endpoint(&mut out, &method, &path, operation);
    }
    out.push_str("</section></main></body></html>");
    out
}

/// Every operation, by tag and path.
fn operations(document: &Value) -> Vec<(String, String, String, &Value)> {
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        for (method, operation) in item.as_object().into_iter().flatten() {
            let tag = operation["tags"][0].as_str().unwrap_or("system").to_owned();
            found.push((tag, method.to_uppercase(), path.clone(), operation));
        }
    }
    found.sort_by(|left, right| (&left.0, &left.2, &left.1).cmp(&(&right.0, &right.2, &right.1)));
    found
}

fn endpoint(out: &mut String, method: &str, path: &str, operation: &Value) {
    let text = |key: &str| escape(operation[key].as_str().unwrap_or_default());
    let open = operation["security"].as_array().is_some_and(Vec::is_empty);
    let _ = write!(
        out,
        "<details data-method=\"{method}\" data-path=\"{path}\"><summary><span class=\"method {}\">{method}</span> <code>{path}</code> <span>{}</span>{}</summary>",
        method.to_lowercase(),
        text("summary"),
        if open { " <em>open</em>" } else { "" },
    );
    if operation["description"].is_string() {
        let _ = write!(out, "<p>{}</p>", text("description"));
    }
    let parameters = operation["parameters"].as_array().map_or(&[][..], Vec::as_slice);
    if !parameters.is_empty() {
        out.push_str("<table><thead><tr><th>Parameter</th><th>In</th><th>What it is</th></tr></thead><tbody>");
        for parameter in parameters {
            let cell = |key: &str| escape(parameter[key].as_str().unwrap_or_default());
            let _ = write!(
                out,
                "<tr><td><code>{}</code></td><td>{}</td><td>{}</td></tr>",
                cell("name"),
                cell("in"),
                cell("description")
            );
        }
        out.push_str("</tbody></table>");
    }
    let body = &operation["requestBody"]["content"]["application/json"]["schema"]["$ref"];
    if let Some(name) = body.as_str().and_then(|reference| reference.rsplit('/').next()) {
        let _ = write!(out, "<p>Body: <code>{}</code> as JSON.</p>", escape(name));
    }
    out.push_str("<ul class=\"answers\">");
    for (status, answer) in operation["responses"].as_object().into_iter().flatten() {
        let says = escape(answer["description"].as_str().unwrap_or_default());
        let _ = write!(out, "<li><code>{status}</code> {says}</li>");
    }
    out.push_str("</ul></details>");
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

//! Serves every page with sample data, to look at: `cargo run -p strowger-console --example sample_pages --features samples`.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use axum::{Router, response::Redirect};
use strowger_console::{assets, samples};

async fn index() -> Html<String> {
    let links = samples::all()
        .into_iter()
        .map(|sample| format!("<li><a href=\"/pages/{0}\">{0}</a></li>", sample.name));
    Html(format!(
        "<!doctype html><title>Pages</title><ul>{}</ul>",
        links.collect::<String>()
    ))
}

async fn page(Path(name): Path<String>) -> Response {
    let found = samples::all().into_iter().find(|sample| sample.name == name);
    found.map_or_else(
        || StatusCode::NOT_FOUND.into_response(),
        |sample| Html(sample.html).into_response(),
    )
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8377".to_owned());
    let router = Router::new()
        .route("/", get(index))
        .route("/pages/{name}", get(page))
        .route("/assets/{file}", get(assets::serve))
        .layer(axum::middleware::map_response(strowger_console::headers))
        .fallback(|| async { Redirect::to("/") });
    #[expect(clippy::disallowed_methods, reason = "an example is its own shell")]
    let listener = tokio::net::TcpListener::bind(&address).await?;
    axum::serve(listener, router).await
}

//! The sheets, the modules, one vendored library and the mark, embedded in the binary under names that change with their content.

use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use std::sync::LazyLock;

struct Asset {
    name: &'static str,
    kind: &'static str,
    bytes: &'static [u8],
    path: String,
    tag: String,
}

/// `assets/vendor/README.md` says whose it is.
const LIBRARY: &str = "livekit-client.js";

const FILES: [(&str, &str, &[u8]); 9] = [
    (
        "strowger.css",
        "text/css; charset=utf-8",
        include_bytes!("assets/strowger.css"),
    ),
    (
        "live.js",
        "text/javascript; charset=utf-8",
        include_bytes!("assets/live.js"),
    ),
    (
        "clock.js",
        "text/javascript; charset=utf-8",
        include_bytes!("assets/clock.js"),
    ),
    ("meet.css", "text/css; charset=utf-8", include_bytes!("assets/meet.css")),
    (
        "meet.js",
        "text/javascript; charset=utf-8",
        include_bytes!("assets/meet.js"),
    ),
    (
        "phone.css",
        "text/css; charset=utf-8",
        include_bytes!("assets/phone.css"),
    ),
    (
        "phone.js",
        "text/javascript; charset=utf-8",
        include_bytes!("assets/phone.js"),
    ),
    (
        LIBRARY,
        "text/javascript; charset=utf-8",
        include_bytes!("assets/vendor/livekit-client-2.23.0.umd.min.js"),
    ),
    ("mark.svg", "image/svg+xml", include_bytes!("assets/mark.svg")),
];

static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    FILES
        .into_iter()
        .map(|(name, kind, bytes)| {
            let tag = format!("{:016x}", fnv(bytes));
            let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
            Asset {
                name,
                kind,
                bytes,
                path: format!("/assets/{stem}.{tag}.{extension}"),
                tag: format!("\"{tag}\""),
            }
        })
        .collect()
});

/// FNV-1a: names change with content; nothing secret hangs on it.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// The address of an asset; empty for one that does not exist, which a test excludes.
#[must_use]
pub fn path(name: &str) -> &'static str {
    ASSETS
        .iter()
        .find(|asset| asset.name == name)
        .map_or("", |asset| asset.path.as_str())
}

/// Serves an asset for a year under its hashed name.
pub async fn serve(Path(file): Path<String>, headers: HeaderMap) -> Response {
    let wanted = format!("/assets/{file}");
    let Some(asset) = ASSETS.iter().find(|asset| asset.path == wanted) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let caching = [
        (header::ETAG, asset.tag.as_str()),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
    ];
    if known == Some(asset.tag.as_str()) {
        return (StatusCode::NOT_MODIFIED, caching).into_response();
    }
    (caching, [(header::CONTENT_TYPE, asset.kind)], asset.bytes).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sheet_and_each_module_stay_small() {
        for asset in ASSETS.iter() {
            let most = match asset.name {
                LIBRARY => 700_000,
                // The pages that live in the browser.
                "meet.js" | "phone.js" => 30_000,
                name if name.ends_with(".css") => 20_000,
                _ => 6_000,
            };
            assert!(
                asset.bytes.len() <= most,
                "{} has {} bytes",
                asset.name,
                asset.bytes.len()
            );
            assert!(path(asset.name).starts_with("/assets/"));
        }
    }
}

//! Everything a person does in a browser: pages, forms, live parts.
//!
//! Pages are drawn on the server and work without script; two small modules add the live board and the
//! call page's clock. The meeting and the phone are the exceptions: what they are about lives in the browser. Everything of a tenant lies below `/t/{tenant}`, so an address says whose data it
//! shows. It does not know the REST interface; the daemon puts both routers onto one listener.
//!
//! Start reading at [`router`], then [`desk`] for who is asking, then [`calls`], the heart of it.
//! [`show`] holds what pages are made of, [`draw`] the drawings.

pub mod account;
pub mod assets;
pub mod calls;
pub mod dashboard;
pub mod desk;
pub mod draw;
pub mod entry;
pub mod fault;
pub mod flows;
pub mod govern;
mod headers;
pub mod lines;
pub mod meet;
mod menu;
pub mod minutes;
pub mod people;
pub mod phone;
pub mod prompts;
pub mod query;
pub mod recordings;
pub mod rooms;
#[cfg(any(test, feature = "samples"))]
pub mod samples;
pub mod search;
pub mod show;
mod state;
pub mod system;
pub mod tenants;
#[cfg(test)]
mod tests;
pub mod voicemail;

pub use fault::not_found;
pub use headers::headers;
pub use state::{
    CertificateLevel, CertificateState, CertificateWatch, ConsoleConfig, ConsoleState, Convert, Exchange, NoExchange,
    NoRoomDesk, RoomDesk, Soon,
};

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::middleware::{Next, map_response};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use fault::{Fault, Page};
use strowger_access::{Refusal, Signed};
use strowger_model::{CallId, Role};
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{NotForContentType, Predicate, SizeAbove};

/// The console as a router: every page, form and live part. It has no fallback, so that it can be merged
/// with others; give [`not_found`] to the merged one.
pub fn router(state: ConsoleState) -> Router {
    let small = SizeAbove::new(860)
        .and(NotForContentType::new("audio/"))
        .and(NotForContentType::SSE);
    Router::new()
        .merge(account::routes())
        .merge(entry::routes())
        .merge(tenants::routes())
        .merge(calls::routes())
        .merge(dashboard::routes())
        .merge(flows::routes())
        .merge(govern::routes())
        .merge(lines::routes())
        .merge(meet::routes())
        .merge(minutes::routes())
        .merge(people::routes())
        .merge(phone::routes())
        .merge(prompts::routes())
        .merge(recordings::routes())
        .merge(rooms::routes())
        .merge(search::routes())
        .merge(system::routes())
        .merge(voicemail::routes())
        .route("/calls/{call}", get(call_anywhere))
        .route("/t/{tenant}", get(with_slash))
        .route("/t/{tenant}/{*rest}", get(nowhere))
        .layer(axum::middleware::from_fn(whole_page))
        .with_state(state)
        .route("/assets/{file}", get(assets::serve))
        .layer(CompressionLayer::new().compress_when(small))
        .layer(map_response(headers))
}

/// A tenant's first page ends in a slash.
async fn with_slash(Path(tenant): Path<String>) -> Redirect {
    Redirect::permanent(&format!("/t/{}/", query::encoded(&tenant)))
}

/// An address below a tenant that leads nowhere, for those who may be there.
async fn nowhere(_: desk::Desk) -> Fault {
    Fault::NotFound
}

/// A call by its id alone, for links that know no tenant.
async fn call_anywhere(State(state): State<ConsoleState>, Path(call): Path<CallId>, who: Signed) -> Page {
    let principal = who.principal();
    let mut tenants = Vec::new();
    if principal.role() == Role::PlatformAdmin {
        let all = state.store().tenants().list(&strowger_store::Page::first(1000)).await?;
        tenants.extend(all.items.into_iter().map(|tenant| tenant.id));
    } else {
        tenants.extend(principal.tenant());
    }
    for tenant in tenants {
        if state.store().tenant(tenant).calls().get(call).await?.is_some() {
            return Ok(Redirect::to(&format!("/t/{tenant}/calls/{call}")).into_response());
        }
    }
    Err(Fault::NotFound)
}

/// Puts a whole page around the bare refusals of extractors.
async fn whole_page(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    match response.extensions_mut().remove::<Refusal>() {
        Some(refusal) if !response.status().is_redirection() => Fault::Refused(refusal).into_response(),
        _ => response,
    }
}

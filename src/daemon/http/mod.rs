//! The listeners of the console and the REST interface: plain on this machine, HTTPS towards others.
//!
//! A listener with TLS looks at the first byte of a connection ([`door`]): a handshake is served encrypted, what came
//! in clear is served only to whom the configuration lets and otherwise answered with a redirect ([`redirect`]).

mod door;
mod redirect;
#[cfg(test)]
mod tests;

use anyhow::{Context as _, Result};
use axum::extract::connect_info::{ConnectInfo, Connected};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use axum::serve::IncomingStream;
use axum::{Router, middleware};
use door::Door;
use std::net::SocketAddr;
use std::sync::Arc;
use strowger_access::Encrypted;
use strowger_host::Shutdown;
use strowger_host::config::Http;
use strowger_host::tls::Certificates;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tracing::warn;

/// Half a year: long enough to count, and over before a name that was given up is needed for something else.
const HSTS: HeaderValue = HeaderValue::from_static("max-age=15552000");

/// How a connection came.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrival {
    remote: SocketAddr,
    is_encrypted: bool,
}

impl Connected<IncomingStream<'_, Door>> for Arrival {
    fn connect_info(stream: IncomingStream<'_, Door>) -> Self {
        *stream.remote_addr()
    }
}

/// What the answers of a listener with TLS hang on.
#[derive(Clone)]
struct Rule {
    http: Arc<Http>,
    port: u16,
    certificates: Certificates,
}

/// Opens every listener of `http.listen`.
pub(crate) async fn listen(
    http: &Http,
    certificates: Option<&Certificates>,
    router: &Router,
    shutdown: &Shutdown,
) -> Result<()> {
    for address in http.listen.iter().copied() {
        let listener = TcpListener::bind(address)
            .await
            .with_context(|| format!("cannot listen on {address} (http.listen)"))?;
        let router = router.clone();
        match certificates.filter(|_| http.speaks_tls(address)) {
            None => plain(listener, address, router, shutdown),
            Some(certificates) => {
                let rule = Rule {
                    http: Arc::new(http.clone()),
                    port: address.port(),
                    certificates: certificates.clone(),
                };
                encrypted(listener, rule, router, shutdown)?;
            }
        }
    }
    Ok(())
}

fn plain(listener: TcpListener, address: SocketAddr, router: Router, shutdown: &Shutdown) {
    let end = shutdown.hard().clone();
    shutdown.tasks().spawn(async move {
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        let served = axum::serve(listener, service)
            .with_graceful_shutdown(end.cancelled_owned())
            .await;
        if let Err(error) = served {
            warn!(%address, "HTTP ended: {error}");
        }
    });
}

fn encrypted(listener: TcpListener, rule: Rule, router: Router, shutdown: &Shutdown) -> Result<()> {
    let tls = TlsAcceptor::from(rule.certificates.serving(&[b"http/1.1"])?);
    let door = Door::open(listener, tls, shutdown)?;
    let router = router.layer(middleware::from_fn_with_state(rule, answer));
    let end = shutdown.hard().clone();
    shutdown.tasks().spawn(async move {
        let service = router.into_make_service_with_connect_info::<Arrival>();
        let served = axum::serve(door, service)
            .with_graceful_shutdown(end.cancelled_owned())
            .await;
        if let Err(error) = served {
            warn!("HTTPS ended: {error}");
        }
    });
    Ok(())
}

/// Serves a request or sends it to where it is served encrypted.
async fn answer(
    State(rule): State<Rule>,
    ConnectInfo(arrival): ConnectInfo<Arrival>,
    mut request: Request,
    next: Next,
) -> Response {
    if !arrival.is_encrypted && !rule.http.serves_in_clear(arrival.remote.ip()) {
        return redirected(&rule, &request);
    }
    let extensions = request.extensions_mut();
    // What follows knows where a request came from by the name that plain listeners give it.
    extensions.insert(ConnectInfo(arrival.remote));
    if !arrival.is_encrypted {
        return next.run(request).await;
    }
    extensions.insert(Encrypted);
    let mut response = next.run(request).await;
    // A browser that was told so lets nobody past a certificate it does not trust, so never with one made here.
    if !rule.certificates.status().is_own {
        response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, HSTS);
    }
    response
}

/// 308 keeps the method. The connection ends with it: what is asked next belongs elsewhere.
fn redirected(rule: &Rule, request: &Request) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let Some(place) = redirect::place(&rule.http, rule.port, host, path) else {
        let told = "this listener speaks HTTPS; the request names no host to go to\n";
        return (StatusCode::BAD_REQUEST, [(header::CONNECTION, "close")], told).into_response();
    };
    let headers = [(header::LOCATION, place.as_str()), (header::CONNECTION, "close")];
    (StatusCode::PERMANENT_REDIRECT, headers).into_response()
}

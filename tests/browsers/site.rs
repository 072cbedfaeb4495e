//! A meeting in a network of its own, and browsers in and outside of it.

use super::{GUEST_HZ, HOST_HZ, IS_IN, beeps, knocks, link, room};
use serde_json::Value;
use strowger_tests::chromium::{Page, Setup};
use strowger_tests::network::Network;
use strowger_tests::{Chromium, Sandbox, process};

/// A sandbox that a network reaches, and a guest's link to a room of it.
pub(super) struct Site {
    pub(super) folder: tempfile::TempDir,
    pub(super) network: Network,
    pub(super) sandbox: Sandbox,
    /// The port of its relay over TLS.
    pub(super) tls: u16,
    pub(super) url: String,
}

impl Site {
    /// Makes the network, the sandbox and the room that is wanted.
    pub(super) async fn open(wanted: &Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let network = Network::new().await.unwrap();
        let port = || process::free_port().unwrap();
        let (host, tls) = (network.host(), port());
        let secure = format!("{host}:{tls}");
        let (media, relay) = (format!("{host}:{}", port()), format!("{host}:{}", port()));
        let environment = [
            ("STROWGER__MEDIA__BIND", host),
            ("STROWGER__ROOMS__UDP", media.as_str()),
            ("STROWGER__ROOMS__TCP", &media),
            ("STROWGER__TURN__UDP", &relay),
            ("STROWGER__TURN__TCP", &relay),
            ("STROWGER__TURN__TLS", &secure),
        ];
        let any = format!("{host}:0");
        let sandbox = Sandbox::start_with(&["--http", &any, "--sip", &any], &environment)
            .await
            .unwrap();
        let id = room(&sandbox, wanted).await;
        let (_, url) = link(&sandbox, &id).await;
        Self {
            folder,
            network,
            sandbox,
            tls,
            url,
        }
    }

    /// A browser that hears this pitch, or its own beep. `inside` is what starts it elsewhere; nothing starts it outside.
    ///
    /// It takes an address that is no loopback for a secure place, and the certificate that the relay made for itself
    /// for a good one.
    pub(super) async fn browser(&self, hertz: Option<f64>, inside: &[&str]) -> Chromium {
        let speaks = hertz.map(|hertz| beeps(self.folder.path(), hertz));
        let secure = format!("--unsafely-treat-insecure-origin-as-secure={}", self.sandbox.card.http);
        let setup = Setup {
            speaks: speaks.as_deref(),
            arguments: &[secure.as_str(), "--ignore-certificate-errors"],
            inside,
            ..Setup::default()
        };
        Chromium::start(&setup).await.unwrap()
    }

    /// Somebody comes in with the link.
    pub(super) async fn comes_in<'a>(&self, browser: &'a Chromium, name: &str) -> Page<'a> {
        let page = browser.page(&self.url).await.unwrap();
        knocks(&page, name).await;
        page.until(IS_IN).await.unwrap();
        page
    }
}

/// The host at home and the guest outside hear each other.
pub(super) async fn hear_each_other(inside: &Page<'_>, outside: &Page<'_>) {
    let (one, other) = tokio::join!(inside.hears(&[GUEST_HZ]), outside.hears(&[HOST_HZ]));
    one.unwrap();
    other.unwrap();
}

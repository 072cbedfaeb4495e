//! Who can talk with whom: browser, desk phone and provider, with each codec that phones and providers speak here.
//!
//! A browser's own sound is Opus, whatever the other side speaks; two browsers are met in
//! `colleagues_call_each_other_in_their_browsers`. What phones of different codecs make of each other, and of a recording,
//! is in `lines`.

use super::{ADA_HZ, OUTSIDE, SOON, at_the_phone, dials, is_idle, is_talking, speaking};
use serde_json::Value;
use std::path::PathBuf;
use strowger_tests::baresip::{Baresip, Setup};
use strowger_tests::chromium::Page;
use strowger_tests::scene::{log, tone_file, whole};
use strowger_tests::{Sandbox, eventually, process, tone};

/// A phone that makes 16 kHz of its file of 8 kHz takes most of what lies above 1 kHz away, so all of them lie about
/// there. Desk and provider are never in one call.
const LINE_HZ: f64 = 1004.0;
const DESK_HZ: f64 = 800.0;
const PROVIDER_HZ: f64 = 800.0;

/// What phones and providers of one row know, in their order, what they speak with each other and what with a browser,
/// whose leg speaks G.711 where it can.
const ROWS: [(&str, &str, &str); 5] = [
    ("PCMU", "PCMU", "PCMU"),
    ("PCMA", "PCMA", "PCMA"),
    ("G722/16000/1", "G722", "G722"),
    ("opus/48000/2", "opus", "opus"),
    ("opus/48000/2,G722/16000/1,PCMA", "opus", "PCMA"),
];

/// Everybody of one row.
struct Row<'a> {
    sandbox: &'a Sandbox,
    codec: &'a str,
    with_web: &'a str,
    ada: &'a Page<'a>,
    desk: Baresip,
    line: Baresip,
    provider: Baresip,
}

/// Waits until a phone has heard a pitch for a second in all, beeps and their pauses together.
async fn has_heard(phone: &Baresip, hertz: f64, cell: &str) {
    eventually(SOON, &format!("{hertz} Hz, {cell}"), || async {
        let heard = phone.heard_sound()?;
        let all = heard.part(0, 0.0, heard.seconds());
        let seconds = tone::share_above(all, heard.rate_hz, hertz, -45.0) * heard.seconds();
        anyhow::ensure!(seconds >= 1.0, "{seconds} of {} s", heard.seconds());
        Ok(())
    })
    .await
    .unwrap();
}

fn is(id: &Value) -> bool {
    !id.is_null()
}

impl Row<'_> {
    /// Both are hung up on; the newest call's legs spoke what they were to.
    async fn ends(&mut self, cell: &str, codec: &str) {
        let row = eventually(SOON, "the call's end", || async {
            let newest = log(self.sandbox).await?.swap_remove(0);
            anyhow::ensure!(newest["status"] == "completed", "{newest}");
            whole(self.sandbox, &newest).await
        })
        .await
        .unwrap();
        // A browser's own leg is of no device and of no provider; what is noted there is how it meets the other.
        let legs = row["legs"].as_array().unwrap().iter();
        let mut of_phones =
            legs.filter(|leg| leg["codec"].is_string() && (is(&leg["device_id"]) || is(&leg["trunk_id"])));
        assert!(of_phones.all(|leg| leg["codec"] == codec), "{cell}: {row}");
        for phone in [&self.desk, &self.line, &self.provider] {
            phone.forget();
        }
        is_idle(self.ada).await;
    }

    async fn phone_to_phone(&mut self) {
        self.line.dial("102").await.unwrap();
        self.line.event("CALL_ESTABLISHED").await.unwrap();
        has_heard(&self.line, DESK_HZ, "phone to phone").await;
        has_heard(&self.desk, LINE_HZ, "phone to phone").await;
        self.line.hang_up().await.unwrap();
        self.ends("phone to phone", self.codec).await;
    }

    async fn phone_to_provider(&mut self) {
        self.line.dial(OUTSIDE).await.unwrap();
        self.line.event("CALL_ESTABLISHED").await.unwrap();
        has_heard(&self.line, PROVIDER_HZ, "phone to provider").await;
        has_heard(&self.provider, LINE_HZ, "phone to provider").await;
        self.line.hang_up().await.unwrap();
        self.ends("phone to provider", self.codec).await;
    }

    async fn phone_to_web(&mut self) {
        self.line.dial("101").await.unwrap();
        self.ada.click("#accept").await.unwrap();
        is_talking(self.ada).await;
        self.ada.hears(&[LINE_HZ]).await.unwrap();
        has_heard(&self.line, ADA_HZ, "phone to web").await;
        self.ada.click("#hangup").await.unwrap();
        self.ends("phone to web", self.with_web).await;
    }

    async fn web_to(&mut self, to: &str, hertz: f64) {
        let cell = format!("web to {to}");
        dials(self.ada, to).await;
        is_talking(self.ada).await;
        self.ada.hears(&[hertz]).await.unwrap();
        let far = if to == OUTSIDE { &self.provider } else { &self.desk };
        has_heard(far, ADA_HZ, &cell).await;
        self.ada.click("#hangup").await.unwrap();
        self.ends(&cell, self.with_web).await;
    }
}

fn device<'a>(sandbox: &'a Sandbox, index: usize, codecs: &'a str, speaks: &'a PathBuf) -> Setup<'a> {
    let device = &sandbox.card.devices[index];
    Setup {
        server: sandbox.sip(),
        user: &device.user,
        password: &device.password,
        speaks,
        answers: index == 1,
        transport: "udp",
        registers: true,
        codecs,
        port: None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn browser_phone_and_provider_hear_each_other_in_every_pairing_and_codec() {
    let _alone = strowger_tests::chromium::alone().await;
    let folder = tempfile::tempdir().unwrap();
    let port = process::free_port().unwrap();
    let sandbox = Sandbox::start_with(&["--trunk", &format!("127.0.0.1:{port}")], &[])
        .await
        .unwrap();
    let browser = speaking(folder.path(), ADA_HZ).await;
    let ada = at_the_phone(&browser, &sandbox, "ada").await;
    let [desk, line, outside] = [DESK_HZ, LINE_HZ, PROVIDER_HZ].map(|hertz| tone_file(folder.path(), hertz).unwrap());
    let here = format!("127.0.0.1:{port}");
    for (codecs, codec, with_web) in ROWS {
        let provider = Setup {
            server: &here,
            user: OUTSIDE,
            password: "none",
            speaks: &outside,
            answers: true,
            transport: "udp",
            registers: false,
            codecs,
            port: Some(port),
        };
        let provider = Baresip::start(&provider).await.unwrap();
        eventually(SOON, "the provider", || async {
            let trunks = sandbox.get("/api/trunks").await?;
            anyhow::ensure!(trunks["items"][0]["status"] == "up", "{trunks}");
            Ok(())
        })
        .await
        .unwrap();
        let mut row = Row {
            sandbox: &sandbox,
            codec,
            with_web,
            ada: &ada,
            desk: Baresip::start(&device(&sandbox, 1, codecs, &desk)).await.unwrap(),
            line: Baresip::start(&device(&sandbox, 2, codecs, &line)).await.unwrap(),
            provider,
        };
        row.phone_to_phone().await;
        row.phone_to_provider().await;
        row.phone_to_web().await;
        row.web_to("102", DESK_HZ).await;
        row.web_to(OUTSIDE, PROVIDER_HZ).await;
    }
}

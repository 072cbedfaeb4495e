//! Debian's Chromium as somebody's browser: pages, what stands on them, what they hear, what they may use.
//!
//! It is driven by the DevTools protocol over a pair of pipes, which reach into a network namespace where a
//! port would not. Each browser has a profile of its own and speaks from a sound file of its own.

use crate::eventually;
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::{Mutex, MutexGuard};

/// How long a page may take for one thing on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Whose turn it is.
static STAGE: Mutex<()> = Mutex::const_new(());

/// Waits until no other test of this program has browsers. Two that draw, encode and decode pictures fill a machine;
/// tests that share one with others' would measure those.
pub async fn alone() -> MutexGuard<'static, ()> {
    STAGE.lock().await
}

/// How many lines of the pages' own consoles are kept for whoever reads a failure.
const LOG_MOST: usize = 60;

/// The functions that tests call in a page.
pub(crate) const EAR: &str = include_str!("clients/ear.js");

/// How a browser is set up.
#[derive(Debug, Clone, Copy, Default)]
pub struct Setup<'a> {
    /// What its microphone hears: a WAV file; the browser's own beep without one.
    pub speaks: Option<&'a Path>,
    /// Whether it asks its person before a page gets the microphone; else every page does.
    pub asks: bool,
    /// Further arguments.
    pub arguments: &'a [&'a str],
    /// A program and its arguments that start it elsewhere, such as `ip netns exec NAME`.
    pub inside: &'a [&'a str],
}

/// A running browser.
#[derive(Debug)]
pub struct Chromium {
    pipe: Mutex<Pipe>,
    _child: Child,
    _profile: TempDir,
}

impl Chromium {
    /// Starts a browser without a window.
    ///
    /// # Errors
    /// Chromium is not installed or does not come up.
    pub async fn start(setup: &Setup<'_>) -> Result<Self> {
        let profile = tempfile::Builder::new().prefix("strowger-chromium-").tempdir()?;
        let log = std::fs::File::create(profile.path().join("log"))?;
        // Its pipes are descriptors 3 and 4; here they are the ends that we hold.
        let (program, before) = match setup.inside {
            [] => ("sh", &[][..]),
            [program, before @ ..] => (*program, before),
        };
        let mut command = Command::new(program);
        command.args(before);
        if !setup.inside.is_empty() {
            command.arg("sh");
        }
        command
            .args(["-c", "exec chromium \"$@\" 3<&0 4>&1 </dev/null >&2", "chromium"])
            .args(arguments(setup, profile.path())?)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true);
        let mut child = command.spawn().context("cannot start chromium: run packaging/setup")?;
        let pipe = Pipe {
            to: child.stdin.take().context("no pipe")?,
            from: child.stdout.take().context("no pipe")?,
            pending: Vec::new(),
            number: 0,
            log: VecDeque::new(),
        };
        let browser = Self {
            pipe: Mutex::new(pipe),
            _child: child,
            _profile: profile,
        };
        browser.order(None, "Browser.getVersion", &json!({})).await?;
        Ok(browser)
    }

    /// Opens a page with cookies and storage of its own, as a person who was never here.
    ///
    /// # Errors
    /// The page does not load.
    pub async fn page(&self, url: &str) -> Result<Page<'_>> {
        let context = self.order(None, "Target.createBrowserContext", &json!({})).await?;
        self.page_in(&context["browserContextId"], url).await
    }

    async fn page_in(&self, context: &Value, url: &str) -> Result<Page<'_>> {
        let blank = json!({"url": "about:blank", "browserContextId": context});
        let target = self.order(None, "Target.createTarget", &blank).await?;
        let target = target["targetId"].as_str().context("no target")?.to_owned();
        let attach = json!({"targetId": target, "flatten": true});
        let attached = self.order(None, "Target.attachToTarget", &attach).await?;
        let page = Page {
            browser: self,
            session: attached["sessionId"].as_str().context("no session")?.to_owned(),
            target,
            context: context.clone(),
        };
        for domain in ["Page.enable", "Runtime.enable", "Log.enable"] {
            page.order(domain, &json!({})).await?;
        }
        let ear = json!({"source": EAR});
        page.order("Page.addScriptToEvaluateOnNewDocument", &ear).await?;
        page.open(url).await?;
        Ok(page)
    }

    async fn order(&self, session: Option<&str>, method: &str, parameters: &Value) -> Result<Value> {
        let mut pipe = self.pipe.lock().await;
        match tokio::time::timeout(PATIENCE, pipe.order(session, method, parameters)).await {
            Ok(answer) => answer.with_context(|| format!("{method}; the pages said: {}", pipe.said())),
            Err(_) => bail!(
                "{method}: no answer within {PATIENCE:?}; the pages said: {}",
                pipe.said()
            ),
        }
    }
}

fn arguments(setup: &Setup<'_>, profile: &Path) -> Result<Vec<String>> {
    let text = |path: &Path| path.to_str().map(str::to_owned).context("a path with an odd name");
    let mut all: Vec<String> = [
        "--headless=new",
        "--no-sandbox",
        "--no-first-run",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-extensions",
        "--mute-audio",
        "--remote-debugging-pipe",
        "--use-fake-device-for-media-stream",
        "--autoplay-policy=no-user-gesture-required",
        // A page in the background is somebody's page all the same.
        "--disable-background-timer-throttling",
        "--disable-backgrounding-occluded-windows",
        "--disable-renderer-backgrounding",
    ]
    .map(str::to_owned)
    .into();
    all.push(format!("--user-data-dir={}", text(profile)?));
    if !setup.asks {
        all.push("--use-fake-ui-for-media-stream".to_owned());
    }
    if let Some(file) = setup.speaks {
        all.push(format!("--use-file-for-fake-audio-capture={}", text(file)?));
    }
    all.extend(setup.arguments.iter().map(|one| (*one).to_owned()));
    Ok(all)
}

/// The two pipes of the DevTools protocol: messages in JSON, each ended by a zero.
#[derive(Debug)]
struct Pipe {
    to: ChildStdin,
    from: ChildStdout,
    pending: Vec<u8>,
    number: u64,
    log: VecDeque<String>,
}

impl Pipe {
    async fn order(&mut self, session: Option<&str>, method: &str, parameters: &Value) -> Result<Value> {
        self.number += 1;
        let number = self.number;
        let mut message = json!({"id": number, "method": method, "params": parameters});
        if let Some(session) = session {
            message["sessionId"] = json!(session);
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        self.to.write_all(&bytes).await?;
        loop {
            let mut answer = self.message().await?;
            if answer["id"] != number {
                // What a page says, or the answer to somebody who did not wait for it.
                self.keep(&answer);
            } else if answer["error"].is_object() {
                bail!("{}", answer["error"]);
            } else {
                return Ok(answer["result"].take());
            }
        }
    }

    async fn message(&mut self) -> Result<Value> {
        loop {
            if let Some(end) = self.pending.iter().position(|byte| *byte == 0) {
                let message = serde_json::from_slice(&self.pending[..end])?;
                self.pending.drain(..=end);
                return Ok(message);
            }
            if self.from.read_buf(&mut self.pending).await? == 0 {
                bail!("chromium ended");
            }
        }
    }

    fn keep(&mut self, event: &Value) {
        let parameters = &event["params"];
        let text = match event["method"].as_str() {
            Some("Runtime.consoleAPICalled") => parameters["args"]
                .as_array()
                .map(|parts| parts.iter().map(|part| part["value"].to_string()).collect::<Vec<_>>())
                .map(|parts| parts.join(" ")),
            Some("Runtime.exceptionThrown") => Some(parameters["exceptionDetails"]["exception"].to_string()),
            Some("Log.entryAdded") => Some(parameters["entry"]["text"].to_string()),
            Some(_) | None => None,
        };
        if let Some(text) = text {
            if self.log.len() == LOG_MOST {
                self.log.pop_front();
            }
            self.log.push_back(text.chars().take(300).collect());
        }
    }

    fn said(&self) -> String {
        self.log.iter().cloned().collect::<Vec<_>>().join("\n")
    }
}

/// A page of a browser.
#[derive(Debug)]
pub struct Page<'a> {
    browser: &'a Chromium,
    session: String,
    target: String,
    context: Value,
}

impl Page<'_> {
    /// Gives an order of the DevTools protocol to this page.
    ///
    /// # Errors
    /// It refuses.
    pub async fn order(&self, method: &str, parameters: &Value) -> Result<Value> {
        self.browser.order(Some(&self.session), method, parameters).await
    }

    /// Goes to an address and waits until everything there is loaded.
    ///
    /// # Errors
    /// There is no such page.
    pub async fn open(&self, url: &str) -> Result<()> {
        let went = self.order("Page.navigate", &json!({"url": url})).await?;
        if let Some(error) = went["errorText"].as_str() {
            bail!("{url}: {error}");
        }
        self.until("document.readyState === 'complete'").await.map(drop)
    }

    /// A further page beside this one, of the same person.
    ///
    /// # Errors
    /// The page does not load.
    pub async fn beside(&self, url: &str) -> Result<Page<'_>> {
        self.browser.page_in(&self.context, url).await
    }

    /// What an expression is worth, after its promise when it is one. A person counts as having clicked.
    ///
    /// # Errors
    /// It throws.
    pub async fn evaluate(&self, expression: &str) -> Result<Value> {
        let parameters = json!({
            "expression": expression, "awaitPromise": true, "returnByValue": true, "userGesture": true,
        });
        let mut answer = self.order("Runtime.evaluate", &parameters).await?;
        if answer["exceptionDetails"].is_object() {
            bail!("{expression}: {}", answer["exceptionDetails"]);
        }
        Ok(answer["result"]["value"].take())
    }

    /// Waits until an expression is worth something, at most a minute.
    ///
    /// # Errors
    /// It never is.
    pub async fn until(&self, expression: &str) -> Result<Value> {
        self.until_within(expression, PATIENCE).await
    }

    /// As [`Page::until`], with another limit.
    ///
    /// # Errors
    /// It never is.
    pub async fn until_within(&self, expression: &str, limit: Duration) -> Result<Value> {
        let found = eventually(limit, expression, || async {
            let value = self.evaluate(expression).await?;
            let is_worth =
                !matches!(value, Value::Null | Value::Bool(false)) && value != json!(0) && value != json!("");
            anyhow::ensure!(is_worth, "it is {value}");
            Ok(value)
        })
        .await;
        match found {
            Ok(value) => Ok(value),
            Err(error) => Err(error.context(self.text().await)),
        }
    }

    /// Presses a button or ticks a box, once it is there to be pressed.
    ///
    /// # Errors
    /// It never is.
    pub async fn click(&self, selector: &str) -> Result<()> {
        self.until(&format!("test.isThere({selector:?})")).await?;
        self.evaluate(&format!("document.querySelector({selector:?}).click()"))
            .await
            .map(drop)
    }

    /// Writes into a field, once it is there.
    ///
    /// # Errors
    /// It never is.
    pub async fn fill(&self, selector: &str, text: &str) -> Result<()> {
        self.until(&format!("test.isThere({selector:?})")).await?;
        self.evaluate(&format!("test.fill({selector:?}, {})", json!(text)))
            .await
            .map(drop)
    }

    /// The level of each pitch, dB below full scale, in everything that is heard for a second and a half.
    ///
    /// # Errors
    /// The page has no sounds.
    pub async fn levels(&self, pitches_hz: &[f64]) -> Result<Vec<f64>> {
        let levels = self.evaluate(&format!("test.levels({})", json!(pitches_hz))).await?;
        let levels = levels.as_array().context("no levels")?;
        Ok(levels.iter().map(|level| level.as_f64().unwrap_or(-200.0)).collect())
    }

    /// Waits until each of these pitches is heard.
    ///
    /// # Errors
    /// One never is.
    pub async fn hears(&self, pitches_hz: &[f64]) -> Result<()> {
        let so_far = std::cell::RefCell::new(Vec::new());
        let heard = eventually(PATIENCE, &format!("hearing {pitches_hz:?}"), || async {
            let levels = self.levels(pitches_hz).await?;
            let is_all = levels.iter().all(|level| *level > -50.0);
            so_far
                .borrow_mut()
                .push(levels.iter().map(|level| level.round()).collect::<Vec<_>>());
            anyhow::ensure!(is_all, "not all is heard");
            Ok(())
        })
        .await;
        match heard {
            Ok(()) => Ok(()),
            Err(error) => {
                let arrived = self.evaluate("test.received('audio')").await;
                let levels = so_far.into_inner();
                let text = self.text().await;
                Err(error.context(format!("the levels were {levels:?}; arrived: {arrived:?}; {text}")))
            }
        }
    }

    /// What a person reads on the page.
    pub async fn text(&self) -> String {
        match self.evaluate("document.body?.innerText ?? ''").await {
            Ok(text) => format!("the page reads: {}", text.as_str().unwrap_or_default()),
            Err(error) => format!("the page cannot be read: {error:#}"),
        }
    }

    /// Says what the page's origin may do: `microphone`, `camera`; `granted`, `denied` or `prompt`.
    ///
    /// # Errors
    /// The browser knows no such permission.
    pub async fn permit(&self, name: &str, setting: &str) -> Result<()> {
        let origin = self.evaluate("location.origin").await?;
        let parameters = json!({
            "permission": {"name": name}, "setting": setting, "origin": origin, "browserContextId": self.context,
        });
        self.browser
            .order(None, "Browser.setPermission", &parameters)
            .await
            .map(drop)
    }

    /// Signs in to the console and goes on to a path.
    ///
    /// # Errors
    /// It does not let them in.
    pub async fn sign_in(&self, http: &str, account: (&str, &str), path: &str) -> Result<()> {
        self.open(&format!("{http}/login?next={path}")).await?;
        self.fill("[name=email]", account.0).await?;
        self.fill("[name=password]", account.1).await?;
        self.evaluate("document.querySelector('form').requestSubmit()").await?;
        self.until(&format!(
            "location.pathname === {path:?} && document.readyState === 'complete'"
        ))
        .await
        .map(drop)
    }

    /// The page's process dies at once, as in a crash.
    ///
    /// # Errors
    /// The browser is gone.
    pub async fn crash(&self) -> Result<()> {
        let mut pipe = self.browser.pipe.lock().await;
        let nothing = json!({});
        let crash = pipe.order(Some(&self.session), "Page.crash", &nothing);
        // A page that is no more does not answer.
        let _ = tokio::time::timeout(Duration::from_secs(1), crash).await;
        Ok(())
    }

    /// Closes the page as a person does.
    ///
    /// # Errors
    /// The browser is gone.
    pub async fn close(&self) -> Result<()> {
        let parameters = json!({"targetId": self.target});
        self.browser
            .order(None, "Target.closeTarget", &parameters)
            .await
            .map(drop)
    }
}

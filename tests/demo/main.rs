//! `make demo`: a real call through a throw-away instance, from the first ring to the transcript.
//!
//! Two phones (baresip) speak recorded human speech. One calls the demo number, presses 1 in the flow and
//! reaches the other; both talk, one hangs up. What is printed is what an administrator would read.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "it tells a person what happens"
)]

use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use strowger_tests::scene::{detail, only_call, phone};
use strowger_tests::{Sandbox, eventually, speech};

/// What the caller says, once connected.
const CALLER_SAYS: [&str; 2] = ["tt-allbusy", "vm-invalid-password"];
/// What the callee says, after the caller.
const CALLEE_SAYS: [&str; 2] = ["queue-periodic-announce", "ss-noservice"];
const SOON: Duration = Duration::from_secs(20);
const TRANSCRIBED: Duration = Duration::from_secs(180);

#[tokio::main]
async fn main() -> ExitCode {
    match demo().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn demo() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let caller_said = said(folder.path(), "caller.wav", 8.0, &CALLER_SAYS)?;
    let callee_said = said(folder.path(), "callee.wav", caller_said.seconds, &CALLEE_SAYS)?;
    println!("starting a throw-away instance …");
    let sandbox = Sandbox::start_with(&["--log", "error"], &[]).await?;
    println!("  console  {}", sandbox.card.http);
    println!(
        "  sign in  {}  {}",
        sandbox.card.admin.email, sandbox.card.admin.password
    );

    println!("registering two phones and calling {} …", sandbox.number("ivr")?);
    let mut caller = phone(&sandbox, 0, &caller_said.file, false).await?;
    let mut callee = phone(&sandbox, 1, &callee_said.file, true).await?;
    caller.dial(sandbox.number("ivr")?).await?;
    caller.event("CALL_ESTABLISHED").await?;
    // The key is pressed while the welcome still plays; the menu finds it waiting.
    caller.press("1").await?;
    callee.event("CALL_ESTABLISHED").await?;
    println!("  the caller pressed 1 and talks to a colleague …");
    let talk = Duration::from_secs_f64(callee_said.seconds + 1.0);
    let reports = talk.as_secs() / 5 + 1;
    for _ in 0..reports {
        callee.event_within("CALL_RTCP", SOON).await?;
    }
    caller.hang_up().await?;
    callee.event("CALL_CLOSED").await?;
    let call = only_call(&sandbox, "completed", SOON).await?;
    println!("  hung up after {} s", call["duration_seconds"]);

    println!("waiting for recording, transcript and analysis …");
    let transcript = transcript(&sandbox, &call).await?;
    report(&transcript)?;
    println!(
        "\nread it with its audio: {}/calls/{}",
        sandbox.card.http,
        call["id"].as_str().unwrap_or_default()
    );
    if std::env::var_os("CI").is_none() && std::io::IsTerminal::is_terminal(&std::io::stdout()) {
        println!("the instance stays up until Ctrl+C");
        tokio::signal::ctrl_c().await?;
    }
    sandbox.stop().await?;
    Ok(())
}

struct Said {
    file: PathBuf,
    seconds: f64,
}

/// A WAV file of prompts after a silence, followed by a minute of silence.
fn said(folder: &Path, name: &str, after_s: f64, prompts: &[&str]) -> Result<Said> {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 8000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let file = folder.join(name);
    let mut out = hound::WavWriter::create(&file, spec)?;
    let mut length = 0u32;
    let silence = |out: &mut hound::WavWriter<_>, seconds: f64| -> Result<u32> {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few seconds")]
        let samples = (seconds * 8000.0) as u32;
        for _ in 0..samples {
            out.write_sample(0i16)?;
        }
        Ok(samples)
    };
    length += silence(&mut out, after_s)?;
    for prompt in prompts {
        let mut speech = hound::WavReader::open(speech::file(prompt)?)?;
        for sample in speech.samples::<i16>() {
            out.write_sample(sample?)?;
            length += 1;
        }
        length += silence(&mut out, 0.7)?;
    }
    silence(&mut out, 60.0)?;
    out.finalize()?;
    Ok(Said {
        file,
        seconds: f64::from(length) / 8000.0,
    })
}

async fn transcript(sandbox: &Sandbox, call: &Value) -> Result<Value> {
    let id = eventually(TRANSCRIBED, "a transcript", || async {
        let row = detail(sandbox, call).await?;
        row["transcription_id"]
            .as_str()
            .map(str::to_owned)
            .context("none was asked for")
    })
    .await?;
    eventually(TRANSCRIBED, "a transcript that is ready and analysed", || async {
        let row = sandbox.get(&format!("/api/transcription/{id}")).await?;
        match row["status"].as_str() {
            Some("failed") => bail!("it failed: {}", row["problem"]),
            _ if row["summary"].is_string() => Ok(row),
            other => bail!("it is {other:?}"),
        }
    })
    .await
}

fn report(transcript: &Value) -> Result<()> {
    let segments = transcript["segments"].as_array().context("no segments")?;
    println!("\n{:>6}  {:<14} text", "second", "speaker");
    let mut heard = [String::new(), String::new()];
    for segment in segments {
        let text = segment["text"].as_str().unwrap_or_default();
        let start = segment["start_ms"].as_f64().unwrap_or(0.0) / 1000.0;
        println!(
            "{start:>6.1}  {:<14} {text}  [{}]",
            segment["speaker"].as_str().unwrap_or("?"),
            segment["sentiment"].as_str().unwrap_or("?")
        );
        let channel = usize::try_from(segment["channel"].as_u64().unwrap_or(0))
            .unwrap_or(0)
            .min(1);
        // What the flow said stands on the callee's side before the callee spoke; it is not theirs.
        let is_flow = channel == 1 && start < 12.0;
        if !is_flow {
            heard[channel].push(' ');
            heard[channel].push_str(text);
        }
    }
    let mut said = [String::new(), String::new()];
    for (channel, prompts) in [CALLER_SAYS, CALLEE_SAYS].iter().enumerate() {
        for prompt in prompts {
            said[channel].push(' ');
            said[channel].push_str(&speech::text(prompt)?);
        }
    }
    println!("\nsaid     caller:{}\n         callee:{}", said[0], said[1]);
    let rate = speech::word_error_rate(&said.join(" "), &heard.join(" "));
    println!("word error rate {:.1} %", rate * 100.0);
    println!("sentiment       {}", transcript["sentiment"].as_str().unwrap_or("?"));
    println!("summary         {}", transcript["summary"].as_str().unwrap_or("?"));
    for (name, key) in [("key points", "key_points"), ("action items", "action_items")] {
        println!("{name}:");
        for point in transcript[key].as_array().into_iter().flatten() {
            println!("  - {}", point["text"].as_str().or(point.as_str()).unwrap_or("?"));
        }
    }
    if rate > 0.10 {
        bail!("more than one word in ten was misheard");
    }
    Ok(())
}

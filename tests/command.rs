//! The `strowger` command: configuration faults, flows without a phone, settings.

#![expect(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use strowger_tests::process;

fn strowger(arguments: &[&str]) -> Output {
    Command::new(process::program("strowger").unwrap())
        .args(arguments)
        .output()
        .unwrap()
}

fn flows() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("flows")
}

#[test]
fn every_fault_of_a_configuration_is_told_before_a_port_opens() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("strowger.toml");
    std::fs::write(
        &file,
        "data_dirr = \"/x\"\n[sip]\nudp = [\"nonsense\"]\n[log]\nformat = \"xml\"\n",
    )
    .unwrap();
    for command in [vec!["config", "check"], vec!["serve"]] {
        let mut arguments = command.clone();
        arguments.extend(["--config", file.to_str().unwrap()]);
        let output = strowger(&arguments);
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{command:?}");
        for part in ["data_dirr", "did you mean `data_dir`", "sip.udp", "log.format"] {
            assert!(text.contains(part), "{command:?} does not say {part}: {text}");
        }
    }
}

#[test]
fn a_configuration_is_explained_with_where_each_value_came_from() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("strowger.toml");
    std::fs::write(&file, "[sip]\nmax_calls = 7\n").unwrap();
    let output = strowger(&["config", "explain", "--config", file.to_str().unwrap()]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success());
    assert!(
        text.lines()
            .any(|line| line.contains("sip.max_calls") && line.contains('7') && line.contains("file")),
        "{text}"
    );
}

#[test]
fn the_sample_flows_have_no_findings_and_a_broken_one_has() {
    for entry in std::fs::read_dir(flows()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let output = strowger(&["flow", "check", path.to_str().unwrap()]);
            assert!(
                output.status.success(),
                "{}: {}",
                path.display(),
                String::from_utf8_lossy(&output.stdout)
            );
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let broken = folder.path().join("broken.json");
    std::fs::write(&broken, r#"{"nodes":[{"id":"m","type":"menue","data":{}}],"edges":[]}"#).unwrap();
    let output = strowger(&["flow", "check", broken.to_str().unwrap()]);
    assert!(!output.status.success());
    assert!(
        String::from_utf8_lossy(&output.stdout).contains("menu"),
        "the nearest kind of node is named"
    );
}

#[test]
fn a_flow_is_walked_without_a_phone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("menu.json");
    let flow = r#"{"nodes":[
        {"id":"start","type":"start","data":{}},
        {"id":"menu1","type":"menu","data":{"message":"Press 1 for sales.","options":{}}},
        {"id":"dial1","type":"dial","data":{"number":"+1234567890"}}],
      "edges":[
        {"id":"e1","source":"start","target":"menu1"},
        {"id":"e2","source":"menu1","target":"dial1","label":"1"}]}"#;
    std::fs::write(&file, flow).unwrap();
    let output = strowger(&["flow", "test", file.to_str().unwrap(), "--press", "1"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    for part in ["start", "menu1", "Press 1 for sales.", "dial1", "+1234567890"] {
        assert!(text.contains(part), "no {part} in {text}");
    }
}

#[test]
fn the_platforms_defaults_are_the_documented_ones() {
    let output = strowger(&["settings", "list", "--platform", "--defaults"]);
    let text = String::from_utf8_lossy(&output.stdout);
    let shown: Vec<&str> = text.lines().collect();
    let documented = [
        "auto_record_calls = true",
        "auto_transcribe_calls = false",
        "auto_transcribe_voicemails = true",
        "max_call_duration_seconds = 3600",
        "enable_call_recording = true",
        "enable_voicemail = true",
        "enable_ivr = true",
        "enable_ai_transcription = true",
        "transcription_provider = openai-whisper",
        "default_voicemail_greeting = You have reached {name}. Please leave a message after the beep.",
        "call_retention_days = 90",
        "recording_retention_days = 90",
        "voicemail_retention_days = 30",
    ];
    assert_eq!(shown, documented);
    let all = strowger(&["settings", "list", "--defaults"]);
    assert!(String::from_utf8_lossy(&all.stdout).lines().count() > documented.len());
}

#[test]
fn the_master_key_is_rotated_and_the_data_opens_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("strowger.toml");
    std::fs::write(&file, format!("data_dir = {:?}\n", folder.path().display().to_string())).unwrap();
    let config = file.to_str().unwrap();
    let key = || std::fs::read(folder.path().join("master.key")).unwrap();
    let list = || strowger(&["settings", "list", "--config", config]);
    assert!(list().status.success());
    let before = key();
    let output = strowger(&["keys", "rotate", "--config", config]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_ne!(key(), before);
    assert!(list().status.success(), "the new key opens the database");
    std::fs::write(folder.path().join("master.key"), before).unwrap();
    let output = list();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("master key"));
}
